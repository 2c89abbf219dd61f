"""`colorize original`: the photograph that was put in, taken out again."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.cli.presentation import Place, Presentation, presentation_options, tell

EPILOG = """\b
Exit: 0 the original was written, byte for byte; 5 there is none inside, the
file was changed since, or FILE can't be written.

\b
Examples:
  colorize original colour/portrait.jpg -o portrait.jpg
  colorize original colour/portrait.jpg -o portrait.jpg --force
"""


@click.command(epilog=EPILOG)
@click.argument("coloured", metavar="COLOURED", type=Place())
@click.option("-o", "--output", required=True, metavar="FILE", type=Place(), help="Where the original goes.")
@click.option("-f", "--force", is_flag=True, help="Replace FILE if it is there.")
@presentation_options
@click.pass_obj
def command(presentation: Presentation, /, coloured: Path, output: Path, force: bool) -> int:
    """Take the original out of a coloured copy of a grey JPEG.

    It comes back byte for byte; its sha256 is checked before it is written.
    """
    from pipeline.run.original import take_out

    size = take_out(coloured, output, force=force)
    if not presentation.quiet:
        tell(f"{output}: {size:,} bytes, as they were; sha256 matches.")
    return 0
