"""`colorize original`: the photograph that was put in, taken out again."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.cli.presentation import Place, Presentation, presentation_options
from pipeline.ground import files
from pipeline.ground.errors import InputError, ItemError, OutputError

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
@click.option("--force", is_flag=True, help="Replace FILE if it is there.")
@presentation_options
@click.pass_obj
def command(presentation: Presentation, /, coloured: Path, output: Path, force: bool) -> int:
    """Take the original out of a coloured copy of a grey JPEG.

    It comes back byte for byte; its sha256 is checked before it is written.
    """
    from pipeline.photo.jpeg.record import original

    try:
        data = original(coloured.read_bytes())
    except OSError as error:
        raise InputError(f"{coloured}: {files.words(error)}.") from None
    except ItemError as error:
        raise InputError(f"{coloured}: {error}.") from None
    if output.exists() and (not force or output.samefile(coloured)):
        raise OutputError(f"{output} is there already{'' if output.samefile(coloured) else '; --force replaces it'}.")
    try:
        files.write_whole(output, data)
    except OSError as error:
        raise OutputError(f"{output} cannot be written: {files.words(error)}.") from None
    if not presentation.quiet:
        click.echo(f"{output}: {len(data):,} bytes, as they were; sha256 matches.")
    return 0
