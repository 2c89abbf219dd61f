"""`colorize status`: where a run stands."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import click

from pipeline.archive.status import Standing, standing
from pipeline.cli.presentation import json_option, presentation_options
from pipeline.errors import ExitCode
from pipeline.run.progress import duration

EPILOG = """\b
Examples:
  colorize status colour
  colorize status colour --json
"""


@click.command(epilog=EPILOG)
@click.argument("output", metavar="OUTPUT", type=click.Path(path_type=Path))
@json_option
@presentation_options
def command(output: Path, as_json: bool) -> int:
    """Show where the run into OUTPUT stands: counts, rate, whether it is at work.

    It can be asked at any time, also while a run is at work.
    """
    state = standing(output)
    for line in [json.dumps(asdict(state), indent=2, default=str)] if as_json else _lines(state):
        click.echo(line)
    return int(ExitCode.OK)


def _lines(state: Standing) -> Iterator[str]:
    for status, count in sorted(state.counts.items(), key=lambda pair: -pair[1]):
        yield f"{status:<12}{count:>9,}"
    yield f"{'left':<12}{state.left:>9,}"
    if state.run is None:
        yield "No run has begun yet."
        return
    rate = f", {state.finished:,} at {state.rate:.2f} pictures/s" if state.finished else ""
    if state.running and state.owner is not None:
        left = f", about {duration(state.seconds_left)} left" if state.seconds_left is not None else ""
        yield f"Running since {state.run.started_at} (process {state.owner.pid} on {state.owner.host}){rate}{left}."
    elif state.run.finished_at:
        yield f"Last run: {state.run.started_at} to {state.run.finished_at}, exit {state.run.exit_code}{rate}."
    else:
        yield f"Last run: begun {state.run.started_at}, broken off{rate}; the same command goes on from there."
