"""`colorize prune`: outputs whose sources are gone."""

from __future__ import annotations

import json
from pathlib import Path

import click

from pipeline.cli.presentation import Place, json_option, presentation_options, state_option, tell
from pipeline.ground.errors import ExitCode

EPILOG = """\b
Examples:
  colorize prune colour
  colorize prune colour --yes
"""


def _rest(rows: int) -> str:
    return f"; {rows:,} more had none any more, and are forgotten" if rows else ""


@click.command(epilog=EPILOG)
@click.argument("output", metavar="OUTPUT", type=Place(far=True))
@click.option("--yes", is_flag=True, help="Do it; without, only list.")
@json_option
@presentation_options
@state_option()
def command(output: Path, yes: bool, as_json: bool) -> int:
    """Take away outputs and rows of sources that are gone (status `gone`).

    Without --yes nothing is changed. What somebody has changed since it was
    written stays, and so does what has its source again.
    """
    from pipeline.archive.prune import prunable, prune

    if yes:
        came = prune(output)
        if as_json:
            click.echo(json.dumps(came._asdict()))
        else:
            tell(f"{came.removed:,} of the outputs of gone sources were removed{_rest(came.forgotten - came.removed)}.")
        for place, why in came.stuck:
            tell(f"{place} cannot be removed: {why}. It stays, and what is known of it.", err=True)
        return ExitCode.SOME_FAILED if came.stuck else ExitCode.OK
    going = 0
    for key, place, kept in prunable(output):
        going += not kept
        if as_json:
            click.echo(json.dumps({"key": key, "output": place, "kept": kept}))
        else:
            tell(f"{f'keep ({kept})' if kept else 'remove'} {place}")
    if not as_json:
        tell(f"{going:,} to be removed; nothing was changed. --yes does it.")
    return 0
