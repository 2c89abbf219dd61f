"""One picture of a live source, and the size that it is worked on."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Frame:
    """A picture as it came.

    Attributes:
        number: counts what the source gave, from 0; those in between were dropped.
        at: seconds since the first one, by the source's own clock, else by this machine's.
        arrived: when it could be worked on, by `time.monotonic`.
        picture: uint8 BGR (H, W, 3), upright, at the size that is shown.
    """

    number: int
    at: float
    arrived: float
    picture: Pixels


def working_size(width: int, height: int, wanted: int, aspect: Fraction = Fraction(1)) -> tuple[int, int]:
    """Return the width and height that a source is shown at: in proportion, never enlarged, both even for encoders.

    Args:
        width, height: of the source.
        wanted: the most that it shall be wide.
        aspect: of one of its samples; those that are shown are square.
    """
    across = width * aspect
    new = min(wanted, round(across))
    return _even(new), _even(round(height * new / across))


def _even(side: int) -> int:
    return max(2, side - side % 2)
