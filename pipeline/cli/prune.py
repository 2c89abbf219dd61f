"""`colorize prune`: outputs whose sources are gone."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.archive.spelling import printable
from pipeline.cli.presentation import Place, presentation_options, state_option

EPILOG = """\b
Examples:
  colorize prune colour
  colorize prune colour --yes
"""


@click.command(epilog=EPILOG)
@click.argument("output", metavar="OUTPUT", type=Place(far=True))
@click.option("--yes", is_flag=True, help="Do it; without, only list.")
@presentation_options
@state_option()
def command(output: Path, yes: bool) -> int:
    """Take away outputs and rows of sources that are gone (status `gone`).

    Without --yes nothing is changed. What somebody has changed since it was
    written stays.
    """
    from pipeline.archive.prune import prunable, prune

    if yes:
        click.echo(f"{prune(output):,} outputs of gone sources were removed.")
        return 0
    going = 0
    for _, place, ours in prunable(output):
        going += ours
        click.echo(printable(f"{'remove' if ours else 'keep (edited)'} {place}"))
    click.echo(f"{going:,} outputs would be removed; nothing was changed. --yes does it.")
    return 0
