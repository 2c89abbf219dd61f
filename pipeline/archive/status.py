"""Where a run stands, from its journal alone: for `colorize status`, also while it works and on a read-only disk."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from pipeline.archive.journal import Journal
from pipeline.archive.lock import Owner, is_held, read_owner
from pipeline.archive.own import check_own
from pipeline.archive.pieces import in_pieces
from pipeline.archive.schema import Run
from pipeline.archive.spelling import readable
from pipeline.ground.items import Kind


@dataclass(frozen=True, slots=True)
class Unfinished:
    """An item that is worked on in pieces, and not finished.

    Attributes:
        key: the item's. kind: of the item.
        done, frames: finished, and in all; pages count as frames.
        work_left: seconds of one worker that the others will take, as the finished ones did; None: not known yet.
    """

    key: str
    kind: str
    done: int
    frames: int
    work_left: float | None


@dataclass(frozen=True, slots=True)
class Standing:
    """Where OUTPUT stands.

    Attributes:
        output: it.
        counts: items by status, of all runs.
        run: the last run; None if none ever began.
        running: a run works on OUTPUT now.
        owner: its process; None when nothing runs.
        finished: items that the last run recorded.
        left: items that were planned and have no outcome yet.
        again: those of them that an earlier run had finished otherwise, and `counts` counts as that.
        rate: items a second of the last run; 0.0 when it can't be told.
        seconds_left: at that rate; None when nothing runs or the rate can't be told.
        begun: items in pieces that are not finished.
    """

    output: Path
    counts: dict[str, int]
    run: Run | None
    running: bool
    owner: Owner | None
    finished: int
    left: int
    again: int
    rate: float
    seconds_left: float | None
    begun: tuple[Unfinished, ...] = ()


def read_status(output: Path) -> Standing:
    """Read where OUTPUT stands.

    Raises:
        OutputError: OUTPUT holds no journal, or one that can't be read.
    """
    check_own(output)
    running = is_held(output)
    with Journal(output, read_only=True) as journal:
        run = journal.last_run()
        finished = journal.worked(run.run_id) if run else 0
        left, again = journal.left()
        rate = _rate(run, finished, journal.last_record(run.run_id), running) if run else 0.0
        return Standing(
            output=output,
            counts=journal.counts(),
            run=run,
            running=running,
            owner=read_owner(output) if running else None,
            finished=finished,
            left=left,
            again=again,
            rate=rate,
            seconds_left=left / rate if running and rate else None,
            begun=tuple(_begun(journal)),
        )


def _begun(journal: Journal) -> Iterator[Unfinished]:
    for key, kind, done, frames, seconds in in_pieces(journal):
        yield Unfinished(key, kind, done, frames, (frames - done) * seconds / done if done else None)


def of_statuses(output: Path, statuses: Collection[str]) -> Iterator[tuple[str, str]]:
    """Yield key and reason of the items of these statuses, by key."""
    with Journal(output, read_only=True) as journal:
        for row in journal.rows():
            if row.status in statuses:
                yield row.key, row.reason


def _rate(run: Run, finished: int, last: str, running: bool) -> float:
    try:
        end = datetime.now(UTC) if running else datetime.fromisoformat(run.finished_at or last or run.started_at)
        seconds = (end - datetime.fromisoformat(run.started_at)).total_seconds()
    except (ValueError, TypeError):  # somebody has changed a time: the rest is still worth telling
        return 0.0
    return finished / seconds if seconds > 0 else 0.0


def status_lines(standing: Standing) -> Iterator[str]:
    """Yield the status as a table for a person."""
    for name, count in standing.counts.items():
        yield f"{name:<12} {count:>9,}"
    if standing.left:
        again = f" ({standing.again:,} of them anew, counted above as they were)" if standing.again else ""
        yield f"{'left':<12} {standing.left:>9,}{again}"
    yield f"{'in all':<12} {sum(standing.counts.values()) + standing.left - standing.again:>9,}"
    yield from map(_begun_line, standing.begun)
    run = standing.run
    if run is None:
        yield "No run has begun here."
        return
    if standing.running:
        owner = f" (process {standing.owner.pid} on {standing.owner.host})" if standing.owner else ""
        yield f"Running since {run.started_at}{owner}."
        if standing.seconds_left is not None:
            yield f"About {standing.seconds_left / 60:,.0f} min left at {standing.rate:.2f} files/s."
    elif run.exit_code is None:
        yield f"The run of {run.started_at} was cut short; the same command goes on from here."
    else:
        yield f"The last run ended {run.finished_at} with exit code {run.exit_code}."


def _begun_line(item: Unfinished) -> str:
    called = "frames" if item.kind == Kind.FILM else "pages"
    line = f"{item.key}: {item.done:,} of {item.frames:,} {called}"
    if item.work_left is None:
        return line
    return f"{line}, about {_span(item.work_left)} of one worker left"


def _span(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:,.0f} min"


def status_json(standing: Standing) -> str:
    """Return the status as one JSON object; times are ISO 8601 in UTC, rates in files a second."""
    return json.dumps(asdict(standing) | {"output": readable(str(standing.output))}, indent=2, ensure_ascii=True)
