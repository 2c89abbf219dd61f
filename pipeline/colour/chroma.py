"""Chroma at a given luma: Cb and Cr of a grey value and ab, limited so that red, green and blue stay in range.

The colours that a luma allows are a convex set, and so are all colours together. So the limit need be computed only at
the nodes of ab and a few levels of luma: whatever is interpolated between them, in place or in luma, is in range too.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.colour.lightness import grey_lightness
from pipeline.colour.tones import Tones, in_srgb

# JFIF (ITU-T T.871), the numbers of ITU-R BT.601: differences of red, green and blue from luma.
RED_OF_CR: Final = 1.402
BLUE_OF_CB: Final = 1.772
GREEN_OF_CB: Final = -0.114 * 1.772 / 0.587
GREEN_OF_CR: Final = -0.299 * 1.402 / 0.587

Plane = NDArray[np.float32]

# Close together where lightness bends and where the limit does: 0.03 levels (mean) from the formula over 28 pictures.
_LEVELS: Final = (0, 2, 4, 6, 9, 12, 16, 20, 26, 32, 44, 64, 96, 128, 160, 192, 224, 240, 248, 255)
# Measured on 1 MB of second-level cache.
_STRIP_PIXELS: Final = 36864
_BLOCK_COLUMNS: Final = 8192
_LIGHT: Final = np.arange(4097) / 4095  # one step beyond white
_MOST_ROWS: Final = 1024  # `cv2.remap` takes sources of at most 32,767 rows


class Strip(NamedTuple):
    """Chroma of one rectangle.

    Attributes:
        rows, columns: where it lies.
        cb, cr: float32, as large as the rectangle, 0 is grey, -127.5..127.5; overwritten by the next strip.
    """

    rows: slice
    columns: slice
    cb: Plane
    cr: Plane


def chroma_of(luma: Plane, lightness: Plane, a: Plane, b: Plane, tones: Tones | None = None) -> tuple[Plane, Plane]:
    """Return the Cb and Cr that Lab (lightness, a, b) has in sRGB, drawn towards grey until `luma` can carry them.

    Args:
        luma: float32, any shape, 0..255: what Y will be.
        lightness: float32, the same shape, 0..100.
        a, b: float32, the same shape, Lab units.
        tones: of a picture whose numbers, and so its luma, have another tone curve than sRGB's.

    Returns:
        cb, cr: float32, the same shape, 0 is grey; Y + 1.402 Cr and so on lie in 0..255. Where they had to be limited
        the ratio of Cb to Cr, the hue, is kept.
    """
    lab = cv2.merge((lightness, a, b))
    linear = cv2.cvtColor(lab.reshape(1, -1, 3), cv2.COLOR_LAB2LBGR)  # clipped to 0..1
    table = _gamma_table() if tones is None else tones.numbers_of(_LIGHT)
    blue, green, red = (_gamma(linear[0, :, channel], table).reshape(luma.shape) for channel in range(3))
    own = np.float32(0.299) * red + np.float32(0.587) * green + np.float32(0.114) * blue
    cb = (blue - own) * np.float32(1 / BLUE_OF_CB)
    cr = (red - own) * np.float32(1 / RED_OF_CR)
    share = _share(luma, cb, cr)
    return cb * share, cr * share


def _share(luma: Plane, cb: Plane, cr: Plane) -> Plane:
    """Return how much of a chroma fits above and below a luma: 0..1."""
    red, blue = cr * np.float32(RED_OF_CR), cb * np.float32(BLUE_OF_CB)
    green = cb * np.float32(GREEN_OF_CB) + cr * np.float32(GREEN_OF_CR)
    up = np.maximum(np.maximum(red, green), blue)
    down = -np.minimum(np.minimum(red, green), blue)
    tiny = np.float32(1e-6)
    fits = np.minimum((255 - luma) / np.maximum(up, tiny), luma / np.maximum(down, tiny))
    share: Plane = np.minimum(fits, np.float32(1))
    return share


def _gamma(linear: Any, table: Plane) -> Plane:
    """Return the numbers, 0..255, of linear light, 0..1, between the entries of a table, float32 (4097,)."""
    index: Plane = linear * np.float32(4095)
    below = index.astype(np.uint16)
    low = np.take(table, below)
    value: Plane = low + (np.take(table, below + 1) - low) * (index - below)
    return value


@functools.cache
def _gamma_table() -> Plane:
    return (in_srgb(_LIGHT) * 255).astype(np.float32)


def chroma_strips(
    grey: NDArray[np.uint8] | NDArray[np.uint16],
    ab: Plane,
    size: tuple[int, int],
    step: int,
    band: int = 0,
    tones: Tones | None = None,
) -> Iterator[Strip]:
    """Give the chroma of a picture, strip by strip.

    Args:
        grey: uint8 or uint16 (h, w), sRGB, 255 or 65535 is white: the picture, or its means over step x step pixels.
        ab: float32 (m, n, 2), Lab units; interpolated bilinearly, half-pixel centres.
        size: (H, W) of the picture in pixels, before it was reduced by `step`.
        step: pixels of the picture to one of `grey`, 1 or 2.
        band: the strips of so many rows come before those of the rows below; 0: they come in any order.
        tones: of a picture whose tone curve is another than sRGB's.
    """
    a, b = (np.ascontiguousarray(plane, dtype=np.float32) for plane in (ab[:, :, 0], ab[:, :, 1]))
    # In small and narrow pictures, and with a large ab, the table would cost more than every pixel by itself.
    worth = a.size * len(_LEVELS) < grey.size and a.shape[1] * len(_LEVELS) < 4 * grey.shape[1]
    source = _Table(a, b, tones) if worth else _Formula(a, b, tones)
    down = _positions(a.shape[0], size[0], step, grey.shape[0])
    across = _positions(a.shape[1], size[1], step, grey.shape[1])
    for columns, rows in _rectangles(grey.shape[0], grey.shape[1], band or grey.shape[0]):
        x = np.repeat(across[np.newaxis, columns], rows.stop - rows.start, axis=0)
        cb, cr = source.sample(grey[rows, columns], down[rows], x)
        yield Strip(rows, columns, cb, cr)


def _rectangles(height: int, width: int, band: int) -> Iterator[tuple[slice, slice]]:
    """Give columns and rows of rectangles that are worked on at once."""
    for first in range(0, height, band):
        last = min(first + band, height)
        for left in range(0, width, _BLOCK_COLUMNS):
            columns = slice(left, min(left + _BLOCK_COLUMNS, width))
            count = max(1, min(height, _MOST_ROWS, _STRIP_PIXELS // (columns.stop - columns.start)))
            for top in range(first, last, count):
                yield columns, slice(top, min(top + count, last))


def _positions(nodes: int, full: int, step: int, count: int) -> Plane:
    """Return where the middles of `count` samples lie among the nodes, 0..nodes - 1."""
    middle = np.minimum((np.arange(count) + 0.5) * step, full - 0.5)  # the last of an odd size is one pixel repeated
    at = middle * (nodes / full) - 0.5
    inside: Plane = np.clip(at, 0, nodes - 1).astype(np.float32)
    return inside


class _Formula:
    """Each pixel by itself."""

    def __init__(self, a: Plane, b: Plane, tones: Tones | None) -> None:
        self.a, self.b, self.tones = a, b, tones

    def sample(self, grey: NDArray[np.uint8] | NDArray[np.uint16], y: Plane, x: Plane) -> tuple[Plane, Plane]:
        rows = slice(int(y[0]), int(y[-1]) + 2)
        mapped = np.broadcast_to((y - rows.start)[:, np.newaxis], x.shape)
        a, b = (_sampled(plane[rows], x, np.ascontiguousarray(mapped)) for plane in (self.a, self.b))
        luma = grey.astype(np.float32) * np.float32(255 / np.iinfo(grey.dtype).max)
        return chroma_of(luma, lightness_of(luma, self.tones), a, b, self.tones)


class _Table:
    """Chroma at each node of ab and each of a few levels of luma; pixels are interpolated.

    For each row of pixels there is a picture of its own, levels downward and nodes across; those of a strip lie below
    one another, so that one call of `cv2.remap` looks up a whole strip.
    """

    def __init__(self, a: Plane, b: Plane, tones: Tones | None) -> None:
        shape = (a.shape[0], len(_LEVELS), a.shape[1])
        levels = np.array(_LEVELS, np.float32)
        by_level = (plane[:, np.newaxis] for plane in (levels, lightness_of(levels, tones), a, b))
        luma, lightness, a, b = (np.broadcast_to(plane, shape).reshape(-1, 1) for plane in by_level)
        self.planes = [plane.reshape(shape[0], -1) for plane in chroma_of(luma, lightness, a, b, tones)]
        self.nodes = shape[2]

    def sample(self, grey: NDArray[np.uint8] | NDArray[np.uint16], y: Plane, x: Plane) -> tuple[Plane, Plane]:
        at: Plane = cv2.LUT(grey, _level_of(256)) if grey.dtype == np.uint8 else np.take(_level_of(65536), grey)  # type: ignore[assignment]
        at += (np.arange(len(y), dtype=np.float32) * len(_LEVELS))[:, np.newaxis]
        mix, used = _mix(y, len(self.planes[0]))
        cb, cr = (_sampled((mix @ plane[used]).reshape(-1, self.nodes), x, at) for plane in self.planes)
        return cb, cr


@functools.cache
def _level_of(count: int) -> Plane:
    """Return where `count` grey values, black to white, lie among the levels of the table."""
    return np.interp(np.linspace(0, 255, count), _LEVELS, np.arange(len(_LEVELS))).astype(np.float32)


def _sampled(plane: Plane, x: Plane, y: Plane) -> Plane:
    return cv2.remap(plane, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)  # type: ignore[return-value]


def _mix(y: Plane, nodes: int) -> tuple[Plane, slice]:
    """Return the matrix that takes rows of nodes to rows of pixels at `y`, and the rows of nodes that it needs."""
    low = int(y[0])
    below = y.astype(np.intp) - low
    mix = np.zeros((len(y), int(below[-1]) + 2), np.float32)
    row, weight = np.arange(len(y)), y - np.floor(y)
    mix[row, below] = 1 - weight
    mix[row, below + 1] = weight
    mix = mix[:, : nodes - low]  # the row after the last has weight 0
    return mix, slice(low, low + mix.shape[1])


def lightness_of(luma: Plane, tones: Tones | None = None) -> Plane:
    """Return the Lab lightness, 0..100, of grey values: float32, any shape, 0..255, also between whole numbers."""
    if tones is not None:
        return tones.lightness_of(luma)
    table = grey_lightness()
    below = np.minimum(luma.astype(np.uint8), np.uint8(254))
    low = np.take(table, below)
    return low + (np.take(table, below + np.uint8(1)) - low) * (luma - below)
