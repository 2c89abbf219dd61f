"""RGB whose luma is a given grey exactly: for formats that store what they are given, every bit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.colour.chroma import BLUE_OF_CB, RED_OF_CR, chroma_strips
from pipeline.colour.tones import Tones

Sample = TypeVar("Sample", np.uint8, np.uint16)
Plane = NDArray[np.float32]

_RED, _GREEN, _BLUE = (np.float32(weight) for weight in (0.299, 0.587, 0.114))
# Where chroma has to give way for a grey to be met: tried one after the other; without any it always is.
_LESS: Final = (1.0, 0.9, 0.6, 0.3, 0.0)
# How far the weights of readers' integer arithmetic are from the decimals, times the differences that 8 bits hold.
_SLACK: Final = np.float32(0.012)


def exact_rgb(
    grey: NDArray[Sample], ab: Plane, *, saturation: float = 1.0, tones: Tones | None = None
) -> NDArray[Sample]:
    """Return a colour picture of which the usual luma, 0.299 R + 0.587 G + 0.114 B, is `grey`, each pixel of it.

    8 bits: so it is for all who take the luma in integers, whether they round or cut off: OpenCV's `cvtColor` (15
    bits) and its TIFF reader (14 bits, both rounding), its PNG reader (libpng, 15 bits, cutting off), Pillow's
    `convert("L")` (16 bits, rounding) and the decimals, rounded or cut off. 16 bits: for `cvtColor` and for the
    decimals, rounded; others' weights are so coarse that they disagree with these by a level or two of 65,535.

    Red and blue are rounded, green is what the luma asks for, and where that misses (green moves luma in steps of
    0.587) blue makes up by a level or two.

    Args:
        grey: uint8 or uint16 (H, W), sRGB, 255 or 65535 is white.
        ab: float32 (m, n, 2), a and b in Lab units, at any size; as in `luma.chroma_planes`, at full size.
        saturation: factor on ab, 0 or more.
        tones: of a picture whose tone curve is another than sRGB's.

    Returns:
        As `grey`, BGR (H, W, 3).

    Raises:
        ValueError: arrays of the wrong shape or type.
    """
    return next(exact_bands(grey, ab, grey.shape[0], saturation=saturation, tones=tones))


def exact_bands(
    grey: NDArray[Sample], ab: Plane, band: int, *, saturation: float = 1.0, tones: Tones | None = None
) -> Iterator[NDArray[Sample]]:
    """Give the picture of `exact_rgb` from top to bottom, in bands of so many rows; the last may have fewer."""
    if grey.ndim != 2 or grey.dtype not in (np.uint8, np.uint16):
        raise ValueError(f"grey is {grey.dtype} of the shape {grey.shape}, not uint8 or uint16 (H, W)")
    if ab.ndim != 3 or ab.shape[2] != 2:
        raise ValueError(f"ab has the shape {ab.shape}, not (h, w, 2)")
    height, width = grey.shape
    scale = np.float32(np.iinfo(grey.dtype).max / 255)
    top, out = 0, np.empty((min(band, height), width, 3), grey.dtype)
    for strip in chroma_strips(grey, ab * np.float32(saturation), (height, width), 1, band, tones):
        if strip.rows.start >= top + len(out):
            yield out
            top += len(out)
            out = np.empty((min(band, height - top), width, 3), grey.dtype)
        rows = slice(strip.rows.start - top, strip.rows.stop - top)
        here = grey[strip.rows, strip.columns]
        _fill(here, strip.cb * scale, strip.cr * scale, out[rows, strip.columns])
    yield out


def _fill(grey: NDArray[Any], cb: Plane, cr: Plane, out: NDArray[Any]) -> None:
    """Write BGR into `out`; what a first try does not meet is tried again with less chroma."""
    white = np.float32(np.iinfo(grey.dtype).max)
    luma = grey.astype(np.float32)
    *channels, met = _integers(luma, cb, cr, white)
    cv2.merge([channel.astype(grey.dtype) for channel in channels], out)
    for share in _LESS[1:]:
        if met.all():
            return
        missed = np.nonzero(~met)
        *channels, again = _integers(luma[missed], cb[missed] * share, cr[missed] * share, white)
        out[missed] = np.stack(channels, axis=-1).astype(grey.dtype)
        met[missed] = again


def _integers(luma: Plane, cb: Plane, cr: Plane, white: np.float32) -> tuple[Plane, Plane, Plane, NDArray[np.bool_]]:
    """Return blue, green and red in whole numbers, and where they meet the luma.

    All are relative to the luma until the end: float32 holds the small differences exactly.
    """
    red, blue = cr * np.float32(RED_OF_CR), cb * np.float32(BLUE_OF_CB)
    np.rint(red, out=red)
    np.rint(blue, out=blue)
    rest = red * -_RED
    rest -= blue * _BLUE
    middle, half = _window(red, blue, rest, white)
    rest += middle
    green = rest * (1 / _GREEN)
    np.rint(green, out=green)
    rest -= _GREEN * green  # what is missing: at most half of 0.587
    met = _make_up(rest, half, blue, (red != 0) | (blue != 0))
    for channel in (red, green, blue):
        channel += luma
        if channel.min() < 0 or channel.max() > white:
            met &= (channel >= 0) & (channel <= white)
    return blue, green, red, met


def _make_up(rest: Plane, half: Any, blue: Plane, coloured: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Shift blue by as little as brings what is missing within `half`; return where that did."""
    shift = np.abs(rest)
    shift -= half
    shift *= 1 / _BLUE
    np.ceil(shift, out=shift)
    np.maximum(shift, 0, out=shift)
    shift *= coloured
    np.copysign(shift, rest, out=shift)
    blue += shift
    shift *= _BLUE
    rest -= shift
    np.abs(rest, out=rest)
    met: NDArray[np.bool_] = rest <= half
    met |= ~coloured
    return met


def _window(red: Plane, blue: Plane, green: Plane, white: np.float32) -> tuple[Any, Any]:
    """Return the middle and half the width of the window of luma, relative to grey, that all readers call grey."""
    if white == 255:
        return np.float32(0.25), np.float32(0.25) - _SLACK
    # `cvtColor` weighs with 9798, 19235 and 3735 of 32768; `green` is what 0.587 times green will be, but for rounding.
    apart = red * np.float32(9798 / 32768 - 0.299)
    apart += green * np.float32(19235 / 32768 / 0.587 - 1)
    apart += blue * np.float32(3735 / 32768 - 0.114)
    return apart * np.float32(-0.5), (1 - np.abs(apart)) * np.float32(0.5) - np.float32(0.02)
