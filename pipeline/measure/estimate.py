"""A figure over many pictures with its 95 % interval, and differences of such figures on the same pictures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Half-width of a normal 95 % interval in standard errors.
NORMAL_95 = 1.959964


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure over pictures.

    Attributes:
        value: the figure.
        influence: float64 (pictures,), how far each picture pulls the figure from its mean, in the figure's unit.
            Their spread gives the interval; that of a difference, picture by picture, gives the paired interval.
    """

    value: float
    influence: NDArray[np.float64]

    @property
    def interval(self) -> float:
        """Half the width of the normal 95 % interval; not a number for a single picture."""
        count = len(self.influence)
        return float(NORMAL_95 * self.influence.std(ddof=1) / np.sqrt(count)) if count > 1 else float("nan")

    def __sub__(self, other: Estimate) -> Estimate:
        """Return the difference of two figures of the same pictures in the same order."""
        return Estimate(self.value - other.value, self.influence - other.influence)

    def __mul__(self, factor: float) -> Estimate:
        """Return the figure in another unit."""
        return Estimate(self.value * factor, self.influence * factor)


def mean(values: NDArray[np.float64]) -> Estimate:
    """Return the mean of one value a picture, (pictures,)."""
    return ratio(values, np.ones_like(values))


def ratio(parts: NDArray[np.float64], wholes: NDArray[np.float64]) -> Estimate:
    """Return sum(parts) / sum(wholes), each (pictures,), linearised for its interval (the delta method)."""
    whole = wholes.mean()
    if whole == 0:
        return Estimate(float("nan"), np.full(parts.shape, np.nan))
    value = parts.mean() / whole
    return Estimate(float(value), (parts - value * wholes) / whole)
