"""What came of a run."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from pipeline.ground.errors import ExitCode
from pipeline.ground.items import PROBLEMS


@dataclass(frozen=True, slots=True)
class Summary:
    """What came of a run.

    Attributes:
        counts: items of OUTPUT by status, earlier runs' included.
        worked: items that workers finished in this run.
        left: items that were to be done and have no outcome: the run was stopped.
        seconds: from the first item's start to the last one's end.
        engine: such as "opencv/float32".
        jobs: worker processes; 0 for the serial executor.
        output: OUTPUT.
        exit_code: of the command.
        stopped: a signal ended the run.
        doubtful: items of OUTPUT of which it is doubtful whether they are in colour.
        junk: how often what systems leave behind was passed over in INPUT, by what it is called, most often first.
        new_problems: items that failed or crashed, and of which no earlier run has told.
        planned: INPUT was looked through to its end; if not, nothing was begun, and `left` is not known.
    """

    counts: dict[str, int]
    worked: int
    left: int
    seconds: float
    engine: str
    jobs: int
    output: Path
    exit_code: ExitCode
    stopped: bool
    doubtful: int = 0
    junk: dict[str, int] = field(default_factory=dict)
    new_problems: int = 0
    planned: bool = True


def exit_code(counts: dict[str, int], stopped_by: ExitCode | None, *, news: bool = True) -> ExitCode:
    """Return the exit code of a run that ended in good order; problems count where they are `news`."""
    if stopped_by is not None:
        return stopped_by
    return ExitCode.SOME_FAILED if news and any(counts.get(status) for status in PROBLEMS) else ExitCode.OK
