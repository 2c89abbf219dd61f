"""Charts: where an answer of the embedded net is moved to, by its colour and by how sure the net is of it.

A chart was fitted to what 5,500 training photographs have where the net answers a colour with a spread (`python -m
models.training.chart`, `models/training/LOG.md`); `charts.npz` has one for each palette that has one.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

FILE: Final = Path(__file__).with_name("charts.npz")
# Lab units: a and b of a chart lie this far apart, from minus to plus FARTHEST.
STEP: Final = 4.0
FARTHEST: Final = 88.0
# Spreads, in Lab units, for which a chart is told.
SPREADS: Final = (6.0, 8.0, 10.0, 12.0, 14.5, 18.0, 22.0, 27.0)


@cache
def chart(name: str) -> Floats:
    """Return what is added to ab: float32 (spreads, a, b, 2), Lab units."""
    with np.load(FILE) as charts:
        found: Floats = charts[name].astype(np.float32)
    return found


def charted(ab: Floats, spread: Floats, added: Floats) -> Floats:
    """Move each colour as a chart says; between what it tells lies a straight line, beyond it the last value holds.

    Args:
        ab: float32 (h, w, 2), Lab units.
        spread: float32 (h, w), Lab units.
        added: from `chart`.

    Returns:
        ab, float32 (h, w, 2).
    """
    sure = np.interp(spread, SPREADS, np.arange(len(SPREADS)))
    places = [sure, *((np.moveaxis(ab, 2, 0) + np.float32(FARTHEST)) / np.float32(STEP))]
    corners = [_between(place, count) for place, count in zip(places, added.shape[:3], strict=True)]
    moved = np.zeros(ab.shape, np.float32)
    for layer, of_layer in corners[0]:
        for row, of_row in corners[1]:
            for column, of_column in corners[2]:
                moved += (of_layer * of_row * of_column)[:, :, np.newaxis] * added[layer, row, column]
    result: Floats = ab + moved
    return result


def _between(place: NDArray[np.floating], count: int) -> list[tuple[NDArray[np.intp], Floats]]:
    """Return the two whole numbers below `count` around each place, and what each weighs."""
    inside = np.clip(place, 0, count - 1)
    below = np.minimum(inside.astype(np.intp), count - 2)
    weight = (inside - below).astype(np.float32)
    return [(below, 1 - weight), (below + 1, weight)]
