"""An item in pieces on its way: from its spans to its parts to the unit that joins them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from pipeline.ground.items import Part, Result, Span, Unit, Verb


@dataclass(slots=True)
class Assembly:
    """What is there and what is missing of one item.

    Attributes:
        first: its scan.
        spans: all its spans.
        parts: what is finished, by number.
        seconds: spent on it by workers.
    """

    first: Unit
    spans: Sequence[Span]
    parts: dict[int, Part] = field(default_factory=dict)
    seconds: float = 0.0

    def units(self) -> list[Unit]:
        """Return the units that are missing now: pieces, or the join where all are there."""
        missing = [span for span in self.spans if span.number not in self.parts]
        if missing:
            return [replace(self.first, verb=Verb.PIECE, span=span) for span in missing]
        return [self._join()]

    def add(self, part: Part) -> list[Unit]:
        """Put in a part; return the join if it was the last one."""
        if part.span.number in self.parts:
            return []
        self.parts[part.span.number] = part
        self.seconds += part.seconds
        return [self._join()] if len(self.parts) == len(self.spans) else []

    def _join(self) -> Unit:
        parts = tuple(self.parts[span.number] for span in self.spans)
        return replace(self.first, verb=Verb.JOIN, parts=parts)

    def finished(self, result: Result) -> Result:
        """Return the result of the join as the item's: with the time of all its units."""
        return replace(result, seconds=round(result.seconds + self.seconds, 4))
