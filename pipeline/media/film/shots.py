"""Where one shot ends and the next begins: from a film's luma alone, frame by frame, in flat memory."""

from __future__ import annotations

from collections import deque
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pipeline.colour.signal import averaged

_SIZE: Final = (32, 24)
_BINS: Final = 32
_REACH: Final = 3  # frames on each side that are compared: flashes of up to two frames are passed over
_LEAST: Final = 0.55
_TIMES_NEIGHBOURS: Final = 2.2
_NEIGHBOURS: Final = 12
# A scratch can look like a cut in a picture of one grey: below this deviation there is nothing to correlate.
_FLAT: Final = 1.0


class Look:
    """What is kept of a frame: 32 x 24 luma with mean and deviation taken out, and its cumulative histogram."""

    __slots__ = ("deviation", "histogram", "shape")

    def __init__(self, luma: NDArray[Any], bits: int) -> None:
        """Take a frame's luma, uint8 or uint16 (H, W) of `bits`."""
        small = averaged(luma, *_SIZE).astype(np.float32) / (1 << (bits - 8))
        self.histogram = np.cumsum(np.histogram(small, _BINS, (0, 256))[0]) / small.size
        small -= small.mean()
        self.deviation = float(np.sqrt(np.mean(np.square(small))))
        self.shape = (small / max(self.deviation, _FLAT)).ravel()


def difference(one: Look, other: Look) -> float:
    """Return how unlike two frames are: 1 - correlation, plus the distance of their histograms; 0 to about 3."""
    flat = min(one.deviation, other.deviation) < _FLAT
    correlation = 1.0 if flat and max(one.deviation, other.deviation) < 4 else float(np.dot(one.shape, other.shape))
    if not flat:
        correlation /= one.shape.size
    return 1.0 - min(correlation, 1.0) + float(np.abs(one.histogram - other.histogram).mean())


class CutScores:
    """Takes frames one by one and scores each as the first of a new shot, three frames later."""

    def __init__(self) -> None:
        self._looks: deque[Look] = deque(maxlen=2 * _REACH)

    def add(self, luma: NDArray[Any], bits: int) -> float:
        """Take the next frame, uint8 or uint16 (H, W) of `bits`; return how unlike the last it is, 0 of the first."""
        look = Look(luma, bits)
        near = difference(self._looks[-1], look) if self._looks else 0.0
        self._looks.append(look)
        return near

    def latest(self) -> float | None:
        """Return the score of the frame that is now `_REACH` back, or None while there are too few."""
        if len(self._looks) < 2 * _REACH:
            return None
        looks = list(self._looks)
        return min(difference(a, b) for a in looks[:_REACH] for b in looks[_REACH:])


def cuts(scores: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return the frames with which a new shot begins.

    Args:
        scores: float32 (n,): for each frame the smallest difference between the three before it and the three from
            it on; 0 where there are no three.

    Returns:
        int64, ascending, without frame 0.
    """
    candidates = np.flatnonzero(scores >= _LEAST)
    found: list[int] = []
    for frame in candidates:
        around = slice(max(0, frame - _REACH), frame + _REACH + 1)
        if scores[frame] < scores[around].max() or (found and frame - found[-1] <= _REACH):
            continue
        before = scores[max(0, frame - _NEIGHBOURS) : max(0, frame - _REACH)]
        after = scores[frame + _REACH + 1 : frame + _NEIGHBOURS + 1]
        neighbours = np.concatenate((before, after))
        if neighbours.size == 0 or scores[frame] > _TIMES_NEIGHBOURS * np.median(neighbours):
            found.append(int(frame))
    return np.array(found, np.int64)
