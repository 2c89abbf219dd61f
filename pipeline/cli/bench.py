"""`colorize bench`: speed against the tutorial's way. What measures it lives beside the package, in `benchmarks`."""

from __future__ import annotations

import importlib
from pathlib import Path

import click

import pipeline
from pipeline.ground.errors import SettingsError

ELSEWHERE = (
    "The benchmark is not installed with the program: it lives in the source checkout. "
    "Clone the repository, and run `make bench` there."
)


@click.command(
    "bench",
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True, "allow_interspersed_args": False},
)
def _elsewhere() -> int:
    """Measure speed against the OpenCV tutorial's way of colorizing.

    The benchmark is not installed with the program: it lives in the source
    checkout. Clone the repository, and run `make bench` there.
    """
    raise SettingsError(ELSEWHERE)


def _find() -> click.Command:
    # Only what lies beside this very package: `benchmarks` is a name that others have, too.
    if not (Path(pipeline.__file__).parents[1] / "benchmarks/command.py").is_file():
        return _elsewhere
    found: click.Command = importlib.import_module("benchmarks.command").command
    return found


command = _find()
