"""Where a run stands, from its journal alone: for `colorize status`, also while it works and on a read-only disk."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pipeline.archive.journal import Journal
from pipeline.archive.lock import Owner, is_held, read_owner
from pipeline.archive.schema import Run


@dataclass(frozen=True, slots=True)
class Standing:
    """Where OUTPUT stands.

    Attributes:
        counts: items by status, of all runs.
        run: the last run; None if none ever began.
        running: a run works on OUTPUT now.
        owner: its process; None when nothing runs.
        finished: items that the last run recorded.
        left: items that were planned and have no outcome yet.
        rate: items a second of the last run; 0.0 when it can't be told.
        seconds_left: at that rate; None when nothing runs or the rate can't be told.
    """

    counts: dict[str, int]
    run: Run | None
    running: bool
    owner: Owner | None
    finished: int
    left: int
    rate: float
    seconds_left: float | None


def standing(output: Path) -> Standing:
    """Read where OUTPUT stands.

    Raises:
        OutputError: OUTPUT holds no journal, or one that can't be read.
    """
    running = is_held(output)
    with Journal(output, read_only=True) as journal:
        run = journal.last_run()
        finished = journal.worked(run.run_id) if run else 0
        left = len(journal.unfinished())
        rate = _rate(run, finished, journal.last_record(run.run_id), running) if run else 0.0
        return Standing(
            counts=journal.counts(),
            run=run,
            running=running,
            owner=read_owner(output) if running else None,
            finished=finished,
            left=left,
            rate=rate,
            seconds_left=left / rate if running and rate else None,
        )


def _rate(run: Run, finished: int, last: str, running: bool) -> float:
    end = datetime.now(UTC) if running else datetime.fromisoformat(run.finished_at or last or run.started_at)
    seconds = (end - datetime.fromisoformat(run.started_at)).total_seconds()
    return finished / seconds if seconds > 0 else 0.0
