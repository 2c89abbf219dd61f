"""Finished pieces of items that are not finished yet: their rows in the journal, their part files in OUTPUT."""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass

from pipeline.archive.journal import Journal
from pipeline.archive.own import FOLDER
from pipeline.archive.spelling import escape, unescape
from pipeline.ground import inside
from pipeline.ground.errors import Cause
from pipeline.ground.items import MADE, Filed, Part, Result, Seen, Span, Status, Unit, part_of

_SCAN = -1
_RECORD = (
    "INSERT INTO pieces (key, number, start, stop, status, cause, part, part_size, part_sha256, seen, seconds, "
    "fingerprint, attempts) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (key, number) DO UPDATE SET "
    "status = excluded.status, cause = excluded.cause, part = excluded.part, part_size = excluded.part_size, "
    "part_sha256 = excluded.part_sha256, seen = excluded.seen, seconds = excluded.seconds, "
    "attempts = attempts + excluded.attempts"
)
_OF_ITEM = (
    "SELECT number, start, stop, status, part, part_size, part_sha256, seen, seconds, fingerprint FROM pieces "
    "WHERE key = ? ORDER BY number"
)
_FORGET = "DELETE FROM pieces WHERE key = ?"
_KEYS = "SELECT key, EXISTS (SELECT 1 FROM claims WHERE claims.key = pieces.key AND pending) FROM pieces GROUP BY key"
_FRAMES = (
    "SELECT pieces.key, claims.kind, sum((stop - start) * (pieces.status != '')), sum(stop - start), sum(seconds) "
    "FROM pieces JOIN claims USING (key) WHERE claims.pending AND number > ? "
    "GROUP BY pieces.key ORDER BY pieces.key"
)
_WAITING = ""  # the status of a piece that nobody has done yet


@dataclass(frozen=True, slots=True)
class Begun:
    """An item whose spans are known.

    Attributes:
        spans: all of them.
        parts: what is finished.
        scan: the file that the scan wrote, if it did.
        seconds: what the scan took.
    """

    spans: tuple[Span, ...]
    parts: tuple[Part, ...]
    scan: Filed | None = None
    seconds: float = 0.0


def parts_place(key: str) -> str:
    """Return the folder of an item's part files, relative to OUTPUT; keys can be too long or too odd for a name."""
    return f"{FOLDER}/parts/{hashlib.sha256(key.encode()).hexdigest()[:32]}"


class Pieces:
    """The pieces of a run's items."""

    def __init__(self, journal: Journal) -> None:
        """Take the journal, open to write."""
        self._journal = journal

    def begun(self, unit: Unit, fingerprint: str) -> Begun | None:
        """Return what an earlier run finished of an item, or None; what no longer fits is removed.

        Args:
            unit: of the item, as it was found now.
            fingerprint: of this run's settings for its kind.
        """
        mark = _mark(unit, fingerprint)
        with self._journal.speaking():
            rows = self._journal.db.execute(_OF_ITEM, (unit.key,)).fetchall()
        if not rows:
            return None
        if rows[0][0] != _SCAN or any(row[-1] != mark for row in rows):
            self.remove(unit.key)
            return None
        spans, parts = [], []
        for number, start, stop, status, place, size, digest, seen, seconds, _ in rows[1:]:
            span, filed = Span(number, start, stop), Filed(unescape(place), size, digest)
            spans.append(span)
            if status in MADE and self._is_whole(filed):
                parts.append(Part(span, Status(status), filed, Seen(**json.loads(seen)), seconds))
        scan = Filed(unescape(rows[0][4]), rows[0][5], rows[0][6]) if rows[0][4] else None
        if scan is not None and not self._is_whole(scan):
            self.remove(unit.key)
            return None
        return Begun(tuple(spans), tuple(parts), scan, rows[0][8])

    def _is_whole(self, filed: Filed) -> bool:
        try:
            return inside.look(self._journal.output, filed.place).st_size == filed.size
        except OSError:
            return False

    def scanned(self, unit: Unit, result: Result, fingerprint: str) -> Begun:
        """Record the spans of an item, in place of any that were known."""
        mark = _mark(unit, fingerprint)
        with self._journal.transaction():
            self._journal.db.execute(_FORGET, (unit.key,))
            self._put(unit.key, Span(_SCAN, 0, 0), result, mark)
            for span in result.spans:
                self._put(unit.key, span, None, mark)
        return Begun(result.spans, (), result.filed, result.seconds)

    def finished(self, unit: Unit, result: Result, fingerprint: str) -> Part:
        """Record a piece."""
        part = part_of(unit, result)
        with self._journal.transaction():
            self._put(unit.key, part.span, result, _mark(unit, fingerprint))
        return part

    def _put(self, key: str, span: Span, result: Result | None, mark: str) -> None:
        filed = result.filed if result else None
        place, size, digest = (escape(filed.place), filed.size, filed.sha256) if filed else ("", 0, "")
        told = (result.status, result.cause) if result else (_WAITING, Cause.NONE)
        seen = json.dumps(asdict(result.seen)) if result else ""
        seconds = result.seconds if result else 0.0
        values = (key, span.number, span.start, span.stop, *told, place, size, digest, seen, seconds, mark)
        self._journal.db.execute(_RECORD, (*values, int(result is not None)))

    def remove(self, key: str) -> None:
        """Forget an item's pieces and remove its part files: it is finished, or something else than it was."""
        with self._journal.speaking():
            self._journal.db.execute(_FORGET, (key,))
        inside.remove_tree(self._journal.output, parts_place(key))

    def sweep(self) -> None:
        """Remove the part files of items that are not to be done any more."""
        with self._journal.speaking():
            to_do = dict(self._journal.db.execute(_KEYS))
        for key in to_do:
            if not to_do[key]:
                self.remove(key)
        self._remove_folders({parts_place(key) for key in to_do if to_do[key]})

    def _remove_folders(self, kept: set[str]) -> None:
        parts = f"{FOLDER}/parts"
        with suppress(OSError), inside.opened(self._journal.output, parts) as folder:  # not there, mostly
            places = [f"{parts}/{each.name}" for each in os.scandir(folder)]
            for place in places:
                if place not in kept:
                    inside.remove_tree(self._journal.output, place)


def in_pieces(journal: Journal) -> list[tuple[str, str, int, int, float]]:
    """Return of each item that is not finished: key, kind, frames done, frames in all, seconds of those done."""
    with journal.speaking():
        return journal.db.execute(_FRAMES, (_SCAN,)).fetchall()


def _mark(unit: Unit, fingerprint: str) -> str:
    """Return what a piece depends on: the settings and the very file."""
    return f"{fingerprint}:{unit.size}:{unit.mtime_ns}"
