"""`colorize status`: where a run stands."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click

from pipeline.archive.spelling import printable, unescape
from pipeline.archive.status import of_statuses, read_status, status_json, status_lines
from pipeline.cli.presentation import Place, json_option, presentation_options, state_option, tell
from pipeline.ground.errors import SettingsError
from pipeline.ground.items import PROBLEMS, Status

EPILOG = """\b
Examples:
  colorize status colour
  colorize status colour --problems
  colorize status colour --list edited -0
"""


@click.command(epilog=EPILOG)
@click.argument("output", metavar="OUTPUT", type=Place(far=True))
@click.option("--problems", is_flag=True, help="List what failed or crashed, and why.")
@click.option(
    "--list",
    "statuses",
    multiple=True,
    metavar="STATUS",
    type=click.Choice([str(each) for each in Status]),
    help="List sources of this status, such as edited.",
)
@click.option("-0", "nul", is_flag=True, help="With --problems or --list: sources alone, each ended by a NUL.")
@json_option
@presentation_options
@state_option()
def command(output: Path, problems: bool, statuses: tuple[str, ...], nul: bool, as_json: bool) -> int:
    """Show where the run into OUTPUT stands: counts, rate, whether it is at work.

    It can be asked at any time, also while a run is at work.
    """
    wanted = {*statuses, *(PROBLEMS if problems else ())}
    if nul and not wanted:
        raise SettingsError("-0 is for lists: --problems, or --list STATUS.")
    if wanted:
        for key, reason in of_statuses(output, wanted):
            if nul:
                click.echo(os.fsencode(unescape(key)) + b"\0", nl=False)
            else:
                click.echo(json.dumps([key, reason]) if as_json else printable(f"{key}: {reason}" if reason else key))
        return 0
    status = read_status(output)
    if as_json:
        click.echo(status_json(status))
        return 0
    for line in status_lines(status):
        tell(line)
    return 0
