"""Colours that a person knows, spread over what they belong to and put on top of a net's answer.

For each stroke a share from 0 to 1 is spread from its places over the picture, by least squares: neighbours of like
luma get like shares (Levin, Lischinski, Weiss, "Colorization using optimization", 2004), each pixel is drawn to 0 a
little, so that the share fades with distance, and the places of other strokes have 0. What comes out is a random
walker's chance of meeting this stroke first. It is solved by conjugate gradients on 256 pixels.

The numbers were set on 60 of the embedded net's training photographs, with colours taken from the truth.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.colour.chroma import lightness_of
from pipeline.ground.hints import Hints, Place, Stroke

Floats = NDArray[np.float32]

_SIDE: Final = 256
# Levels of luma from one pixel to the next, and Lab units of the net's answer, that halve a tie or so. Levels are those
# of a picture whose luma has this standard deviation: in flat ones less is an edge.
_EDGE: Final = 4.0
_NET_EDGE: Final = 10.0
_CONTRAST: Final = 55.0
# How far a share reaches over an even surface: of the longer side.
_REACH: Final = 0.2
# From this share on a pixel is the stroke's altogether.
_FULL: Final = 0.4
# Levels of luma by which a pixel differs from the stroke's and still is like it.
_ALIKE: Final = 25.0
_RADIUS: Final = 0.01  # of a point, of the longer side
_LEAST_CONTRAST: Final = 10.0  # more would make edges of grain
_LEAST_TIE: Final = 1e-5
_STEPS: Final = 600
_CLOSE: Final = 1e-3
_WARM: Final = (3.0, 10.0)  # ab that warmth 1 adds


def hinted(ab: Floats, grey: NDArray[np.uint8], hints: Hints) -> Floats:
    """Correct an answer by what a person said.

    Args:
        ab: float32 (h, w, 2), Lab units, as it will be put to the picture: saturation is in it.
        grey: uint8 (H, W), of the upright picture.
        hints: `strokes`, `grey` and `warmth` count.

    Returns:
        float32 (m, n, 2), shaped like the picture, its longer side at least 256.
    """
    shape = _fitted(grey.shape, max(_SIDE, *ab.shape[:2]))
    answer = _warmed(ab, shape, hints)
    if hints.strokes:
        answer = _stroked(answer, grey, hints.strokes)
    return _greyed(answer, hints)


def hinted_evenly(ab: Floats, shape: tuple[int, ...], hints: Hints) -> Floats:
    """Correct an answer by what a person said that needs no look at the picture: `warmth` and `grey`.

    Args:
        ab: float32 (h, w, 2), as in `hinted`.
        shape: height and width of the upright picture.
        hints: what is said.

    Returns:
        float32 (m, n, 2), as of `hinted`.
    """
    return _greyed(_warmed(ab, _fitted(shape, max(_SIDE, *ab.shape[:2])), hints), hints)


def _warmed(ab: Floats, shape: tuple[int, int], hints: Hints) -> Floats:
    answer: Any = cv2.resize(ab, shape[::-1], interpolation=cv2.INTER_LINEAR)
    answer += np.float32(hints.warmth) * np.array(_WARM, np.float32)
    result: Floats = answer
    return result


def _greyed(answer: Floats, hints: Hints) -> Floats:
    if hints.grey:
        answer = answer * (1 - _inside(hints.grey, answer.shape[:2]))[:, :, np.newaxis]
    return np.ascontiguousarray(answer, np.float32)


def _fitted(shape: tuple[int, ...], side: int) -> tuple[int, int]:
    """Return (height, width) of a picture whose longer side is brought to `side`."""
    scale = side / max(shape[:2])
    return max(1, round(shape[0] * scale)), max(1, round(shape[1] * scale))


def _stroked(ab: Floats, grey: NDArray[np.uint8], strokes: tuple[Stroke, ...]) -> Floats:
    small = _fitted(grey.shape, _SIDE)
    luma: Any = cv2.resize(grey, small[::-1], interpolation=cv2.INTER_AREA).astype(np.float32)
    guide: Any = cv2.resize(ab, small[::-1], interpolation=cv2.INTER_AREA)
    shares = shares_of(strokes, luma, guide)
    shares /= np.maximum(shares.sum(axis=0), 1)
    lightness = lightness_of(cv2.resize(grey, ab.shape[1::-1], interpolation=cv2.INTER_AREA).astype(np.float32))
    result = ab
    for share, stroke in zip(shares, strokes, strict=True):
        large: Any = cv2.resize(share, ab.shape[1::-1], interpolation=cv2.INTER_LINEAR)
        result = result + large[:, :, np.newaxis] * (in_shade(stroke.color, lightness) - ab)
    return result


def in_shade(color: tuple[int, int, int], lightness: Floats) -> Floats:
    """Return the ab that what has a colour, sRGB, shows at each lightness (h, w), 0..100: float32 (h, w, 2).

    With less light on it L + 16, a and b fall alike, as cube roots. More than the colour's own chroma is not given.
    """
    rgb = np.array([[color]], np.float32) / 255
    lab: Any = cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB)[0, 0]
    light = np.minimum((lightness + 16) / (lab[0] + np.float32(16)), 1)
    result: Floats = (light[:, :, np.newaxis] * lab[1:]).astype(np.float32)
    return result


def shares_of(strokes: tuple[Stroke, ...], luma: Floats, ab: Floats) -> Floats:
    """Return how far each pixel belongs to each stroke.

    Args:
        strokes: one or more.
        luma: float32 (h, w), 0..255.
        ab: float32 (h, w, 2), Lab units: what the net holds apart is held apart.

    Returns:
        float32 (strokes, h, w), 0..1; may sum to more than 1.
    """
    luma = luma * np.float32(_CONTRAST / max(float(luma.std()), _LEAST_CONTRAST))
    places = [drawn(stroke.path, luma.shape) for stroke in strokes]
    taken = np.maximum.reduce(places) > 0
    calm = cv2.GaussianBlur(luma, (0, 0), 2.0)
    ties = _ties(cv2.GaussianBlur(luma, (0, 0), 0.8), ab)  # type: ignore[arg-type]
    shares = []
    for stroke, own in zip(strokes, places, strict=True):
        share = _spread(own, taken, ties, stroke.reach * _REACH * max(luma.shape))
        share = np.minimum(share / np.float32(_FULL), 1)
        away = (calm - np.median(calm[own > 0])) / np.float32(_ALIKE)
        shares.append(share * share * (3 - 2 * share) * np.exp(np.float32(-0.5) * away * away))
    return np.stack(shares).astype(np.float32)


def drawn(path: tuple[Place, ...], shape: tuple[int, ...]) -> Floats:
    """Return 1 where a stroke was drawn, else 0: float32 (h, w)."""
    canvas = np.zeros(shape[:2], np.uint8)
    at = _pixels(path, shape)
    radius = max(1, round(_RADIUS * max(shape)))
    for point in at:
        cv2.circle(canvas, point.tolist(), radius, 1, -1)
    cv2.polylines(canvas, [at], False, 1, 2 * radius + 1)
    return canvas.astype(np.float32)


def _pixels(path: tuple[Place, ...], shape: tuple[int, ...]) -> NDArray[np.int32]:
    """Return the pixels that places are in: int32 (places, 2), x and y."""
    size = np.array([shape[1], shape[0]])
    at: NDArray[np.int32] = np.minimum(np.array(path) * size, size - 1).astype(np.int32)
    return at


class _Ties(NamedTuple):
    """How alike neighbours are, 0..1: `across` (h, w - 1) from left to right, `down` (h - 1, w)."""

    across: Floats
    down: Floats

    def weights(self, pull: np.float32) -> Floats:
        """Return the diagonal of the equations, float32 (h, w)."""
        total = np.full((self.across.shape[0], self.down.shape[1]), pull, np.float32)
        total[:, 1:] += self.across
        total[:, :-1] += self.across
        total[1:] += self.down
        total[:-1] += self.down
        return total

    def times(self, share: Floats, weights: Floats) -> Floats:
        """Return the left side of the equations."""
        result = weights * share
        result[:, 1:] -= self.across * share[:, :-1]
        result[:, :-1] -= self.across * share[:, 1:]
        result[1:] -= self.down * share[:-1]
        result[:-1] -= self.down * share[1:]
        return result


def _ties(luma: Floats, ab: Floats) -> _Ties:
    def tie(axis: int) -> Floats:
        apart = (np.diff(luma, axis=axis) / _EDGE) ** 2
        apart += (np.diff(ab, axis=axis) ** 2).sum(axis=2) / _NET_EDGE**2
        result: Floats = np.exp(-0.5 * apart).astype(np.float32) + np.float32(_LEAST_TIE)
        return result

    return _Ties(tie(1), tie(0))


def _spread(own: Floats, taken: NDArray[np.bool_], ties: _Ties, reach: float) -> Floats:
    """Return the share of one stroke: 1 at its `own` places, 0 at others that are `taken`; conjugate gradients."""
    weights = ties.weights(np.float32(1 / reach**2))
    free = (~taken).astype(np.float32)
    share: Floats = own.copy()
    rest = -ties.times(share, weights) * free
    step = towards = rest / weights
    left = first = float((rest * towards).sum())
    for _ in range(_STEPS):
        if left <= _CLOSE**2 * first or left == 0:
            break
        moved = ties.times(step, weights) * free
        length = np.float32(left / float((step * moved).sum()))
        share += length * step
        rest = rest - length * moved
        towards = rest / weights
        left, before = float((rest * towards).sum()), left
        step = towards + np.float32(left / before) * step
    result: Floats = np.clip(share, 0, 1)
    return result


def _inside(polygons: tuple[tuple[Place, ...], ...], shape: tuple[int, int]) -> Floats:
    """Return how much of each pixel is in a polygon, 0..1: float32 (h, w)."""
    finer = 4
    canvas = np.zeros((shape[0] * finer, shape[1] * finer), np.uint8)
    cv2.fillPoly(canvas, [_pixels(polygon, canvas.shape) for polygon in polygons], 255)
    small: Any = cv2.resize(canvas, shape[::-1], interpolation=cv2.INTER_AREA)
    result: Floats = small.astype(np.float32) / 255
    return result
