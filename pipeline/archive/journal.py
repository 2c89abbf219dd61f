"""The journal: what became of every item, in SQLite, written by the driver alone and readable while it runs."""

from __future__ import annotations

import json
import os
import socket
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.archive.database import Database
from pipeline.archive.row import COLUMNS, RECORD, RECOVERED, SELECT, Row, row_of
from pipeline.archive.schema import Claim, Run
from pipeline.archive.spelling import escape, unescape
from pipeline.ground import inside
from pipeline.ground.items import DOUBTFUL, KEPT, MADE, Filed, Kind, Result, Status

_KNOWN = (
    "SELECT items.key, status, kind, cause, reason, fingerprint, output, output_size, source_size, source_mtime_ns, "
    "source_sha256, run_id, output_sha256, output_mtime_ns, was FROM "
)
_CLAIM = (
    "INSERT OR REPLACE INTO claims (key, output, copy_output, run_id, pending, source_size, source_mtime_ns, kind) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)
_OWNERS = (
    "SELECT key FROM claims WHERE output = ?1 AND output != '' UNION "
    "SELECT key FROM claims WHERE copy_output = ?1 AND copy_output != '' UNION "
    "SELECT key FROM items WHERE output = ?1 AND output != ''"
)


class Known(NamedTuple):
    """What a plan asks of an item that an earlier run recorded; fields as in `Row`, plain texts."""

    key: str
    status: str
    kind: str
    cause: str
    reason: str
    fingerprint: str
    output: str
    output_size: int
    source_size: int
    source_mtime_ns: int
    source_sha256: str
    run_id: str
    output_sha256: str
    output_mtime_ns: int
    was: str

    @property
    def made_as(self) -> str:
        """What it was when it was made: done or copied."""
        return self.status if self.status in MADE else self.was


def now() -> str:
    """Return the time as ISO 8601 in UTC, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def input_spelling(inputs: Sequence[Path]) -> tuple[str, ...]:
    """Return the real paths of INPUTs in valid UTF-8, sorted: what two runs over the same INPUTs have in common."""
    return tuple(sorted({escape(str(path.resolve())) for path in inputs}))


class Journal(Database):
    """Items, claims and runs; see `Database` for how it is opened, and what it raises."""

    def record(self, result: Result, *, kind: Kind, fingerprint: str, run_id: str) -> Filed | None:
        """Write what became of one item; from then on only the names that lie in OUTPUT for it stay claimed.

        Returns:
            What an earlier run made of the item under another name that is nobody else's now, or None.
        """
        with self.transaction():
            return self.put(result, kind=kind, fingerprint=fingerprint, run_id=run_id)

    def put(self, result: Result, *, kind: Kind, fingerprint: str, run_id: str) -> Filed | None:
        """As `record`, inside a `transaction` of the caller."""
        output = escape(result.filed.place) if result.filed else ""
        values = row_of(result, output=output, kind=kind, fingerprint=fingerprint, finished_at=now(), run_id=run_id)
        values["output_mtime_ns"] = self._time_of(result.filed)
        with self.speaking():
            if not values["source_mtime_ns"]:
                # Its worker died, or never got at the source: that it failed holds for what was found.
                query = "SELECT source_size, source_mtime_ns FROM claims WHERE key = ?"
                found = self.db.execute(query, (result.key,)).fetchone()
                if found is not None:
                    values["source_size"], values["source_mtime_ns"] = found
            earlier = self._earlier(result.key, output) if output else None
            older = self._older(result.key, output) if output else ""
            self.db.execute(RECORD, [values[name] for name in COLUMNS])
            if output:
                self.db.execute(_CLAIM, (result.key, output, older, run_id, 0, 0, 0, kind))
            else:
                self._narrow(result.key)
            if earlier is not None and self.owners(earlier.place):
                return None
        return earlier

    def _time_of(self, filed: Filed | None) -> int:
        if filed is not None:
            with suppress(OSError):
                found = inside.look(self.output, filed.place)
                return found.st_mtime_ns if found.st_size == filed.size else 0
        return 0

    def _earlier(self, key: str, output: str) -> Filed | None:
        query = "SELECT status, output, output_size, output_sha256 FROM items WHERE key = ? AND output NOT IN ('', ?)"
        found = self.db.execute(query, (key, output)).fetchone()
        return Filed(unescape(found[1]), found[2], found[3]) if found and found[0] in KEPT else None

    def _older(self, key: str, output: str) -> str:
        """Return another claimed name under which something of ours lies that no row has any more, or nothing.

        Such as the copy of a picture that was skipped since. What the row has is removed; see `remove_superseded`.
        """
        query = (
            "SELECT claims.output, claims.copy_output, coalesce(items.output, '') "
            "FROM claims LEFT JOIN items USING (key) WHERE key = ?"
        )
        *claimed, made = self.db.execute(query, (key,)).fetchone() or ("",)
        for name in claimed:
            if name not in ("", output, made) and os.path.lexists(self.output / unescape(name)):
                return str(name)
        return ""

    def _narrow(self, key: str) -> None:
        # What lies at a claimed name now is left over from us. A name still free may be taken by its owner's own
        # hand ("I coloured the broken one myself"), so it is ours no more.
        found = self.db.execute("SELECT output, copy_output FROM claims WHERE key = ?", (key,)).fetchone()
        if found is None:
            return
        left = [name if name and os.path.lexists(self.output / unescape(name)) else "" for name in found]
        if any(left):
            query = "UPDATE claims SET output = ?, copy_output = ?, pending = 0 WHERE key = ?"
            self.db.execute(query, (*left, key))
        else:
            self.db.execute("DELETE FROM claims WHERE key = ?", (key,))

    def row(self, key: str) -> Row | None:
        """Return the item, or None."""
        with self.speaking():
            found = self.db.execute(f"{SELECT} WHERE key = ?", (key,)).fetchone()
        return Row(*found) if found else None

    def rows(self) -> Iterator[Row]:
        """Yield all items by key; nothing may be recorded while they are drawn."""
        with self.speaking():
            for found in self.db.execute(f"{SELECT} ORDER BY key"):
                yield Row(*found)

    def known(self, keys: Sequence[str]) -> dict[str, Known]:
        """Return what there is of these items, by key."""
        query = f"{_KNOWN} json_each(?) CROSS JOIN items ON items.key = json_each.value"
        with self.speaking():
            return {found[0]: Known(*found) for found in self.db.execute(query, (json.dumps(keys),))}

    def unsettled(self) -> Iterator[Known]:
        """Yield the items that are neither made nor gone."""
        query = f"{_KNOWN} items WHERE status NOT IN ('done', 'copied', 'vanished', 'edited', 'gone', 'rejected')"
        with self.speaking():
            for found in self.db.execute(query):
                yield Known(*found)

    def forget(self, keys: Iterable[str]) -> None:
        """Drop items and what they claim, inside a `transaction` of the caller or each for itself."""
        with self.speaking():
            for key in keys:
                for table in ("items", "claims"):
                    self.db.execute(f"DELETE FROM {table} WHERE key = ?", (key,))

    def made(self) -> Iterator[Known]:
        """Yield the items that have, or had, an output."""
        with self.speaking():
            for found in self.db.execute(f"{_KNOWN} items WHERE status IN ('done', 'copied', 'edited')"):
                yield Known(*found)

    def unknown_of_size(self, size: int) -> list[str]:
        """Return the keys of items that are to be done for the first time and have a source of this size."""
        query = (
            "SELECT key FROM claims WHERE pending AND source_size = ? "
            "AND NOT EXISTS (SELECT 1 FROM items WHERE items.key = claims.key) LIMIT 100"
        )
        with self.speaking():
            return [key for (key,) in self.db.execute(query, (size,))]

    def of_status(self, status: Status) -> Iterator[Known]:
        """Yield the items of one status, by key."""
        with self.speaking():
            for found in self.db.execute(f"{_KNOWN} items WHERE status = ? ORDER BY key", (status,)):
                yield Known(*found)

    def census(self, *, by_input: bool = False) -> list[tuple[str, str, int, int]]:
        """Count what is known to lie in INPUTs: run id, first part of the keys if `by_input`, items, those made."""
        head = "substr(key, 1, instr(key || '/', '/') - 1)" if by_input else "''"
        query = (
            f"SELECT run_id, {head}, count(*), sum(status IN ('done', 'copied', 'edited')) FROM items "
            "WHERE status NOT IN ('gone', 'vanished') GROUP BY 1, 2"
        )
        with self.speaking():
            return self.db.execute(query).fetchall()

    def mark(self, key: str, status: Status, reason: str) -> None:
        """Say what became of a finished item's output or source; what was known of how it was made stays."""
        query = (
            "UPDATE items SET was = CASE WHEN status IN ('done', 'copied') THEN status ELSE was END, "
            "was_reason = CASE WHEN status IN ('done', 'copied') THEN reason ELSE was_reason END, "
            "status = ?, reason = ? WHERE key = ?"
        )
        with self.speaking():
            self.db.execute(query, (status, reason, key))
            self.db.execute("UPDATE claims SET pending = 0 WHERE key = ?", (key,))

    def unmark(self, key: str) -> None:
        """Say that a finished item is again as it was made."""
        with self.speaking():
            query = "UPDATE items SET status = was, reason = was_reason WHERE key = ? AND was != ''"
            self.db.execute(query, (key,))

    def adopt(self, key: str, sizes: tuple[int, int, int], *, fingerprint: str, run_id: str) -> None:
        """Take over the source's size and time and the output's time: by their contents they are the same.

        What was taken back from a manifest counts as made by this run's settings from then on.
        """
        query = "UPDATE items SET source_size = ?, source_mtime_ns = ?, output_mtime_ns = ? WHERE key = ?"
        known = "UPDATE items SET fingerprint = ?, run_id = ? WHERE key = ? AND fingerprint = ?"
        with self.speaking():
            self.db.execute(query, (*sizes, key))
            self.db.execute(known, (fingerprint, run_id, key, RECOVERED))

    def claim(self, claim: Claim, *, run_id: str) -> None:
        """Say that files of these names are about to be written for an item.

        Where a name was another item's, that one loses it: its row is kept as `vanished`.
        """
        names = (escape(claim.output), escape(claim.copy_output))
        with self.speaking():
            for name in dict.fromkeys(names):
                for (other,) in self.db.execute(_OWNERS, (name,)).fetchall():
                    if other != claim.key:
                        self._dispossess(other, name, claim.key)
            values = (claim.key, *names, run_id, 1, claim.size, claim.mtime_ns, claim.kind)
            self.db.execute(_CLAIM, values)

    def _dispossess(self, other: str, name: str, key: str) -> None:
        reason = f"gone, and its output now belongs to {key}"
        query = "UPDATE items SET status = 'vanished', reason = ?, output = '' WHERE key = ? AND output = ?"
        self.db.execute(query, (reason, other, name))
        self.db.execute("UPDATE claims SET output = '' WHERE key = ? AND output = ?", (other, name))
        self.db.execute("UPDATE claims SET copy_output = '' WHERE key = ? AND copy_output = ?", (other, name))

    def claims(self, run_id: str) -> Iterator[Claim]:
        """Yield what a run is to do, by key; other things may be recorded meanwhile."""
        query = (
            "SELECT key, kind, output, copy_output, source_size, source_mtime_ns FROM claims "
            "WHERE pending AND run_id = ? AND key > ? ORDER BY key LIMIT 256"
        )
        last = ""
        while True:
            with self.speaking():
                found = self.db.execute(query, (run_id, last)).fetchall()
            for key, kind, output, copy_output, size, mtime_ns in found:
                yield Claim(key, Kind(kind), unescape(output), unescape(copy_output), size, mtime_ns)
            if not found:
                return
            last = found[-1][0]

    def pending_runs(self, keys: Sequence[str]) -> dict[str, str]:
        """Return key and run id of those of these items that were begun (or waited to be) and never recorded."""
        query = "SELECT claims.key, run_id FROM json_each(?) CROSS JOIN claims ON claims.key = value WHERE pending"
        with self.speaking():
            return dict(self.db.execute(query, (json.dumps(keys),)))

    def never_recorded(self) -> Iterator[tuple[str, str]]:
        """Yield key and run id of all items that were begun and have no row."""
        query = (
            "SELECT key, run_id FROM claims WHERE pending "
            "AND NOT EXISTS (SELECT 1 FROM items WHERE items.key = claims.key)"
        )
        with self.speaking():
            yield from self.db.execute(query)

    def left(self) -> tuple[int, int]:
        """Return how many items were begun and never recorded, and how many of them an earlier run had recorded."""
        query = "SELECT count(*), count(items.key) FROM claims LEFT JOIN items USING (key) WHERE pending"
        with self.speaking():
            left, again = self.db.execute(query).fetchone()
        return int(left), int(again)

    def owners(self, output: str) -> set[str]:
        """Return the keys of the items for which we wrote, or may have written, this file.

        Args:
            output: relative to OUTPUT, as the system spells it; not empty.
        """
        with self.speaking():
            return {key for (key,) in self.db.execute(_OWNERS, (escape(output),))}

    def counts(self) -> dict[str, int]:
        """Return how many items have each status, by status."""
        query = "SELECT status, count(*) FROM items GROUP BY status ORDER BY status"
        with self.speaking():
            return dict(self.db.execute(query).fetchall())

    def doubtful(self) -> int:
        """Return of how many items it is doubtful whether they are in colour."""
        with self.speaking():
            return int(self.db.execute("SELECT count(*) FROM items WHERE instr(reason, ?)", (DOUBTFUL,)).fetchone()[0])

    def start_run(self, *, inputs: Sequence[Path], settings: Mapping[str, Any], fingerprint: str, version: str) -> str:
        """Write that a run begins and return its id: the time it began and a few random digits."""
        run_id = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{uuid.uuid4().hex[:6]}"
        places = json.dumps(input_spelling(inputs))
        values = (run_id, now(), "", places, json.dumps(dict(settings)), fingerprint, socket.gethostname(), os.getpid())
        with self.speaking():
            self.db.execute("INSERT INTO runs VALUES (?,?,?,?,?,?,?,?,?,NULL,0)", (*values, version))
        return run_id

    def planned(self, run_id: str, count: int) -> None:
        """Write how many items a run is to do."""
        with self.speaking():
            self.db.execute("UPDATE runs SET planned = ? WHERE run_id = ?", (count, run_id))

    def finish_run(self, run_id: str, exit_code: int) -> None:
        """Write that a run ended in good order."""
        with self.speaking():
            self.db.execute(
                "UPDATE runs SET finished_at = ?, exit_code = ? WHERE run_id = ?", (now(), exit_code, run_id)
            )

    def runs(self) -> dict[str, Run]:
        """Return all runs by id, in the order in which they began."""
        with self.speaking():
            found = self.db.execute("SELECT * FROM runs ORDER BY started_at, rowid").fetchall()
        return {row[0]: _run(row) for row in found}

    def last_run(self) -> Run | None:
        """Return the run that began last, or None."""
        with self.speaking():
            found = self.db.execute("SELECT * FROM runs ORDER BY started_at DESC, rowid DESC LIMIT 1").fetchone()
        return _run(found) if found else None

    def worked(self, run_id: str) -> int:
        """Return how many items of a run went through a worker; what its plan settled at once is not counted."""
        query = "SELECT count(*) FROM items WHERE run_id = ? AND (seconds > 0 OR status = 'crashed')"
        with self.speaking():
            return int(self.db.execute(query, (run_id,)).fetchone()[0])

    def film_speed(self) -> float | None:
        """Return seconds of work a megapixel of film, from the films that were done here; None where none was."""
        query = (
            "SELECT sum(seconds), sum(1.0 * frames * width * height) / 1e6 FROM items "
            "WHERE kind = 'film' AND status = 'done' AND frames > 0 AND seconds > 0"
        )
        with self.speaking():
            seconds, megapixels = self.db.execute(query).fetchone()
        return float(seconds / megapixels) if megapixels else None

    def last_record(self, run_id: str) -> str:
        """Return when the last item of a run was recorded; empty if none was."""
        query = "SELECT coalesce(max(finished_at), '') FROM items WHERE run_id = ?"
        with self.speaking():
            return str(self.db.execute(query, (run_id,)).fetchone()[0])


def _run(row: tuple[Any, ...]) -> Run:
    run_id, started_at, finished_at, inputs, settings, *rest = row
    return Run(run_id, started_at, finished_at, tuple(json.loads(inputs)), json.loads(settings), *rest)


def remove_superseded(earlier: Filed | None, output: Path) -> None:
    """Remove what an earlier run made of an item that now has an output of another name; after it was recorded.

    Only a file that is as it was written goes: one that somebody has worked on since stays.
    """
    if earlier is None:
        return
    with suppress(OSError):
        if inside.look(output, earlier.place).st_size == earlier.size and (
            not earlier.sha256 or inside.sha256(output, earlier.place) == earlier.sha256
        ):
            inside.remove(output, earlier.place)
