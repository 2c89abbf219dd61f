"""What is measured of a picture to tell whether it is in colour: how much of its colour one tone explains.

A black-and-white photograph that was toned, has yellowed or was scanned in colour has a chroma that follows lightness
(the tone), that a slow function of place may strengthen or shift (stains, uneven light), and that has fringes along
edges where the channels do not lie on one another. These three are taken out by robust regression, one after the
other, and what is left is measured; first in the whole picture, then within its mount or border.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

LONGEST: Final = 128
_SAMPLED: Final = 2048
_KNOTS: Final = 9
_TONE: Final = slice(0, _KNOTS)
_STEPS: Final = (_TONE, slice(0, _KNOTS + 4), slice(None))  # the tone; and fringes; and casts and stains
_ROUNDS: Final = 3
_FARTHEST: Final = 4.0  # pixels that channels are looked for apart
_PEAK: Final = 0.03
_DARKEST: Final = 0.3  # Lab units under which chroma is rounding: logarithms begin there

Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True)
class Small:
    """A picture at `LONGEST`, channels registered.

    Attributes:
        lightness: float32 (H, W), 0..1.
        ab: float32 (H, W, 2), Lab units, blurred by three pixels against the grain of JPEG's chroma.
        seen: bool (H, W), where it is not transparent.
    """

    lightness: Floats
    ab: Floats
    seen: NDArray[np.bool_]


def small(picture: NDArray[Any], alpha: NDArray[Any] | None = None) -> Small:
    """Return a picture as it is measured.

    Args:
        picture: BGR (H, W, 3), sRGB; uint8, uint16, or float 0..1.
        alpha: of the same dtype (H, W), 0 is transparent; None: all is opaque.
    """
    bgr = unit(resized(picture))
    seen = np.ones(bgr.shape[:2], np.bool_)
    if alpha is not None:
        opaque = unit(resized(alpha)) > 0.5
        seen = opaque if opaque.any() else seen
        bgr[~seen] = bgr[seen].mean(axis=0)  # what is hidden tells nothing of where the channels lie
    lab: Any = cv2.cvtColor(registered(bgr), cv2.COLOR_BGR2LAB)
    ab = cv2.blur(np.ascontiguousarray(lab[:, :, 1:]), (3, 3)).reshape(*lab.shape[:2], 2).astype(np.float32)
    return Small(np.ascontiguousarray(lab[:, :, 0]) / np.float32(100), ab, seen)


def unit(picture: NDArray[Any]) -> Floats:
    """Return samples as float32, 0..1."""
    if picture.dtype.kind == "f":
        return np.asarray(np.clip(np.nan_to_num(picture), 0, 1), np.float32)
    return picture.astype(np.float32) / np.float32(np.iinfo(picture.dtype).max)


def resized(picture: NDArray[Any], longest: int = LONGEST) -> NDArray[Any]:
    """Return a picture at `longest` pixels on its longer side, or as it is where it is smaller."""
    height, width = picture.shape[:2]
    scale = longest / max(height, width)
    if scale >= 1:
        return np.ascontiguousarray(picture)
    width, height = max(1, round(width * scale)), max(1, round(height * scale))
    if scale < 1 / 4:
        # Whole pixels are skipped first: averaging 24 megapixels would cost as much as decoding them.
        picture = _to(picture, 4 * width, 4 * height, cv2.INTER_NEAREST)
    return _to(picture, width, height, cv2.INTER_AREA)


def _to(picture: NDArray[Any], width: int, height: int, how: int) -> NDArray[Any]:
    return cv2.resize(picture, (width, height), interpolation=how)


def registered(bgr: Floats) -> Floats:
    """Move blue and red onto green, float32 (H, W, 3), by the peak of their phase correlation (Kuglin, Hines 1975)."""
    height, width = bgr.shape[:2]
    if min(height, width) < 32:
        return bgr
    window = cv2.createHanningWindow((width, height), cv2.CV_32F)
    blue, green, red = (np.ascontiguousarray(bgr[:, :, each]) for each in range(3))
    return np.dstack([_onto(green, blue, window), green, _onto(green, red, window)])


def _onto(still: Floats, moved: Floats, window: Any) -> Floats:
    # OpenCV 5 lays the window on its arguments, in place.
    (x, y), peak = cv2.phaseCorrelate(still.copy(), moved.copy(), window)
    if peak < _PEAK or not 0.1 < np.hypot(x, y) <= _FARTHEST:
        return moved
    back = np.array([[1, 0, x], [0, 1, y]], np.float32)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(moved, back, moved.shape[::-1], flags=flags, borderMode=cv2.BORDER_REPLICATE)  # type: ignore[return-value]


def measured(of: Small) -> Floats:
    """Return the features, float32 (n,): of the whole picture, of what lies within its border, and of that border."""
    whole = _Region(of, of.seen).features()
    inside, border = _within(of)
    within = whole if inside is None else _Region(of, inside).features()
    return np.array([*whole, *within, *border], np.float32)


def _hats(lightness: Floats) -> Floats:
    """Return a base of piecewise linear functions of lightness 0..1: (N,) -> (N, knots)."""
    at = np.clip(lightness, 0, 1)[:, np.newaxis] * (_KNOTS - 1)
    return np.asarray(np.maximum(0, 1 - np.abs(at - np.arange(_KNOTS, dtype=np.float32))))


def _smooth() -> Floats:
    """Return the penalty on second differences that leads a tone through lightness that a picture lacks."""
    bend = np.diff(np.eye(_KNOTS, dtype=np.float32), 2, axis=0)
    return 2 * bend.T @ bend + 1e-3 * np.eye(_KNOTS, dtype=np.float32)


_PENALTY: Final = _smooth()


def _normal(base: Floats, wanted: Floats, weight: Floats) -> tuple[Floats, Floats]:
    """Return the normal equations (K, K), (K, 2) of weighted least squares, ab (N, 2) by a base (N, K)."""
    weighted = base * weight
    system = weighted.T @ base
    system[_TONE, _TONE] += _PENALTY
    system.flat[:: len(system) + 1] += 1e-2
    return system, weighted.T @ wanted


def _left(base: Floats, wanted: Floats, normal: tuple[Floats, Floats], part: slice = slice(None)) -> Floats:
    """Return what a part of the base leaves of ab, (N, 2)."""
    return wanted - base[:, part] @ _solved(normal, part)


def _solved(normal: tuple[Floats, Floats], part: slice = slice(None)) -> Floats:
    return np.linalg.solve(normal[0][part, part], normal[1][part])


def _fitted(base: Floats, wanted: Floats) -> tuple[Floats, Floats]:
    """Return the normal equations of a fit by absolute differences (iteratively reweighted)."""
    normal = _normal(base, wanted, np.ones((len(base), 1), np.float32))
    for _ in range(_ROUNDS - 1):
        left = _length(_left(base, wanted, normal))
        normal = _normal(base, wanted, 1 / np.maximum(left, 1)[:, np.newaxis])
    return normal


def _length(ab: Floats) -> Floats:
    return np.hypot(ab[:, 0], ab[:, 1])


def _logs(values: Floats, *percents: float) -> list[float]:
    """Return logarithms of the mean and of percentiles of something in Lab units, never below 0."""
    ordered = np.sort(values)
    picked = [float(ordered[int(each / 100 * (len(ordered) - 1))]) for each in percents]
    return [float(np.log(_DARKEST + max(0.0, each))) for each in (float(values.mean()), *picked)]


class _Region:
    """Pixels of a picture, at most `_SAMPLED` of them, and their regression."""

    def __init__(self, of: Small, where: NDArray[np.bool_]) -> None:
        rows, columns = np.nonzero(where)
        step = (rows.size // _SAMPLED) | 1  # an odd step walks through all columns
        rows, columns = rows[::step], columns[::step]
        height, width = where.shape
        self._size = height, width
        self._at = rows, columns
        self._of, self._where = of, where
        self.lightness, self.ab = of.lightness[rows, columns], of.ab[rows, columns]
        self._base = self._functions(of)

    def _functions(self, of: Small) -> Floats:
        """Return the base (N, K): tone, fringes (shift, scale, rotation), cast and stain."""
        rows, columns = self._at
        across, down = (cv2.Sobel(of.lightness, cv2.CV_32F, 1 - way, way, scale=12.5)[rows, columns] for way in (0, 1))
        longest = max(self._size)
        x = ((2 * columns - self._size[1]) / longest).astype(np.float32)
        y = ((2 * rows - self._size[0]) / longest).astype(np.float32)
        place = np.stack((x, y, x * x, x * y, y * y), axis=1)
        fringes = np.stack((across, down, x * across + y * down, y * across - x * down), axis=1)
        stain = place * (self.lightness[:, np.newaxis] - np.float32(0.5))
        return np.concatenate((_hats(self.lightness), fringes, 4 * place, 4 * stain), axis=1)

    def features(self) -> list[float]:
        """Return what is measured of these pixels."""
        normal = _fitted(self._base, self.ab)
        bare, fringed, left = (_left(self._base, self.ab, normal, each) for each in _STEPS)
        toned = self.ab - bare
        chroma = _length(self.ab)
        found = [*_logs(chroma, 50, 95, 99), *_logs(_length(toned))]
        for each in (bare, fringed, left):
            found += _logs(_length(each), 50, 90, 98)
        found += self._by_hue(toned, left)
        found.append(float(np.hypot(*self.ab.sum(axis=0)) / max(float(chroma.sum()), 1e-3)))
        found.append(_roundness(left))
        found += [float(self.lightness.std()), float(self.lightness.mean())]
        found += self._coarse(bare) + self._coarse(left)
        found += self._things(_solved(normal, _TONE))
        return found

    def _by_hue(self, toned: Floats, left: Floats) -> list[float]:
        """Measure what is left across the tone's hue, and chroma in the opposite one."""
        hue = toned / np.maximum(_length(toned), 1e-3)[:, np.newaxis]
        across = np.abs(left[:, 0] * hue[:, 1] - left[:, 1] * hue[:, 0])
        opposite = -(self.ab * hue).sum(axis=1)
        return [*_logs(across, 95, 99), *_logs(np.maximum(opposite, 0), 98, 99.5)]

    def _coarse(self, left: Floats) -> list[float]:
        """Measure the means of what is left in a 12 x 12 grid: grain averages out there, things do not."""
        rows, columns = self._at
        cell = rows * 12 // self._size[0] * 12 + columns * 12 // self._size[1]
        count = np.bincount(cell, minlength=144)
        sums = [np.bincount(cell, left[:, each], 144) for each in (0, 1)]
        means: Floats = np.stack(sums, axis=1)[count > 3] / count[count > 3][:, np.newaxis]
        if not len(means):
            means = left
        return _logs(_length(means.astype(np.float32)), 90, 100)

    def _things(self, factors: Floats) -> list[float]:
        """Measure what the tone leaves between 3 and 17 pixels wide: neither grain nor light, but things."""
        rest = np.where(self._where[:, :, np.newaxis], _rest(self._of, factors), np.float32(0))
        band = cv2.blur(rest, (3, 3)) - cv2.blur(rest, (17, 17))
        return _logs(_length(band[self._at]), 90, 98)


