"""Rectangles that straight edges draw in a picture: each may be a print that was photographed on something else."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.colour.features import LONGEST, resized, unit

_SIDE: Final = 256  # pixels of the copy in which edges are looked for
_LEAST_LINE: Final = 0.3  # of the shorter side
_SLOPE: Final = 0.27  # 15 degrees
_APART: Final = 6.0  # pixels, between two candidates for one side
_EACH: Final = 4  # candidates for each side, the longest; and the picture's own edge
_LINES: Final = 60
_SQUARE: Final = 0.09  # cosine of the angle at a corner
_AREA: Final = (0.5, 0.97)  # of the picture: less may be a grey thing in a colour photograph
_INSET: Final = 4.0  # pixels: what lies along the edge is left out
_LOOKED_AT: Final = 12

_Line = NDArray[np.float64]  # x and y of its ends


def rectangles(picture: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """Yield what lies within rectangles that fill much of a picture, the largest first, a dozen at most.

    Of each at least three sides are straight edges in lightness or colour (Canny; the probabilistic Hough transform of
    Matas, Galambos, Kittler 2000); the fourth may be the picture's own.

    Args:
        picture: BGR (H, W, 3), sRGB; uint8, uint16, or float 0..1.

    Yields:
        BGR float32 0..1, turned upright, 128 pixels on the longer side.
    """
    small = unit(resized(picture, _SIDE))
    found = sorted(_corners(small), key=cv2.contourArea, reverse=True)
    for corners in found[:: max(1, len(found) // _LOOKED_AT)][:_LOOKED_AT]:
        yield _cut(small, corners)


def _edges(small: NDArray[np.float32]) -> list[_Line]:
    lab: Any = cv2.cvtColor((small * 255).astype(np.uint8), cv2.COLOR_BGR2LAB)
    edges = np.zeros(lab.shape[:2], np.uint8)
    for channel, low in enumerate((40, 20, 20)):
        plane = cv2.GaussianBlur(np.ascontiguousarray(lab[:, :, channel]), (3, 3), 0)
        edges |= cv2.Canny(plane, low, 3 * low)
    least = _LEAST_LINE * min(edges.shape)
    found = cv2.HoughLinesP(edges, 1, np.pi / 360, 40, minLineLength=least, maxLineGap=6)
    if found is None:
        return []
    lines = found.reshape(-1, 4).astype(np.float64)
    return sorted(lines, key=lambda line: -float(np.hypot(*(line[2:] - line[:2]))))[:_LINES]


def _corners(small: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
    """Yield corners, float32 (4, 2), clockwise from the upper left one, of what is nearly a rectangle."""
    height, width = small.shape[:2]
    lines = _edges(small)
    flat = [line for line in lines if abs(line[3] - line[1]) < _SLOPE * abs(line[2] - line[0])]
    steep = [line for line in lines if abs(line[2] - line[0]) < _SLOPE * abs(line[3] - line[1])]
    sides = (
        _side(flat, lambda line: (line[1] + line[3]) / height < 0.8, (0, 0, width, 0)),
        _side(flat, lambda line: (line[1] + line[3]) / height > 1.2, (0, height, width, height)),
        _side(steep, lambda line: (line[0] + line[2]) / width < 0.8, (0, 0, 0, height)),
        _side(steep, lambda line: (line[0] + line[2]) / width > 1.2, (width, 0, width, height)),
    )
    for chosen in itertools.product(*sides):
        if sum(own for _, own in chosen) > 1:
            continue
        top, bottom, left, right = (np.cross([*line[:2], 1], [*line[2:], 1]) for line, _ in chosen)
        met = [np.cross(*pair) for pair in ((top, left), (top, right), (bottom, right), (bottom, left))]
        if all(abs(point[2]) > 1e-6 for point in met):
            corners = np.array([point[:2] / point[2] for point in met], np.float32)
            if _AREA[0] < cv2.contourArea(corners) / (height * width) < _AREA[1] and _is_square(corners):
                yield corners


def _side(
    lines: Sequence[_Line], lies: Callable[[_Line], bool], own: tuple[float, float, float, float]
) -> list[tuple[_Line, bool]]:
    """Return the longest lines that lie where a side is looked for, and the picture's own edge (marked)."""
    chosen = list[_Line]()
    for line in lines:
        if len(chosen) < _EACH and lies(line) and all(_apart(line, other) > _APART for other in chosen):
            chosen.append(line)
    return [*((line, False) for line in chosen), (np.array(own, np.float64), True)]


def _apart(line: _Line, other: _Line) -> float:
    """Return how far the middle of a line lies from another one, in pixels."""
    along = other[2:] - other[:2]
    across = np.array([-along[1], along[0]]) / np.hypot(*along)
    return abs(float(((line[:2] + line[2:]) / 2 - other[:2]) @ across))


def _is_square(corners: NDArray[np.float32]) -> bool:
    forward = np.roll(corners, -1, axis=0) - corners
    backward = np.roll(corners, 1, axis=0) - corners
    lengths = np.linalg.norm(forward, axis=1) * np.linalg.norm(backward, axis=1)
    return bool((np.abs((forward * backward).sum(axis=1)) <= _SQUARE * np.maximum(lengths, 1e-6)).all())


def _cut(small: NDArray[np.float32], corners: NDArray[np.float32]) -> NDArray[Any]:
    wide, high = (float(np.linalg.norm(corners[each] - corners[0])) for each in (1, 3))
    inner = np.array([max(0.1, 1 - 2 * _INSET / wide), max(0.1, 1 - 2 * _INSET / high)], np.float32)
    middle = corners.mean(axis=0)
    scale = LONGEST / max(wide, high)
    width, height = max(8, int(wide * scale)), max(8, int(high * scale))
    onto = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    way = cv2.getPerspectiveTransform((middle + (corners - middle) * inner).astype(np.float32), onto)
    return np.clip(cv2.warpPerspective(small, way, (width, height), flags=cv2.INTER_LINEAR), 0, 1)
