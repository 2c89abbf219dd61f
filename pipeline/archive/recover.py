"""An OUTPUT whose journal is lost or damaged: its checked copy put back, the rest taken from the manifest by sha256."""

from __future__ import annotations

import csv
import os
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

from pipeline.archive.database import journal_path
from pipeline.archive.hints import NOT_WANTED
from pipeline.archive.journal import Journal
from pipeline.archive.lock import hold
from pipeline.archive.manifest import check_manifest, write_manifest
from pipeline.archive.outputs import EDITED_REASON
from pipeline.archive.own import COPY, FOLDER, JOURNAL, MANIFEST, check_own, resolved
from pipeline.archive.row import COLUMNS, RECORD, RECOVERED, UNKNOWN_SIZE, numbers_of
from pipeline.archive.spelling import uncell, unescape
from pipeline.archive.state import is_kept_here
from pipeline.ground import inside, shelf
from pipeline.ground.errors import Cause, OutputError
from pipeline.ground.items import DOUBTFUL, KEPT, MADE, Kind, Status

_OURS: Final = "ours"
_NO_TEXT: Final = "\ufffd"
_OF_A_RUN: Final = 3  # its row is made, told how much was planned, and finished


class Recovered(NamedTuple):
    """What was taken back: rows of the journal's copy, outputs of the manifest; edited, lost and unwanted ones."""

    from_copy: int
    from_manifest: int
    edited: int = 0
    missing: int = 0
    rejected: int = 0


def check_lost(output: Path) -> None:
    """Raise `OutputError` where OUTPUT was filled by earlier runs and its journal is gone, or nothing is left in it."""
    with suppress(OSError):
        if os.lstat(journal_path(output)).st_size:
            return
    if (output / FOLDER / COPY).exists() or next(_finished(output), None):
        raise OutputError(
            f"{shelf.name(output)} holds finished outputs and no journal: `colorize recover {shelf.typed(output)}` "
            f"takes them back. To begin anew, move {MANIFEST} and {FOLDER} away."
        )


def recover(output: Path, *, take_over: bool = False) -> Recovered:
    """Make the journal of OUTPUT anew; what is damaged and the old manifest are kept beside it.

    Args:
        output: OUTPUT.
        take_over: of one in a storage, the run of another host that has it is dead.

    Raises:
        LockedError: a run has it.
        OutputError: the journal is whole, or there is nothing to take back.
    """
    output = resolved(output)
    check_own(output)
    check_manifest(output)
    if shelf.of(output) is not None:
        return _recover_far(output, take_over=take_over)
    if not (output / FOLDER / COPY).exists() and not next(_finished(output), None):
        raise OutputError(f"{output} holds neither a copy of a journal nor a manifest of finished outputs.")
    if _is_whole(output):
        raise OutputError(f"The journal of {output} is whole: there is nothing to take back.")
    with hold(output):
        _set_aside(output)
        return _made_anew(output)


def _made_anew(output: Path) -> Recovered:
    from_copy = _put_back(output)
    with Journal(output) as journal:
        taken = _take_back(journal, output)
        write_manifest(journal, output)
        keep_copy(journal)
    return Recovered(from_copy, taken[_OURS], taken[Status.EDITED], taken[""], taken[Status.REJECTED])


def _recover_far(output: Path, *, take_over: bool) -> Recovered:
    """Bring the copy of the journal and the manifest from the storage, and make the journal of them."""
    if is_kept_here(output) and _is_whole(output):
        if not take_over:
            raise OutputError(f"The journal of {shelf.name(output)} is whole: there is nothing to take back.")
        with hold(output, take_over=True):
            return Recovered(0, 0)
    places = [place for place in (MANIFEST, f"{FOLDER}/{COPY}") if shelf.is_taken(output, place)]
    if not places:
        raise OutputError(f"{shelf.name(output)} holds neither a copy of a journal nor a manifest.")
    with hold(output, anew=True, take_over=take_over):
        _set_aside(output)
        for place in (MANIFEST, f"{FOLDER}/{COPY}"):
            with suppress(FileNotFoundError):
                inside.remove(output, place)
            if place in places:
                shelf.bring(output, place, output / place)
        return _made_anew(output)


