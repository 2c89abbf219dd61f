"""Claims of the journal: the names in OUTPUT that are ours, and what is still to be done."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from pipeline.archive.runs import Runs
from pipeline.archive.schema import Claim
from pipeline.archive.spelling import escape, unescape
from pipeline.ground.items import Kind, StoodAt

CLAIM = (
    "INSERT OR REPLACE INTO claims (key, output, copy_output, run_id, pending, source_size, source_mtime_ns, kind, "
    "stood) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_OWNERS = (
    "SELECT key FROM claims WHERE output = :name AND output != '' UNION "
    "SELECT key FROM claims WHERE copy_output = :name AND copy_output != '' UNION "
    "SELECT key FROM items WHERE output = :name AND output != ''"
)


def _stood(said: str) -> StoodAt:
    output, copy = json.loads(said) if said else (None, None)
    return output and (output[0], output[1]), copy and (copy[0], copy[1])


class Claims(Runs):
    """The part of the `Journal` that knows claims."""

    def claim(self, claim: Claim, *, run_id: str) -> None:
        """Say that files of these names are about to be written for an item; see `dispossess`."""
        output = escape(claim.output)
        copy_output = escape(claim.copy_output) if claim.copy_output != claim.output else ""  # said once, indexed once
        with self.speaking():
            stood = json.dumps(claim.stood) if any(claim.stood) else ""
            values = (claim.key, output, copy_output, run_id, 1, claim.size, claim.mtime_ns, claim.kind, stood)
            self.db.execute(CLAIM, values)

    def dispossess(self, run_id: str) -> None:
        """Take names that a run has claimed from other items, but for those whose outputs are about to move.

        Their rows are kept as `vanished`; what is not wanted stays so.
        """
        query = " UNION ".join(
            f"SELECT other.key, mine.{name}, mine.key FROM claims mine CROSS JOIN {table} other ON other.{has} = "
            f"mine.{name} AND other.{has} != '' AND other.key != mine.key WHERE mine.pending AND mine.run_id = ? "
            f"AND other.key NOT IN (SELECT key FROM moves) {also}"
            for table, has in (("items", "output"), ("claims", "output"), ("claims", "copy_output"))
            for name, also in (("output", ""), ("copy_output", "AND mine.copy_output != mine.output"))
        )
        with self.speaking():
            for other, name, key in self.db.execute(query, (run_id,) * 6).fetchall():
                self.take_name(other, name, key)

    def claimed(self, key: str) -> tuple[str, str]:
        """Return the names that are claimed for an item, escaped: of its output, and of a copy."""
        query = "SELECT output, copy_output FROM claims WHERE key = ?"
        with self.speaking():
            output, copy_output = self.db.execute(query, (key,)).fetchone()
        return str(output), str(copy_output or output)

    def keep(self, key: str) -> None:
        """Let an item that was to be done stay as it is."""
        query = (
            "UPDATE claims SET pending = 0, copy_output = '', output = (SELECT output FROM items WHERE key = ?1) "
            "WHERE key = ?1"
        )
        with self.speaking():
            self.db.execute(query, (key,))

    def settle(self, key: str) -> None:
        """Let nothing be left to do with an item that a run had begun and that is as it should be; its names stay."""
        with self.speaking():
            self.db.execute("UPDATE claims SET pending = 0 WHERE key = ? AND pending", (key,))

    def withdraw(self, key: str, run_id: str) -> bool:
        """Take back what a run has claimed for an item; return whether it had."""
        query = "DELETE FROM claims WHERE key = ? AND run_id = ? AND pending"
        with self.speaking():
            return self.db.execute(query, (key, run_id)).rowcount > 0

    def take_name(self, other: str, name: str, key: str) -> None:
        """Let an item lose the name of its output to that of another key."""
        reason = f"gone, and its output now belongs to {key}"
        query = (
            "UPDATE items SET output = '', reason = CASE status WHEN 'rejected' THEN reason ELSE ? END, "
            "status = CASE status WHEN 'rejected' THEN status ELSE 'vanished' END WHERE key = ? AND output = ?"
        )
        self.db.execute(query, (reason, other, name))
        self.db.execute("UPDATE claims SET output = '' WHERE key = ? AND output = ?", (other, name))
        self.db.execute("UPDATE claims SET copy_output = '' WHERE key = ? AND copy_output = ?", (other, name))

    def claims(self, run_id: str) -> Iterator[Claim]:
        """Yield what a run is to do, by key; other things may be recorded meanwhile."""
        query = (
            "SELECT key, kind, output, copy_output, source_size, source_mtime_ns, stood, source_size > 0 AND ("
            "EXISTS (SELECT 1 FROM claims other WHERE pending AND other.source_size = claims.source_size "
            "AND other.key != claims.key) OR EXISTS (SELECT 1 FROM items WHERE status IN ('done', 'gone') "
            "AND items.source_size = claims.source_size AND items.key != claims.key)) "
            "FROM claims WHERE pending AND run_id = ? AND key > ? ORDER BY key LIMIT 256"
        )
        last = ""
        while True:
            with self.speaking():
                found = self.db.execute(query, (run_id, last)).fetchall()
            for key, kind, output, copy_output, size, mtime_ns, stood, company in found:
                names = (unescape(output), unescape(copy_output or output))
                yield Claim(key, Kind(kind), *names, size, mtime_ns, bool(company), _stood(stood))
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
            return {key for (key,) in self.db.execute(_OWNERS, {"name": escape(output)})}
