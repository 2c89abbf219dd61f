"""`colorize image`: one picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from pipeline.cli.presentation import Place, Presentation, presentation_options
from pipeline.cli.settings_flags import read_settings, settings_flags

EPILOG = """\b
Examples:
  colorize image grandfather.jpg grandfather-colour.jpg
  colorize image plate.tif plate-colour.png --saturation 0.8
"""


@click.command(epilog=EPILOG)
@click.argument("source", metavar="IN", type=Place())
@click.argument("destination", metavar="OUT", type=Place())
@click.option("-f", "--force", is_flag=True, help="Replace OUT if it is there.")
@presentation_options
@settings_flags(
    "model", "models_dir", "engine", "precision", "quality", "pages", "saturation", "palette", "on_color",
    "max_megapixels",
    "max_memory",
)  # fmt: skip
@click.pass_obj
def command(presentation: Presentation, /, source: Path, destination: Path, force: bool, **values: Any) -> int:
    """Colorize the picture IN and write it to OUT.

    OUT's suffix (.jpg, .png, .tif, .webp) chooses its format. IN is only read.
    """
    from pipeline.run.single import colorize_picture

    result = colorize_picture(source, destination, read_settings(values), force=force)
    if not presentation.quiet:
        note = f" ({result.reason})" if result.reason else ""
        made = destination if result.filed else "nothing written"
        size = f"{result.seen.width} x {result.seen.height}"
        click.echo(f"{made}: {size}, {result.seconds:.2f} s{note}", err=True)
    return 0
