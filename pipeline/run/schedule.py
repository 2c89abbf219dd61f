"""In which order units are done: photographs one by one, and between them what items in pieces bring up."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

from pipeline.ground.items import Unit, Verb

# Items in pieces that are worked on at the same time; each holds part files on the disk.
OPEN_AT_ONCE = 2

# Units that want all the memory are put off until nothing else is there, or so many are.
ALONE_AT_MOST = 1000

# Items in pieces that are set aside in search of a photograph; an archive may hold nothing else.
HELD_AT_MOST = 1000


class Schedule:
    """The units of a run; they may appear while others run.

    Units that have appeared and first units of new items take turns, so that neither a long film nor ten thousand
    photographs keep the other waiting.
    """

    def __init__(self, firsts: Iterable[Unit]) -> None:
        """Take the first unit of each item, lazily."""
        self._firsts: Iterator[Unit] = iter(firsts)
        self._appeared: deque[Unit] = deque()
        self._held: deque[Unit] = deque()
        self._open: set[str] = set()
        self._alone: deque[Unit] = deque()
        self._turn = False

    def take(self) -> Unit | None:
        """Return the next unit, or None where there is none now."""
        if len(self._alone) >= ALONE_AT_MOST:
            return self._alone.popleft()
        self._turn = not self._turn
        sources = (self._next_appeared, self._next_first) if self._turn else (self._next_first, self._next_appeared)
        for source in sources:
            unit = source()
            if unit is not None:
                return unit
        return self._alone.popleft() if self._alone else None

    def put_off(self, unit: Unit) -> None:
        """Add a unit that has to be done alone, as `Unit.alone` says: behind all others."""
        self._alone.append(unit)

    def put(self, units: Iterable[Unit]) -> None:
        """Add units of an item that has been taken up."""
        self._appeared.extend(units)

    def close(self, key: str) -> None:
        """Say that an item is finished: what is left of its units is not begun any more."""
        if key in self._open:
            self._open.remove(key)
            self._appeared = deque(unit for unit in self._appeared if unit.key != key)
            self._alone = deque(unit for unit in self._alone if unit.key != key)

    def _next_appeared(self) -> Unit | None:
        return self._appeared.popleft() if self._appeared else None

    def _next_first(self) -> Unit | None:
        if self._held and len(self._open) < OPEN_AT_ONCE:
            return self._opened(self._held.popleft())
        while len(self._held) < HELD_AT_MOST and (unit := next(self._firsts, None)) is not None:
            if unit.verb is Verb.MAKE or (unit.verb is Verb.LOOK and not unit.parts_place):
                return unit
            if len(self._open) < OPEN_AT_ONCE:
                return self._opened(unit)
            self._held.append(unit)
        return None

    def _opened(self, unit: Unit) -> Unit:
        self._open.add(unit.key)
        return unit
