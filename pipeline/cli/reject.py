"""`colorize reject`: outputs that nobody wants."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.cli.presentation import Place, presentation_options, state_option

EPILOG = """\b
Examples:
  colorize reject colour colour/box/7.jpg
  colorize reject colour box/7.jpg --undo
"""


@click.command(epilog=EPILOG)
@click.argument("output", metavar="OUTPUT", type=Place(far=True))
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=Place(far=True))
@click.option("--undo", is_flag=True, help="They are wanted again: the next run makes them.")
@presentation_options
@state_option()
def command(output: Path, paths: tuple[Path, ...], undo: bool) -> int:
    """Remove outputs that nobody wants; no later run makes them again.

    PATH is an output, or a source as the manifest names it. An output that
    somebody has changed is left where it is.
    """
    from pipeline.archive.prune import reject

    count = len(reject(output, paths, undo=undo))
    click.echo(f"{count:,} {'taken back: the next run makes them' if undo else 'rejected'}.")
    return 0
