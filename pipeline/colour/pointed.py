"""Nets that take points of colour themselves, as that of Zhang et al. (SIGGRAPH 2017) does: they spread them.

Where the points change such a net's answer, its answer with them stands as it is; elsewhere stands what palette and
series made of its answer without them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pipeline.colour.hints import drawn, in_shade
from pipeline.ground.hints import Hints, Stroke
from pipeline.nets.net import Around, Net, PointedNet
from pipeline.nets.prediction import Points

Floats = NDArray[np.float32]

# Lab units by which the answer moves where six tenths of the answer with points are taken.
_MOVED: Final = 4.0
_LEAST_SATURATION: Final = 0.05


@dataclass(frozen=True, slots=True)
class Pointed(Around):
    """A net with points of colour in it (implements `Net`).

    Attributes:
        net: as it answers without them.
        itself: the very net in it.
        strokes: the colours.
        saturation: by which its answer is multiplied afterwards; a colour that was named is not changed by it.
    """

    net: Net
    itself: PointedNet
    strokes: tuple[Stroke, ...]
    saturation: float

    def predict(self, lightness: Floats) -> Floats:
        """See `Net.predict`."""
        treated, plain = self.net.predict(lightness), self.itself.predict(lightness)
        told = self.itself.pointed(lightness, points_of(self.strokes, lightness))
        moved = np.sqrt(((told - plain) ** 2).sum(axis=2, keepdims=True)) / np.float32(_MOVED)
        share = 1 - np.exp(-moved)
        wanted = told / np.float32(max(self.saturation, _LEAST_SATURATION))
        result: Floats = (treated + share * (wanted - treated)).astype(np.float32)
        return result


def pointed(net: Net, hints: Hints, saturation: float) -> tuple[Net, Hints]:
    """Give strokes to a net that takes them, behind whatever treats its answers; return it and the hints that are left.

    Args:
        net: loaded.
        hints: of a picture.
        saturation: by which the answer is multiplied afterwards.
    """
    itself = _itself(net)
    if not hints.strokes or itself is None:
        return net, hints
    return Pointed(net, itself, hints.strokes, saturation), replace(hints, strokes=())


def points_of(strokes: tuple[Stroke, ...], lightness: Floats) -> Points:
    """Draw strokes, the later over the earlier, as a net of lightness (S, S), 0..100, is given them."""
    ab, mask = np.zeros((*lightness.shape, 2), np.float32), np.zeros(lightness.shape, np.float32)
    for stroke in strokes:
        place = drawn(stroke.path, lightness.shape) > 0
        ab[place], mask[place] = in_shade(stroke.color, lightness)[place], 1
    return Points(ab, mask)


def _itself(net: Any) -> PointedNet | None:
    while net is not None and not isinstance(net, PointedNet):
        net = getattr(net, "net", None)
    return net if net is not None and net.spec.takes_points else None
