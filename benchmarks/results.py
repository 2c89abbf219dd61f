"""What was measured, as tables that JSON takes."""

from __future__ import annotations

import statistics
import time
from dataclasses import asdict, dataclass, field
from typing import Any

from benchmarks.contender import Contender

Row = dict[str, Any]
Document = dict[str, Any]
Times = dict[str, list[float]]


@dataclass(slots=True)
class Results:
    """All that was measured; every list of seconds has one entry a round.

    Attributes:
        rows: one for each size and contender: seconds a picture of the pipeline, the reference and the bare net, and
            the medians of what is made of them.
        probes: one for each size and contender with one worker alone: stages, first picture, start-up (in seconds),
            memory (in bytes).
        comparisons: outputs against the reference's on the same net.
        reference: for each size, what the reference's process took to start and for its first picture, in seconds.
        scaling: pictures a second by number of workers.
        films: one for each size of film and contender: seconds a frame, of the tutorial's loop too.
        left_out: what could not be measured, and why.
    """

    rows: list[Row] = field(default_factory=list)
    probes: list[Row] = field(default_factory=list)
    comparisons: list[Row] = field(default_factory=list)
    reference: list[Row] = field(default_factory=list)
    scaling: list[Row] = field(default_factory=list)
    films: list[Row] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    def document(self, conditions: dict[str, Any]) -> Document:
        """Return everything as one table for JSON."""
        finished = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
        return {"conditions": conditions | {"finished": finished}, **asdict(self)}


def row_of_turns(contender: Contender, megapixels: float, times: Times) -> Row:
    """Return a row of `Results.rows`.

    Args:
        contender: whose.
        megapixels: size of the pictures.
        times: seconds by the contender's name, by "reference", and by "bare" and the contender's name.
    """
    ours = times[str(contender)]
    row: Row = {
        "megapixels": megapixels,
        **contender.columns,
        "seconds": ours,
        "pictures_per_second": 1 / statistics.median(ours),
    }
    for name, key in (("reference", "reference"), ("bare", f"bare {contender}")):
        if key in times:
            row[f"{name}_seconds"] = times[key]
            row[f"{name}_ratio"] = median_ratio(times[key], ours)
    return row


def median_ratio(theirs: list[float], ours: list[float]) -> float:
    """Return the median of the ratios, round by round: what slowed the machine for a while slowed both."""
    return statistics.median(a / b for a, b in zip(theirs, ours, strict=True))
