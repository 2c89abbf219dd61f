"""`colorize recover`: an OUTPUT whose journal is lost."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.cli.presentation import Place, presentation_options, tell

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

    Outputs are taken back by their sha256 in the manifest; those that have
    another one are kept as edited. What was damaged, and the old manifest,
    stay in OUTPUT/.colorize.
    """
    from pipeline.archive.recover import recover

    found = recover(output)
    tell(f"{found.from_copy:,} items from the journal's copy, {found.from_manifest:,} from the manifest.")
    if found.edited:
        tell(f"{found.edited:,} outputs were changed since they were written: they are kept as `edited`.")
    if found.rejected:
        tell(f"{found.rejected:,} are not wanted: they stay `rejected`.")
    if found.missing:
        tell(f"{found.missing:,} outputs are not there any more: the next run makes them.")
    return 0
