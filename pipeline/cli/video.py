"""`colorize video`: one film."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import click

from pipeline.cli.moments import Moment
from pipeline.cli.presentation import Place, Presentation, presentation_options, tell
from pipeline.cli.settings_flags import read_settings, settings_flags
from pipeline.ground.errors import SettingsError
from pipeline.ground.items import Viewing

EPILOG = """\b
Examples:
  colorize video reel.mp4 reel-colour.mp4
  colorize video reel.avi reel-colour.mkv --width 500 --steady strong
  colorize video reel.mkv look.mkv --sample 20s --side-by-side
  colorize video reel.mkv act-2.mkv --from 41:10 --to 1:02:03.5
"""


@click.command(epilog=EPILOG)
@click.argument("source", metavar="IN", type=Place())
@click.argument("destination", metavar="OUT", type=Place())
@click.option("-f", "--force", is_flag=True, help="Replace OUT if it is there.")
@click.option("--from", "start", metavar="TIME", type=Moment(), help="Begin there: 1:02:03.5, or seconds.")
@click.option("--to", "stop", metavar="TIME", type=Moment(), help="End there.")
@click.option(
    "--sample",
    metavar="LENGTH",
    type=Moment(),
    help="So much in all, such as 20s, in stretches of about 4 s from places all over the film.",
)
@click.option("--side-by-side", is_flag=True, help="The grey picture beside the coloured one.")
@click.option("--contact-sheet", metavar="FILE.jpg", type=Place(), help="One frame of each shot, with its time.")
@presentation_options
@settings_flags(
    "model", "models_dir", "engine", "precision", "saturation", "palette", "on_color", "encoder", "film_quality",
    "preset", "width", "deinterlace", "steady", "keyframes", "jobs", "executor",
)  # fmt: skip
@click.pass_obj
def command(
    presentation: Presentation,
    /,
    source: Path,
    destination: Path,
    force: bool,
    start: float | None,
    stop: float | None,
    sample: float | None,
    side_by_side: bool,
    contact_sheet: Path | None,
    **values: Any,
) -> int:
    """Colorize the film IN and write it to OUT, sound and all.

    OUT's suffix (.mp4, .mov, .mkv, .webm) chooses its container. IN is only
    read. For many films, or one that takes a night: `colorize run`, which goes
    on where it was stopped. A part of the film, by --from, --to or --sample,
    is in OUT what it is in IN: the same frames, with their sound.
    """
    from tqdm import tqdm

    from pipeline.run.single import colorize_video

    settings = read_settings(values)
    viewing = Viewing(start or 0.0, math.inf if stop is None else stop, sample or 0.0, side_by_side)
    if viewing.stop <= viewing.start:
        raise SettingsError("--to must lie behind --from.")

    def announce(sentence: str) -> None:
        if not presentation.quiet:
            tell(sentence, err=True)

    with tqdm(total=0, unit=" frames", dynamic_ncols=True, disable=presentation.quiet or None) as bar:

        def watch(done: int, of: int) -> None:
            bar.total = of
            bar.update(done - bar.n)

        result = colorize_video(
            source,
            destination,
            settings,
            force=force,
            watch=watch,
            viewing=viewing,
            sheet=contact_sheet,
            announce=announce,
        )
    if not presentation.quiet:
        notes = "; ".join(note for note in (result.reason, result.metadata) if note)
        seen = f"{result.seen.frames:,} frames, {result.seen.width} x {result.seen.height}"
        made = destination if result.filed else "nothing written"
        tell(f"{made}: {seen}, {result.seconds:.1f} s of work{f' ({notes})' if notes else ''}", err=True)
    return 0
