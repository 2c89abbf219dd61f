"""`colorize image`: one picture."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from pipeline.cli.presentation import Place, Presentation, has_desktop, presentation_options, tell
from pipeline.cli.settings_flags import read_settings, settings_flags
from pipeline.cli.streams import is_closed
from pipeline.ground.errors import OutputError, SettingsError
from pipeline.ground.items import Result, Status
from pipeline.ground.settings import Settings

EPILOG = """\b
Examples:
  colorize image grandfather.jpg
  colorize image plate.tif plate-colour.png --saturation 0.8
  colorize image grandfather.jpg album --side-by-side --open
  colorize image - - --format png  # from a pipe into a pipe
"""

PIPE = Path("-")


class _PlaceOrPipe(Place):
    def convert(self, value: Any, parameter: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Take `-` for a pipe, and `./-` for the file of that name."""
        return PIPE if value == "-" else super().convert(value, parameter, ctx)


@click.command(epilog=EPILOG, context_settings={"allow_extra_args": True})
@click.argument("source", metavar="IN", type=_PlaceOrPipe())
@click.argument("destination", metavar="[OUT]", type=_PlaceOrPipe(), required=False)
@click.option("-f", "--force", is_flag=True, help="Replace OUT if it is there.")
@click.option("--side-by-side", is_flag=True, help="The grey picture beside the coloured one.")
@click.option("--open", "opened", is_flag=True, help="Show OUT when it is made, in the desktop's own program.")
@presentation_options
@settings_flags(
    "model", "models_dir", "engine", "precision", "format", "quality", "pages", "saturation", "palette", "on_color",
    "max_megapixels",
    "max_memory",
)  # fmt: skip
@click.pass_obj
def command(
    presentation: Presentation,
    /,
    source: Path,
    destination: Path | None,
    force: bool,
    side_by_side: bool,
    opened: bool,
    **values: Any,
) -> int:
    """Colorize the picture IN and write it to OUT. IN is only read.

    OUT's suffix (.jpg, .png, .tif, .webp) chooses its format. OUT may be a
    folder that is there; without OUT the copy goes beside IN, as NAME-colour.
    It then has the format of IN, or that of --format, and a name that is taken
    gets a number: no file is replaced. `-` as IN is standard input, as OUT
    (or without OUT then) standard output.
    """
    from pipeline.media.photo.write import FORMATS
    from pipeline.run.naming import destination_of
    from pipeline.run.pipes import colorize_into, received
    from pipeline.run.single import colorize_picture

    if click.get_current_context().args:
        raise click.UsageError("One picture at a time. Many: colorize run FILE... -o FOLDER")
    settings = read_settings(values)
    if side_by_side:
        settings = replace(settings, layout="side-by-side")
    piped = destination is PIPE or (source is PIPE and destination is None)
    if opened and piped:
        raise SettingsError("--open shows a file: name one as OUT.")
    if piped and sys.stdout.isatty():
        raise SettingsError("Standard output is a terminal: send it to a file or a program, or name OUT.")
    if piped and is_closed(1):
        raise OutputError("Standard output is closed: send it to a file or a program, or name OUT.")
    with received(sys.stdin.buffer) if source is PIPE else nullcontext(source) as there:
        if piped:
            place, result = "standard output", colorize_into(sys.stdout.buffer, there, settings)
        else:
            path = destination_of(there, destination, settings, force=force)
            if path == destination and values["format"] not in (None, "keep", FORMATS.get(path.suffix.lower())):
                raise SettingsError(f"--format {values['format']} and {path} say two formats: leave one of them out.")
            place, result = str(path), colorize_picture(there, path, settings, force=force)
    if not presentation.quiet:
        tell(_line(result, place, settings), err=True)
    if opened and result.filed and (not has_desktop() or click.launch(place)):
        tell(f"colorize: There is no program here that opens {place}.", err=True)
    return 0


def _line(result: Result, place: str, settings: Settings) -> str:
    from pipeline.media.develop import size_of_copy

    note = f" ({result.reason})" if result.reason else ""
    made = place if result.filed else "nothing written"
    size = result.seen.width, result.seen.height
    width, height = size_of_copy(*size, settings) if result.status is Status.DONE else size
    return f"{made}: {width} x {height}, {result.seconds:.2f} s{note}"
