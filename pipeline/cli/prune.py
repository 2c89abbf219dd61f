"""`colorize prune`: outputs whose sources are gone."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.archive.spelling import printable
from pipeline.cli.presentation import Place, presentation_options
from pipeline.ground.errors import ExitCode

EPILOG = """\b
Examples:
  colorize prune colour
  colorize prune colour --yes
"""


def _rest(rows: int) -> str:
    return f"; {rows:,} more had none any more, and are forgotten" if rows else ""


@click.command(epilog=EPILOG)
@click.argument("output", metavar="OUTPUT", type=Place())
@click.option("--yes", is_flag=True, help="Do it; without, only list.")
@presentation_options
def command(output: Path, yes: bool) -> int:
    """Take away outputs and rows of sources that are gone (status `gone`).

    Without --yes nothing is changed. What somebody has changed since it was
    written stays.
    """
    from pipeline.archive.prune import prunable, prune

    if yes:
        came = prune(output)
        click.echo(f"{came.removed:,} outputs of gone sources were removed{_rest(came.forgotten - came.removed)}.")
        for place, why in came.stuck:
            click.echo(printable(f"{place} cannot be removed: {why}. It stays, and what is known of it."), err=True)
        return ExitCode.SOME_FAILED if came.stuck else ExitCode.OK
    going = 0
    for _, place, ours in prunable(output):
        going += ours
        click.echo(printable(f"{'remove' if ours else 'keep (edited)'} {place}"))
    click.echo(f"{going:,} outputs would be removed; nothing was changed. --yes does it.")
    return 0
