"""The journal: what became of every item, in SQLite, written by the driver alone and readable while it runs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence, Set
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from pipeline.archive.caseless import is_one
from pipeline.archive.claims import CLAIM, Claims
from pipeline.archive.row import COLUMNS, RECORD, RECOVERED, SELECT, Row, row_of
from pipeline.archive.runs import now
from pipeline.archive.spelling import escape, unescape
from pipeline.ground import shelf
from pipeline.ground.errors import Cause
from pipeline.ground.items import KEPT, MADE, Filed, Kind, Result, Status

_KNOWN = (
    "SELECT items.key, status, kind, cause, reason, fingerprint, output, output_size, source_size, source_mtime_ns, "
    "source_sha256, run_id, output_sha256, output_mtime_ns, was FROM "
)


# What claims and row say of an item before it is recorded; NULL where there is none.
_STANDS = (
    "SELECT claims.output, claims.copy_output, claims.source_size, claims.source_mtime_ns, items.status, items.output, "
    "items.output_size, items.output_sha256 FROM (SELECT ? AS key) AS one LEFT JOIN claims ON claims.key = one.key "
    "LEFT JOIN items ON items.key = one.key"
)
# Of a claim whose names stay: their indexes are not written.
_MADE = (
    "UPDATE claims SET run_id = ?, pending = 0, source_size = 0, source_mtime_ns = 0, kind = ?, stood = '' "
    "WHERE key = ?"
)

LEFT = "left "  # a fact: an output whose item failed since, as it was written, with its place


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


class Journal(Claims):
    """Items, claims and runs; see `Database` for how it is opened, and what it raises."""

    def record(self, result: Result, *, kind: Kind, fingerprint: str, run_id: str) -> Filed | None:
        """Write what became of one item; from then on only the names that lie in OUTPUT for it stay claimed.

        Returns:
            What an earlier run made of the item under another name that is nobody else's now, or None.
        """
        return self.record_all([(result, kind, fingerprint)], run_id=run_id)[0]

    def record_all(self, ended: Sequence[tuple[Result, Kind, str]], *, run_id: str) -> list[Filed | None]:
        """As `record`, of several in one step: results, kinds and fingerprints. All are written, or none."""
        with self.transaction():
            earlier = [self.put(each, kind=kind, fingerprint=by, run_id=run_id) for each, kind, by in ended]
            for result, _, _ in ended:
                if result.cause is Cause.IN_THE_WAY:  # a worker met it: it came since the plan, and is somebody's
                    self.db.execute("DELETE FROM claims WHERE key = ?", (result.key,))
        return earlier

    def put(self, result: Result, *, kind: Kind, fingerprint: str, run_id: str) -> Filed | None:
        """As `record`, inside a `transaction` of the caller."""
        place = result.filed.place if result.filed else ""
        output = escape(place)
        values = row_of(result, output=output, kind=kind, fingerprint=fingerprint, finished_at=now(), run_id=run_id)
        values["output_mtime_ns"] = shelf.time_of(self.output, result.filed) if result.filed else 0
        with self.speaking():
            stands = self.db.execute(_STANDS, (result.key,)).fetchone()
            claimed, found, (status, made, made_size, digest) = stands[:2], stands[2:4], stands[4:]
            if not values["source_mtime_ns"] and None not in found:
                # Its worker died, or never got at the source: that it failed holds for what was found.
                values["source_size"], values["source_mtime_ns"] = found
            other = made not in (None, "", output) and status in KEPT
            earlier = Filed(unescape(made), made_size, digest) if other else None
            self.db.execute(RECORD, [values[name] for name in COLUMNS])
            if not output:
                self._narrow(result.key, claimed)
                if earlier is not None:
                    self.put_fact(f"{LEFT}{made}", json.dumps([made_size, digest]))
                return None
            older = self._older(claimed, {output, made})
            if claimed == (output, older):
                self.db.execute(_MADE, (run_id, kind, result.key))
            else:
                self.db.execute(CLAIM, (result.key, output, older, run_id, 0, 0, 0, kind, ""))
            self.drop_fact(f"{LEFT}{output}")
            kept = earlier is not None and (self.owners(earlier.place) or is_one(self.output, earlier.place, place))
        return None if kept else earlier

    def _older(self, claimed: Sequence[str | None], known: Set[str | None]) -> str:
        """Return a claimed name under which something of ours lies that no row has any more, or nothing.

        Such as the copy of a picture that was skipped since. What the row has is removed; see `remove_superseded`.
        """
        for name in claimed:
            if name and name not in known and shelf.is_taken(self.output, unescape(name)):
                return name
        return ""

    def _narrow(self, key: str, claimed: Sequence[str | None]) -> None:
        # What lies at a claimed name now is left over from us. A name still free may be taken by its owner's own
        # hand ("I coloured the broken one myself"), so it is ours no more.
        left = [name if name and shelf.is_taken(self.output, unescape(name)) else "" for name in claimed]
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
        """Yield the items of sources that were there and settled: made, or not wanted."""
        with self.speaking():
            for found in self.db.execute(f"{_KNOWN} items WHERE status IN ('done', 'copied', 'edited', 'rejected')"):
                yield Known(*found)

    def displace(self, keys: Iterable[str]) -> None:
        """Say under which keys other sources are found than were: what was known of them may go elsewhere."""
        with self.speaking():
            for table in ("displaced", "housed"):
                self.db.execute(f"CREATE TEMP TABLE IF NOT EXISTS {table} (key TEXT PRIMARY KEY) WITHOUT ROWID")
                self.db.execute(f"DELETE FROM {table}")
            self.db.executemany("INSERT INTO displaced VALUES (?)", ((key,) for key in keys))

    def house(self, key: str) -> None:
        """Say that an item is homeless no more; after `displace`."""
        with self.speaking():
            self.db.execute("INSERT OR IGNORE INTO housed VALUES (?)", (key,))

    def homeless(self, size: int, mtime_ns: int) -> Iterator[list[str]]:
        """Yield the keys of items that are to be done, of which nothing was known, and whose source has this size.

        First those of this time as well (who renames a file changes neither), then the others; a hundred at most.
        """
        query = (
            "SELECT key FROM claims WHERE pending AND source_size = ? AND source_mtime_ns {} ? AND "
            "(NOT EXISTS (SELECT 1 FROM items WHERE items.key = claims.key) OR key IN displaced) "
            "AND key NOT IN housed LIMIT 100"
        )
        for sort in ("=", "!="):
            with self.speaking():
                found = [key for (key,) in self.db.execute(query.format(sort), (size, mtime_ns))]
            yield found

    def twins(self, size: int, sha256: str) -> Iterator[Row]:
        """Yield the colorized items whose sources have, or had, this size and hash; no repeats first."""
        query = (  # "+": without it SQLite puts the hash into substr, and reads all rows of that size
            f"{SELECT} WHERE status IN ('done', 'gone') AND source_size = ? AND substr(source_sha256, 1, 8) = ? "
            "AND +source_sha256 = ? AND 'done' IN (status, was) "
            "AND NOT EXISTS (SELECT 1 FROM claims WHERE claims.key = items.key AND pending) "  # about to be replaced
            "ORDER BY CASE was WHEN '' THEN cause ELSE was_cause END, key LIMIT 100"
        )
        with self.speaking():
            for found in self.db.execute(query, (size, sha256[:8], sha256)).fetchall():
                yield Row(*found)

    def has_of_size(self, size: int) -> bool:
        """Tell whether a colorized item's source has, or had, this size."""
        query = "SELECT 1 FROM items WHERE status IN ('done', 'gone') AND source_size = ? LIMIT 1"
        with self.speaking():
            return self.db.execute(query, (size,)).fetchone() is not None

    def of_status(self, status: Status) -> Iterator[Known]:
        """Yield the items of one status, by key."""
        with self.speaking():
            for found in self.db.execute(f"{_KNOWN} items WHERE status = ? ORDER BY key", (status,)):
                yield Known(*found)

    def census(self, *, by_input: bool = False) -> list[tuple[str, str, int, int]]:
        """Count what is known to lie in INPUTs: run id, first part of the keys if `by_input`, items, those made."""
        head = "substr(key, 1, instr(key || '/', '/') - 1)" if by_input else "''"
        query = (
            f"SELECT run_id, {head}, count(*), sum(status IN ('done', 'copied', 'edited', 'rejected')) FROM items "
            "WHERE status NOT IN ('gone', 'vanished') GROUP BY 1, 2"
        )
        with self.speaking():
            return self.db.execute(query).fetchall()

    def mark(self, key: str, status: Status, reason: str, cause: Cause = Cause.NONE) -> None:
        """Say what became of a finished item's output or source; what was known of how it was made stays."""
        query = (
            "UPDATE items SET was = CASE WHEN status IN ('done', 'copied') THEN status ELSE was END, "
            "was_reason = CASE WHEN status IN ('done', 'copied') THEN reason ELSE was_reason END, "
            "was_cause = CASE WHEN status IN ('done', 'copied') THEN cause ELSE was_cause END, "
            "status = ?, reason = ?, cause = ? WHERE key = ?"
        )
        with self.speaking():
            self.db.execute(query, (status, reason, cause, key))
            self.db.execute("UPDATE claims SET pending = 0 WHERE key = ?", (key,))

    def unmark(self, key: str) -> None:
        """Say that a finished item is again as it was made."""
        with self.speaking():
            query = "UPDATE items SET status = was, reason = was_reason, cause = was_cause WHERE key = ? AND was != ''"
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

    def counts(self) -> dict[str, int]:
        """Return how many items have each status, by status."""
        query = "SELECT status, count(*) FROM items GROUP BY status ORDER BY status"
        with self.speaking():
            return dict(self.db.execute(query).fetchall())

    def doubtful(self) -> int:
        """Return of how many items it is doubtful whether they are in colour."""
        query = "SELECT count(*) FROM items WHERE unsure AND status IN ('done', 'copied', 'skipped')"
        with self.speaking():
            return int(self.db.execute(query).fetchone()[0])


def remove_superseded(earlier: Filed | None, output: Path) -> None:
    """Remove what an earlier run made of an item that now has an output of another name; after it was recorded.

    Only a file that is as it was written goes: one that somebody has worked on since stays.
    """
    if earlier is None:
        return
    with suppress(OSError):
        if shelf.look(output, earlier.place).st_size == earlier.size and (
            not earlier.sha256 or shelf.sha256(output, earlier.place) == earlier.sha256
        ):
            shelf.remove(output, earlier.place)
