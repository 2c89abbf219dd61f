"""`colorize recover`: an OUTPUT whose journal is lost."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.cli.presentation import Place, presentation_options

EPILOG = """\b
Examples:
  colorize recover colour
  colorize recover /media/colour -q
"""


@click.command(epilog=EPILOG)
@click.argument("output", metavar="OUTPUT", type=Place())
@presentation_options
def command(output: Path) -> int:
    """Make a lost or damaged journal anew, from its copy and the manifest.

    Outputs are taken back where their sha256 is the manifest's. What was
    damaged, and the old manifest, are kept in OUTPUT/.colorize.
    """
    from pipeline.archive.recover import recover

    found = recover(output)
    click.echo(f"{found.from_copy:,} items from the journal's copy, {found.from_manifest:,} from the manifest.")
    if found.changed:
        click.echo(f"{found.changed:,} outputs are not there or not as they were written, and were left alone.")
    return 0