def _roundness(left: Floats) -> float:
    """Return how much what is left spreads in two directions of hue, 0 (a line) to 1."""
    spread = np.linalg.eigvalsh(left.T @ left / len(left))
    return float(np.sqrt(max(0.0, float(spread[0])) / max(float(spread[1]), 1e-6)))


_NO_BORDER: Final = [1.0, 1.0, 1.0, 0.0]


def _within(of: Small) -> tuple[NDArray[np.bool_] | None, list[float]]:
    """Find what the tone of the picture's middle explains as an upright or turned rectangle: a print within its border.

    Returns:
        bool (H, W), the inside, None where that is all; and of the border: the share of the inside, how much of it
        the tone explains, how much of a ring around it, and the spread of colour outside.
    """
    alike = _like_the_middle(of)
    if min(of.seen.shape) < 32 or alike is None:
        return None, _NO_BORDER
    box = _box(alike)
    inside, near, far = (_filled(box, of.seen.shape, margin) & of.seen for margin in (-3, 2, 6))
    outside, ring = of.seen & ~near, far & ~near
    share = np.count_nonzero(near) / np.count_nonzero(of.seen)
    if share > 0.97 or np.count_nonzero(inside) < 256:
        return None, [min(1.0, share), float(alike[of.seen].mean()), 1.0, 0.0]
    around = float(alike[ring].mean()) if ring.any() else 1.0
    spread = float(np.log(_DARKEST + of.ab[outside].std(axis=0).mean()))
    return inside, [share, float(alike[inside].mean()), around, spread]


