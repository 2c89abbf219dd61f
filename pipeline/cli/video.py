"""`colorize video`: one film."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from pipeline.cli.presentation import Place, Presentation, presentation_options
from pipeline.cli.settings_flags import read_settings, settings_flags

EPILOG = """\b
Examples:
  colorize video reel.mp4 reel-colour.mp4
  colorize video reel.avi reel-colour.mkv --width 500 --steady strong
"""


@click.command(epilog=EPILOG)
@click.argument("source", metavar="IN", type=Place())
@click.argument("destination", metavar="OUT", type=Place())
@click.option("-f", "--force", is_flag=True, help="Replace OUT if it is there.")
@presentation_options
@settings_flags(
    "model", "models_dir", "engine", "precision", "saturation", "palette", "on_color", "encoder", "film_quality",
    "preset", "width", "steady", "keyframes", "jobs", "executor",
)  # fmt: skip
@click.pass_obj
def command(presentation: Presentation, /, source: Path, destination: Path, force: bool, **values: Any) -> int:
    """Colorize the film IN and write it to OUT, sound and all.

    OUT's suffix (.mp4, .mov, .mkv, .webm) chooses its container. IN is only
    read. For many films, or one that takes a night: `colorize run`, which goes
    on where it was stopped.
    """
    from tqdm import tqdm

    from pipeline.run.single import colorize_video

    settings = read_settings(values)
    with tqdm(total=0, unit=" frames", dynamic_ncols=True, disable=presentation.quiet or None) as bar:

        def watch(done: int, of: int) -> None:
            bar.total = of
            bar.update(done - bar.n)

        result = colorize_video(source, destination, settings, force=force, watch=watch)
    if not presentation.quiet:
        notes = "; ".join(note for note in (result.reason, result.metadata) if note)
        seen = f"{result.seen.frames:,} frames, {result.seen.width} x {result.seen.height}"
        made = destination if result.filed else "nothing written"
        click.echo(f"{made}: {seen}, {result.seconds:.1f} s of work{f' ({notes})' if notes else ''}", err=True)
    return 0