def _is_whole(output: Path) -> bool:
    try:
        with Journal(output, read_only=True) as journal:
            return bool(journal.counts())
    except OutputError:
        return False


def _set_aside(output: Path) -> None:
    mark = _mark()
    path = journal_path(output)
    for suffix in ("", "-wal", "-shm"):
        old = path.with_name(path.name + suffix)
        with suppress(FileNotFoundError):
            old.rename(path.with_name(f"journal.damaged-{mark}.sqlite{suffix}"))
    _keep_manifest(output, mark)


def _keep_manifest(output: Path, mark: str) -> Path:
    kept = output / FOLDER / f"manifest.{mark}.csv"
    with suppress(FileNotFoundError):
        _copy(output, MANIFEST, kept.name)
    return kept


def keep_fuller_manifest(journal: Journal, output: Path) -> Path | None:
    """Keep a manifest that has more rows than the journal, before it is drawn anew; return where, or None."""
    try:
        with (output / MANIFEST).open("rb") as file:
            rows = sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(1 << 20), b"")) - 1
    except OSError:  # none there
        return None
    return _keep_manifest(output, _mark()) if rows > sum(journal.counts().values()) else None


def _mark() -> str:
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S}"


def _copy(output: Path, place: str, name: str) -> None:
    """Copy a file of OUTPUT into its folder of own files, where nothing may have that name: no link is followed."""
    with (
        os.fdopen(inside.read(output, place), "rb") as old,
        inside.opened(output, FOLDER) as folder,
        os.fdopen(inside.create(name, folder), "wb") as new,
    ):
        shutil.copyfileobj(old, new)


def _put_back(output: Path) -> int:
    path, copy = journal_path(output), output / FOLDER / COPY
    if not copy.exists():
        return 0
    _copy(output, f"{FOLDER}/{COPY}", JOURNAL)
    try:
        with Journal(output) as journal:
            return sum(journal.counts().values())
    except OutputError:
        path.unlink()
        return 0


def _finished(output: Path) -> Iterator[dict[str, str]]:
    """Yield the rows of the manifest that name an output and its hash, or what a person does not want."""
    path = output / MANIFEST
    with suppress(FileNotFoundError), path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        for cells in _lines(csv.DictReader(file)):
            row = {name: uncell(text) for name, text in cells.items() if name and isinstance(text, str)}
            named = row.get("source") and row.get("output") and row.get("output_sha256")
            if (named and row.get("status") in KEPT) or (row.get("source") and row.get("status") == Status.REJECTED):
                yield row


def _lines(reader: csv.DictReader[str]) -> Iterator[dict[str, Any]]:
    """Yield a damaged manifest's lines as far as it can be read; what is no text in them names nothing."""
    with suppress(csv.Error):
        for cells in reader:
            if not any(_NO_TEXT in text for text in cells.values() if isinstance(text, str)):
                yield cells


def _take_back(journal: Journal, output: Path) -> Counter[str]:
    taken: Counter[str] = Counter()
    with journal.transaction(durable=True):
        for row in _finished(output):
            known = journal.row(row["source"])
            if known is not None:  # from the copy, which is older than what was rejected since
                if row["status"] == Status.REJECTED != known.status and not _is_seen(output, known.output):
                    journal.mark(known.key, Status.REJECTED, row.get("reason", ""), _cause_of(row))
                    taken[Status.REJECTED] += 1
                continue
            values = _unwanted(row) if row["status"] == Status.REJECTED else _values(row, output)
            if values is None:
                taken[""] += 1
                continue
            taken[_OURS if values["status"] in MADE else values["status"]] += 1
            journal.db.execute(RECORD, [values[name] for name in COLUMNS])
            claim = "INSERT OR REPLACE INTO claims VALUES (?, ?, '', '', 0, 0, 0, ?, '')"
            journal.db.execute(claim, (row["source"], row["output"], row["kind"]))
    return taken