def _like_the_middle(of: Small) -> NDArray[np.bool_] | None:
    """Return where the tone of the picture's middle holds, bool (H, W)."""
    height, width = of.seen.shape
    middle = np.zeros_like(of.seen)
    middle[height * 3 // 10 : -(height * 3 // 10) or None, width * 3 // 10 : -(width * 3 // 10) or None] = True
    lightness, ab = of.lightness[middle & of.seen], of.ab[middle & of.seen]
    if len(lightness) < 64:
        return None
    base = _hats(lightness)
    left = ab
    for _ in range(2):
        normal = _normal(base, ab, 1 / np.maximum(_length(left), 1)[:, np.newaxis])
        left = _left(base, ab, normal)
    rest = _rest(of, _solved(normal))
    return np.hypot(rest[:, :, 0], rest[:, :, 1]) < max(3.0, 3 * float(np.median(_length(left))))


def _rest(of: Small, factors: Floats) -> Floats:
    """Return what a tone, factors (knots, 2), leaves of all the picture, (H, W, 2)."""
    table = (_hats(np.linspace(0, 1, 256, dtype=np.float32)) @ factors).astype(np.float32)
    return of.ab - table[(of.lightness * 255).astype(np.uint8)]


def _box(alike: NDArray[np.bool_]) -> Any:
    """Return the smallest turned rectangle around the piece that holds the middle, as OpenCV's RotatedRect."""
    kernel = np.ones((5, 5), np.uint8)
    closed = cv2.morphologyEx(alike.astype(np.uint8), cv2.MORPH_CLOSE, kernel)
    opened = cv2.morphologyEx(closed, cv2.MORPH_OPEN, np.ones((9, 9), np.uint8))
    _, labels, stats, _ = cv2.connectedComponentsWithStats(opened)
    if len(stats) < 2:
        return ((alike.shape[1] / 2, alike.shape[0] / 2), (1.0, 1.0), 0.0)
    largest = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    outlines, _ = cv2.findContours((labels == largest).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    return cv2.minAreaRect(outlines[0])


def _filled(box: Any, shape: tuple[int, int], margin: int) -> NDArray[np.bool_]:
    """Draw a turned rectangle, larger by `margin` pixels on each side, but never drawn in from the picture's edge."""
    canvas = np.zeros((shape[0] + 16, shape[1] + 16), np.uint8)
    centre, (width, height), angle = box
    size = max(1.0, width + 2 * margin), max(1.0, height + 2 * margin)
    points = cv2.boxPoints((centre, size, angle)) + 8
    cv2.fillConvexPoly(canvas, np.round(points).astype(np.int32), 1)
    return canvas[8:-8, 8:-8].astype(np.bool_)
