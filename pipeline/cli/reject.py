"""`colorize reject`: outputs that nobody wants."""

from __future__ import annotations

import json
from pathlib import Path

import click

from pipeline.cli.presentation import Place, json_option, presentation_options, state_option, tell
from pipeline.ground.errors import ExitCode

EPILOG = """\b
Examples:
  colorize reject colour colour/box/7.jpg
  colorize reject colour box/7.jpg --undo
"""


@click.command(epilog=EPILOG)
@click.argument("output", metavar="OUTPUT", type=Place(far=True))
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=Place(far=True))
@click.option("--undo", is_flag=True, help="They are wanted again: the next run makes them.")
@json_option
@presentation_options
@state_option()
def command(output: Path, paths: tuple[Path, ...], undo: bool, as_json: bool) -> int:
    """Remove outputs that nobody wants; no later run makes them again.

    PATH is an output or a source, as it lies on the disk or as the manifest
    names it. An output that somebody has changed is left where it is.
    """
    from pipeline.archive.prune import reject

    came = reject(output, paths, undo=undo)
    if as_json:
        click.echo(json.dumps(came._asdict()))
    else:
        tell(f"{len(came.taken):,} {'taken back: the next run makes them' if undo else 'rejected'}.")
    for key, why in came.left:
        tell(f"{key}: {why}.", err=True)
    for key, why in came.stuck:
        tell(f"{key}: its output cannot be removed, so it is not rejected: {why}.", err=True)
    return ExitCode.SOME_FAILED if came.stuck else ExitCode.OK