def _unwanted(row: dict[str, str]) -> dict[str, Any] | None:
    """Return the row of what a person does not want; its output is not there, or was theirs."""
    told = _told(row)
    if told is None:
        return None
    made_as = _made_as(row) if row.get("output_sha256") else ""
    reason = row.get("reason", "")
    return told | {"status": Status.REJECTED, "reason": reason, "cause": _cause_of(row), "was": made_as}


def _cause_of(row: dict[str, str]) -> Cause:
    """Return why an item is not wanted: a manifest says it in words alone."""
    return Cause.BY_HINT if row.get("reason", "") == NOT_WANTED else Cause.NONE


def _is_seen(output: Path, place: str) -> bool:
    """Tell whether an output is there for sure; of one that cannot be looked at, the manifest is believed."""
    try:
        return bool(shelf.look(output, unescape(place)))
    except OSError:
        return False


def _values(row: dict[str, str], output: Path) -> dict[str, Any] | None:
    """Return a row of the journal, or None where there is no output."""
    place = unescape(row["output"])
    try:
        found = shelf.look(output, place)
        edited = shelf.sha256(output, place) != row["output_sha256"]
    except OSError:
        return None
    told, made_as = _told(row), _made_as(row)
    if told is None:
        return None
    own: dict[str, Any] = {
        "status": made_as, "cause": Cause.IN_COLOUR if made_as is Status.COPIED else Cause.NONE,
        "output_size": found.st_size, "output_mtime_ns": found.st_mtime_ns,
    }  # fmt: skip
    if edited:  # what was written had a size that nobody knows any more
        own |= {"status": Status.EDITED, "was": made_as, "was_reason": row.get("reason", ""), "reason": EDITED_REASON}
        own |= {"was_cause": own["cause"], "cause": Cause.NONE}
        own["output_size"] = UNKNOWN_SIZE
    return told | own


def _made_as(row: dict[str, str]) -> Status:
    return Status.DONE if row.get("model") else Status.COPIED


def _told(row: dict[str, str]) -> dict[str, Any] | None:
    """Return what the manifest says of an item, as a row of the journal; None where it makes no sense."""
    try:
        numbers = numbers_of(row)
        Kind(row.get("kind") or "")
    except ValueError:
        return None
    told = {name: value for name, value in row.items() if name in COLUMNS}
    own = {
        "key": row["source"], "source_size": UNKNOWN_SIZE, "source_mtime_ns": 0, "output_size": 0, "output_mtime_ns": 0,
        "cause": "", "fingerprint": RECOVERED, "run_id": RECOVERED, "unsure": int(DOUBTFUL in row.get("reason", "")),
    }  # fmt: skip
    return dict.fromkeys(COLUMNS, "") | {"attempts": 1} | told | numbers | own


def keep_copy(journal: Journal, *, least: int = _OF_A_RUN + 1) -> None:
    """Leave a checked copy of the journal beside it; where that fails, the last one stays.

    Args:
        journal: what is copied.
        least: changes for which that is done. A run's own row is too little: a million items need not be copied for it.
    """
    if journal.db.total_changes < least and (journal.output / FOLDER / COPY).exists():
        return
    part = f"{COPY}.{os.getpid()}"
    with suppress(OSError, OutputError), inside.opened(journal.output, FOLDER) as folder:
        try:
            os.close(inside.create(part, folder))
            journal.copy_to(part, folder)
            os.replace(part, COPY, src_dir_fd=folder, dst_dir_fd=folder)
            shelf.mirror(journal.output, f"{FOLDER}/{COPY}")
        finally:
            with suppress(FileNotFoundError):
                os.unlink(part, dir_fd=folder)
