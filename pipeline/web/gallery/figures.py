"""Figures of a whole archive, gathered item by item in a memory that does not grow with it."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from pipeline.archive.row import Row
from pipeline.web.gallery.data import doubt_of
from pipeline.web.gallery.items import File

_MOST: Final = 12  # of the biggest and the slowest
_COLOURFUL_STEP: Final = 5.0
_COLOURFUL_END: Final = 120.0
_DOUBT_STEP: Final = 5.0
_DOUBT_END: Final = 100.0
_FOLDERS: Final = 24


class Top(NamedTuple):
    """An item that is the most of something: how much, and its key."""

    amount: float
    key: str


@dataclass(slots=True)
class Histogram:
    """Counts by value, in steps of one width from 0; what is beyond the end counts to the last."""

    step: float
    end: float
    counts: Counter[int] = field(default_factory=Counter)

    def add(self, value: float) -> None:
        """Count one."""
        self.counts[int(min(max(value, 0.0), self.end - self.step / 2) // self.step)] += 1

    def bars(self) -> list[tuple[str, int]]:
        """Return all steps with what they begin at, and their counts."""
        return [(f"{at * self.step:g}", self.counts[at]) for at in range(round(self.end / self.step))]


@dataclass(slots=True)
class Figures:
    """What the page of statistics draws.

    Attributes:
        folders: counts by status, by the first part of the sources' paths.
        moments: items that a worker finished, by run and second since 1970.
        colourful, doubts: histograms; empty where nothing is known.
        pixels, slow, heavy: largest pictures in pixels, longest in a worker in seconds, largest outputs in bytes.
    """

    folders: dict[str, Counter[str]] = field(default_factory=dict)
    moments: dict[str, Counter[str]] = field(default_factory=dict)
    colourful: Histogram = field(default_factory=lambda: Histogram(_COLOURFUL_STEP, _COLOURFUL_END))
    doubts: Histogram = field(default_factory=lambda: Histogram(_DOUBT_STEP, _DOUBT_END))
    pixels: list[Top] = field(default_factory=list)
    slow: list[Top] = field(default_factory=list)
    heavy: list[Top] = field(default_factory=list)

    def add(self, row: Row, place: str, output: File | None, colourfulness: float | None) -> None:
        """Take in an item.

        Args:
            row: it.
            place: of its output; empty where it has none.
            output: the file; None where it is not there.
            colourfulness: of the output.
        """
        folder = row.key.partition("/")[0] if "/" in row.key else ""
        self.folders.setdefault(folder, Counter())[row.status] += 1
        if row.seconds > 0:
            self.moments.setdefault(row.run_id, Counter())[row.finished_at[:19]] += 1
            _keep(self.slow, Top(row.seconds, row.key))
        if row.width and row.height:
            _keep(self.pixels, Top(row.width * row.height, row.key))
        if place and output is not None:
            _keep(self.heavy, Top(output.size, row.key))
            if colourfulness is not None:
                self.colourful.add(colourfulness)
        doubt = doubt_of(row)
        if doubt is not None:
            self.doubts.add(doubt)

    def by_folder(self) -> Iterator[tuple[str, Counter[str]]]:
        """Yield the folders with the most items, by name; what is beyond them counts together as "and N others"."""
        ranked = sorted(self.folders, key=lambda each: -self.folders[each].total())
        shown, rest = ranked[:_FOLDERS], ranked[_FOLDERS:]
        for folder in sorted(shown):
            yield folder or "(no folder)", self.folders[folder]
        if rest:
            yield f"and {len(rest):,} others", sum((self.folders[each] for each in rest), Counter[str]())


def _keep(tops: list[Top], top: Top) -> None:
    if len(tops) < _MOST:
        heapq.heappush(tops, top)
    else:
        heapq.heappushpop(tops, top)
