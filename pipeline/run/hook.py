"""What is called when a run has ended: a command, with what came of the run in its environment.

No shell is asked. The command's words are split as a shell would split them, nothing in them is replaced, and what the
run has to say (names of folders, sentences) never becomes part of a command: it stands in variables.
"""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from pipeline.ground.errors import ColorizeError, SettingsError
from pipeline.ground.files import words
from pipeline.ground.items import Status
from pipeline.run.facts import summary_facts
from pipeline.run.summary import Summary

# No COLORIZE_: those are settings, also of a `colorize` that the command may call.
PREFIX: Final = "COLORIZED_"


def split(command: str) -> list[str]:
    """Return the program and its arguments.

    Args:
        command: a program and its arguments, quoted as for a shell; or the path of a program, spaces and all.

    Raises:
        SettingsError: a quote is open, or nothing is there.
    """
    if _is_program(command):
        return [os.path.abspath(command)]  # noqa: PTH100 - `tool` alone would be looked for on the PATH
    try:
        parts = shlex.split(command)
    except ValueError as error:
        raise SettingsError(f"--on-finish {command}: {str(error).lower()}.") from None
    if not parts:
        raise SettingsError("--on-finish: name a command.")
    return parts


def _is_program(command: str) -> bool:
    try:
        return Path(command).is_file() and os.access(command, os.X_OK)
    except OSError:  # longer than a path may be
        return False


def variables(output: Path, came: Summary | ColorizeError) -> dict[str, str]:
    """Return what a command is told, all texts; every name is there each time, so that none is left from before."""
    told = {"OUTPUT": str(output.absolute()), "MANIFEST": str(output.absolute() / "manifest.csv"), "ERROR": ""}
    told |= dict.fromkeys(("WORKED", "LEFT", "SECONDS"), "0") | {"STOPPED": "0", "SUMMARY": ""}
    told |= {str(status).upper(): "0" for status in Status}
    told["EXIT_CODE"] = str(int(came.exit_code))
    if isinstance(came, ColorizeError):
        told["ERROR"] = str(came)
    else:
        told |= {"WORKED": str(came.worked), "LEFT": str(came.left), "SECONDS": f"{came.seconds:.1f}"}
        told |= {"STOPPED": str(int(came.stopped)), "SUMMARY": json.dumps(summary_facts(came))}
        told |= {status.upper(): str(number) for status, number in came.counts.items()}
    return {PREFIX + name: value.replace("\0", "") for name, value in told.items()}


def call(command: list[str], told: Mapping[str, str], warn: Callable[[str], None]) -> None:
    """Call a command and wait for it; what it prints goes to stderr, and its failure is said, once, and is no more."""
    try:
        code = subprocess.run(
            command, env={**os.environ, **told}, stdin=subprocess.DEVNULL, stdout=2, check=False
        ).returncode
    except OSError as error:
        warn(f"The command of --on-finish cannot be started: {command[0]}: {words(error)}.")
        return
    except KeyboardInterrupt:  # the run is over, and its outcome stands
        warn("The command of --on-finish was stopped.")
        return
    if code:
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
        warn(f"The command of --on-finish {how}.")
