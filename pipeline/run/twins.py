"""Sources of the same bytes are coloured once: the others wait for the first, and get a copy of its output."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import PurePath

from pipeline.archive.journal import Journal
from pipeline.archive.outputs import Outputs, State
from pipeline.archive.row import Row
from pipeline.archive.spelling import unescape
from pipeline.ground.errors import Cause
from pipeline.ground.items import Filed, Kind, Seen, Twin, Unit, Verb


class Twins:
    """What is known of sources that were hashed because others have their size; only those at work are kept."""

    def __init__(self, journal: Journal, fingerprint: Callable[[Kind, str], str]) -> None:
        """Take the journal, and what the output of an item is made under, by kind and key."""
        self._journal, self._fingerprint = journal, fingerprint
        self._outputs = Outputs(journal.output, journal.elsewhere)
        self._first: dict[str, Unit] = {}  # by key, the first unit of what is looked at or made
        self._making: dict[str, str] = {}  # from key to hash
        self._waiting: dict[str, deque[Unit]] = {}  # by hash, behind the one that is made

    def look(self, unit: Unit) -> Unit:
        """Return what is to be done first with an item that has company of its size."""
        self._first[unit.key] = unit
        return replace(unit, verb=Verb.LOOK)

    def looked(self, key: str, sha256: str) -> list[Unit]:
        """Return what is to be done now with a source of this hash; nothing while another one of it is made."""
        unit = self._first.pop(key)
        if sha256 in self._waiting:
            self._waiting[sha256].append(unit)
            return []
        return self._next(unit, sha256)

    def ended(self, key: str) -> list[Unit]:
        """Say that an item is finished; return what waited for it."""
        self._first.pop(key, None)
        sha256 = self._making.pop(key, "")
        waiting = self._waiting.pop(sha256, None)
        if not waiting:
            return []
        following = []
        while waiting and sha256 not in self._waiting:
            following += self._next(waiting.popleft(), sha256)
        if waiting:
            self._waiting[sha256].extend(waiting)
        return following

    def _next(self, unit: Unit, sha256: str) -> list[Unit]:
        twin = self.made(unit, sha256)
        if twin is not None:
            return [replace(unit, verb=Verb.REPEAT, twin=twin)]
        self._making[unit.key] = sha256
        self._waiting[sha256] = deque()
        return [unit]

    def made(self, unit: Unit, sha256: str) -> Twin | None:
        """Return what was made of a source of this hash, as it would be made of this one; or None."""
        for row in self._journal.twins(unit.size, sha256):
            if row.key != unit.key and self._fits(row, unit):
                return _twin_of(row)
        return None

    def _fits(self, row: Row, unit: Unit) -> bool:
        alike = (row.kind, row.fingerprint) == (unit.kind, self._fingerprint(unit.kind, unit.key))
        if not alike or PurePath(row.output).suffix.lower() != PurePath(unit.output).suffix.lower():
            return False
        known = self._journal.known([row.key]).get(row.key)
        return known is not None and self._outputs.look(known, sure=True).state is State.OURS


def _twin_of(row: Row) -> Twin:
    return Twin(
        key=row.key,
        filed=Filed(unescape(row.output), row.output_size, row.output_sha256),
        seen=Seen(**{each.name: getattr(row, each.name) for each in fields(Seen)}),
        model=row.model,
        engine=row.engine,
        reason="" if row.made_cause == Cause.SAME else row.made_reason,
        metadata=row.metadata,
    )
