"""An OUTPUT whose journal is lost or damaged: its checked copy put back, the rest taken from the manifest by sha256."""

from __future__ import annotations

import csv
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

from pipeline.archive.database import journal_path
from pipeline.archive.journal import Journal
from pipeline.archive.lock import hold
from pipeline.archive.manifest import check_manifest, write_manifest
from pipeline.archive.own import COPY, FOLDER, MANIFEST, check_own
from pipeline.archive.row import COLUMNS, RECORD, RECOVERED, UNKNOWN_SIZE
from pipeline.archive.spelling import uncell, unescape
from pipeline.ground import inside
from pipeline.ground.errors import OutputError
from pipeline.ground.items import KEPT, Kind, Status

_NUMBERS: Final = {"chroma": float, "width": int, "height": int, "bits": int, "frames": int, "seconds": float}


_NO_TEXT: Final = "\ufffd"
_MOST: Final = 2**53
_OF_A_RUN: Final = 3  # its row is made, told how much was planned, and finished


class Recovered(NamedTuple):
    """What was taken back: rows of the journal's copy, outputs of the manifest, and those that were not as written."""

    from_copy: int
    from_manifest: int
    changed: int


def check_lost(output: Path) -> None:
    """Raise `OutputError` where OUTPUT was filled by earlier runs and its journal is gone."""
    if journal_path(output).exists():
        return
    if (output / FOLDER / COPY).exists() or next(_finished(output), None):
        raise OutputError(
            f"{output} holds finished outputs and no journal: `colorize recover {output}` takes them back. To begin "
            f"anew, move {MANIFEST} and {FOLDER} away."
        )


def recover(output: Path) -> Recovered:
    """Make the journal of OUTPUT anew; what is damaged and the old manifest are kept beside it.

    Raises:
        OutputError: the journal is whole, or there is nothing to take back.
    """
    check_own(output)
    check_manifest(output)
    if not (output / FOLDER / COPY).exists() and not next(_finished(output), None):
        raise OutputError(f"{output} holds neither a copy of a journal nor a manifest of finished outputs.")
    if _is_whole(output):
        raise OutputError(f"The journal of {output} is whole: there is nothing to take back.")
    with hold(output):
        _set_aside(output)
        from_copy = _put_back(output)
        with Journal(output) as journal:
            taken, changed = _take_back(journal, output)
            write_manifest(journal, output)
    return Recovered(from_copy, taken, changed)


def _is_whole(output: Path) -> bool:
    try:
        with Journal(output, read_only=True) as journal:
            return bool(journal.counts())
    except OutputError:
        return False


def _set_aside(output: Path) -> None:
    mark = f"{datetime.now(UTC):%Y%m%dT%H%M%S}"
    path = journal_path(output)
    for suffix in ("", "-wal", "-shm"):
        old = path.with_name(path.name + suffix)
        with suppress(FileNotFoundError):
            old.rename(path.with_name(f"journal.damaged-{mark}.sqlite{suffix}"))
    with suppress(FileNotFoundError):
        shutil.copyfile(output / MANIFEST, output / FOLDER / f"manifest.{mark}.csv")


def _put_back(output: Path) -> int:
    path, copy = journal_path(output), output / FOLDER / COPY
    if not copy.exists():
        return 0
    shutil.copyfile(copy, path)
    try:
        with Journal(output) as journal:
            return sum(journal.counts().values())
    except OutputError:
        path.unlink()
        return 0


def _finished(output: Path) -> Iterator[dict[str, str]]:
    """Yield the rows of the manifest that name an output and its hash."""
    path = output / MANIFEST
    with suppress(FileNotFoundError), path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        for cells in _lines(csv.DictReader(file)):
            row = {name: uncell(text) for name, text in cells.items() if name and isinstance(text, str)}
            named = row.get("source") and row.get("output") and row.get("output_sha256")
            if named and row.get("status") in KEPT:
                yield row


def _lines(reader: csv.DictReader[str]) -> Iterator[dict[str, Any]]:
    """Yield a damaged manifest's lines as far as it can be read; what is no text in them names nothing."""
    with suppress(csv.Error):
        for cells in reader:
            if not any(_NO_TEXT in text for text in cells.values() if isinstance(text, str)):
                yield cells


def _take_back(journal: Journal, output: Path) -> tuple[int, int]:
    taken = changed = 0
    with journal.transaction(durable=True):
        for row in _finished(output):
            if journal.row(row["source"]) is not None:
                continue
            values = _values(row, output)
            if values is None:
                changed += 1
                continue
            taken += 1
            journal.db.execute(RECORD, [values[name] for name in COLUMNS])
            claim = "INSERT OR REPLACE INTO claims VALUES (?, ?, '', '', 0, 0, 0, ?)"
            journal.db.execute(claim, (row["source"], row["output"], row["kind"]))
    return taken, changed


def _values(row: dict[str, str], output: Path) -> dict[str, Any] | None:
    """Return a row of the journal, or None where the output is not what was written."""
    place = unescape(row["output"])
    try:
        found = inside.look(output, place)
        if inside.sha256(output, place) != row["output_sha256"]:
            return None
    except OSError:
        return None
    try:
        numbers = {name: _number(kind(row.get(name) or 0)) for name, kind in _NUMBERS.items()}
        Kind(row.get("kind") or "")
    except ValueError:
        return None
    told = {name: value for name, value in row.items() if name in COLUMNS}
    made_as = Status.DONE if row.get("model") else Status.COPIED
    own = {
        "key": row["source"], "status": made_as, "cause": "in colour" if made_as is Status.COPIED else "",
        "source_size": UNKNOWN_SIZE, "source_mtime_ns": 0, "output_size": found.st_size,
        "output_mtime_ns": found.st_mtime_ns, "fingerprint": RECOVERED, "run_id": RECOVERED,
    }  # fmt: skip
    return dict.fromkeys(COLUMNS, "") | {"attempts": 1} | told | numbers | own


def _number(value: Any) -> Any:
    if not -_MOST < value < _MOST:  # also what is no number
        raise ValueError("no number that a journal holds")
    return value


def keep_copy(journal: Journal) -> None:
    """Leave a checked copy of the journal beside it; where that fails, the last one stays."""
    if journal.db.total_changes <= _OF_A_RUN and (journal.output / FOLDER / COPY).exists():
        return  # nothing but the run's own row was written: a million items need not be copied for that
    part = f"{COPY}.{os.getpid()}"
    with suppress(OSError, OutputError), inside.opened(journal.output, FOLDER) as folder:
        try:
            os.close(inside.create(part, folder))
            journal.copy_to(journal.path.with_name(part))
            os.replace(part, COPY, src_dir_fd=folder, dst_dir_fd=folder)
        finally:
            with suppress(FileNotFoundError):
                os.unlink(part, dir_fd=folder)
