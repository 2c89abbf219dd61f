"""How doubtful a net's answer is, from itself and the lightness it was given: no truth, no second look.

It cannot know what is true. It knows what goes with colours that are worse than none: that they change where nothing is
seen to change, and that the net holds many others possible; where it does not tell, that they are many.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.nets.net import Around, Net, guessed
from pipeline.nets.prediction import Guess

Floats = NDArray[np.float32]

_SIDE: Final = 48
# L a pixel at that size, about what large surfaces have.
_FLAT: Final = 2.5
# By least squares on photographs of the training set, against how much farther from the truth than grey the answer is,
# so that half of them lie above 50 and a quarter above 75: of the roots of flat change and spread over the picture (741
# photographs); of the root of flat change and the net's own mean spread, where it tells it (550 held-out ones).
_WEIGHTS: Final = (6.97, 0.62)
_MIDDLE: Final = 7.65
_TOLD_WEIGHTS: Final = (10.6, 0.163)
_TOLD_MIDDLE: Final = 10.1


class Figures(NamedTuple):
    """What an answer shows; each 0 where it is grey, in Lab units.

    Attributes:
        flat_change: mean change of ab from pixel to pixel, at 48 x 48, where lightness is flat.
        spread: standard deviation of ab over the picture.
    """

    flat_change: float
    spread: float


def doubt(guess: Guess, lightness: Floats) -> int:
    """Return how doubtful an answer is, 0 to 100; lightness as for `figures`."""
    flat, spread = np.sqrt(np.maximum(figures(guess.ab, lightness), 0))
    if guess.spread is None:
        above = _WEIGHTS[0] * flat + _WEIGHTS[1] * spread - _MIDDLE
    else:
        above = _TOLD_WEIGHTS[0] * flat + _TOLD_WEIGHTS[1] * float(guess.spread.mean()) - _TOLD_MIDDLE
    return round(100 / (1 + float(np.exp(-above))))


def figures(ab: Floats, lightness: Floats) -> Figures:
    """Measure an answer.

    Args:
        ab: float32 (h, w, 2), Lab units.
        lightness: float32 (S, S), 0..100, of the same picture.
    """
    small: Any = cv2.resize(ab, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    light: Any = cv2.resize(lightness, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    return Figures(_flat_change(small, light), float(np.sqrt(small.var(axis=(0, 1)).sum())))


class Doubting(Around):
    """A net that remembers how doubtful its last answer is (implements `Net`)."""

    def __init__(self, net: Net) -> None:
        """Take a net; its answers are what the picture gets before hints."""
        self.net = net
        self._shot = list[int]()
        self.doubt: int | None = None
        """Of its last answer, or of a film's most doubtful shot."""

    def predict(self, lightness: Floats) -> Floats:
        """See `Net.predict`."""
        guess = guessed(self.net, lightness)
        self.doubt = doubt(guess, lightness)
        return guess.ab

    def predict_of_shot(self, lightness: Floats) -> Floats:
        """As `predict`, of one frame of a shot that `end_shot` ends."""
        before, ab = self.doubt, self.predict(lightness)
        self._shot += [self.doubt or 0]
        self.doubt = before
        return ab

    def end_shot(self) -> None:
        """Take the mean doubt of a shot's frames for the film's, where no other shot had more."""
        if self._shot:
            self.doubt = max(self.doubt or 0, round(sum(self._shot) / len(self._shot)))
        self._shot.clear()


def _flat_change(ab: Any, light: Any) -> float:
    total = weight = 0.0
    for axis in (0, 1):
        flat = np.exp(-0.5 * (np.diff(light, axis=axis) / _FLAT) ** 2)
        total += float((np.sqrt((np.diff(ab, axis=axis) ** 2).sum(axis=2)) * flat).sum())
        weight += flat.size
    return total / weight
