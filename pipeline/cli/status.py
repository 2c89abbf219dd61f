"""`colorize status`: where a run stands."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.archive.status import read_status, status_json, status_lines
from pipeline.cli.presentation import Place, json_option, presentation_options

EPILOG = """\b
Examples:
  colorize status colour
  colorize status colour --json
"""


@click.command(epilog=EPILOG)
@click.argument("output", metavar="OUTPUT", type=Place())
@json_option
@presentation_options
def command(output: Path, as_json: bool) -> int:
    """Show where the run into OUTPUT stands: counts, rate, whether it is at work.

    It can be asked at any time, also while a run is at work.
    """
    status = read_status(output)
    for line in [status_json(status)] if as_json else status_lines(status):
        click.echo(line)
    return 0
