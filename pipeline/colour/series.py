"""One palette for pictures that belong together: those that a person approved steer the others.

An approved picture says what colour there is where a net saw this lightness, this texture and guessed that colour. A
place of another picture takes the colours of the approved places that are like it, the more, the liker they are
(kernel regression), so that what is alike is coloured alike, and what is like nothing stays as the net has it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.nets.net import Around, Net, guessed
from pipeline.nets.prediction import Guess

Floats = NDArray[np.float32]

# By how much places differ that are half alike or so: lightness, the net's a and b, texture, all in Lab units.
_ALIKE: Final = np.array([4.0, 5.0, 5.0, 3.0], np.float32)
_STRENGTH: Final = 0.85
_ENOUGH: Final = 0.5  # likeness of the likest approved place: with 0.5 three quarters of the strength are reached
_STEP: Final = 0.5  # cells are so wide, in units of `_ALIKE`: places of one cell count as one, by how many they are
_SMOOTH: Final = 1.0  # pixels of the answer over which a correction is evened


@dataclass(frozen=True, slots=True)
class Cells:
    """What approved pictures have: float32, a row for each kind of place.

    Attributes:
        seen: (n, 4), lightness, the net's a and b, texture, in units of likeness.
        colour: (n, 2), a and b, Lab units.
        share: (n,), of the pictures that were approved, 0..1.
    """

    seen: Floats
    colour: Floats
    share: Floats


def cells_of(examples: Sequence[tuple[Floats, Floats, Floats]]) -> Cells:
    """Gather what approved pictures have; their order does not count.

    Args:
        examples: of each the lightness that a net saw (S, S), 0..100; the net's answer (h, w, 2); and the colours that
            were approved (h, w, 2), Lab units.
    """
    seen = np.concatenate([_seen(lightness, ab).reshape(-1, 4) for lightness, ab, _ in examples])
    colour = np.concatenate([approved.reshape(-1, 2) for _, _, approved in examples])
    order = np.lexsort((*colour.T, *seen.T))  # sums in one order, whatever the order of the pictures was
    seen, colour = seen[order], colour[order]
    _, which = np.unique(np.floor(seen / _STEP).astype(np.int32), axis=0, return_inverse=True)
    which = which.reshape(-1)
    counts = np.bincount(which)

    def means(values: Floats) -> Floats:
        sums = [np.bincount(which, column.astype(np.float64)) / counts for column in values.T]
        return np.stack(sums, axis=1).astype(np.float32)

    return Cells(means(seen), means(colour), (counts / len(which)).astype(np.float32))


def steered(ab: Floats, lightness: Floats, cells: Cells) -> Floats:
    """Give what is alike the colours that were approved.

    Args:
        ab: float32 (h, w, 2), a net's answer, Lab units.
        lightness: float32 (S, S), 0..100, that it saw.
        cells: of approved pictures, as the same net saw them.

    Returns:
        float32 (h, w, 2).
    """
    seen = _seen(lightness, ab).reshape(-1, 4)
    apart = (seen**2).sum(1)[:, None] + (cells.seen**2).sum(1)[None, :] - 2 * seen @ cells.seen.T
    likeness = np.exp(np.float32(-0.5) * np.maximum(apart, 0))
    # What a picture has much of does not drown what it has little of.
    weights = likeness * np.sqrt(cells.share)
    total = weights.sum(1, keepdims=True)
    colour = (weights @ cells.colour / np.maximum(total, 1e-12)).reshape(ab.shape)
    near = likeness.max(1)
    sure = np.float32(_STRENGTH * (1 + _ENOUGH)) * near / (near + np.float32(_ENOUGH))
    moved: Any = cv2.GaussianBlur(sure.reshape(*ab.shape[:2], 1) * (colour - ab), (0, 0), _SMOOTH)
    result: Floats = (ab + moved).astype(np.float32)
    return result


def _seen(lightness: Floats, ab: Floats) -> Floats:
    """Return what a place is known by, at the answer's size: float32 (h, w, 4), in units of likeness."""
    size = ab.shape[1::-1]
    light: Any = cv2.resize(lightness, size, interpolation=cv2.INTER_AREA)
    square: Any = cv2.resize(lightness * lightness, size, interpolation=cv2.INTER_AREA)
    spread = np.sqrt(np.maximum(cv2.blur(square, (3, 3)) - cv2.blur(light, (3, 3)) ** 2, 0))
    planes = [light, ab[:, :, 0], ab[:, :, 1], np.sqrt(spread) * np.float32(2)]
    return (np.stack(planes, axis=2) / _ALIKE).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Steered(Around):
    """A net whose answers are steered (implements `GuessingNet`)."""

    net: Net
    cells: Cells

    def predict(self, lightness: Floats) -> Floats:
        """See `Net.predict`."""
        return self.guess(lightness).ab

    def guess(self, lightness: Floats) -> Guess:
        """See `GuessingNet.guess`; the spread is the net's own."""
        guess = guessed(self.net, lightness)
        return Guess(steered(guess.ab, lightness, self.cells), guess.spread)
