"""Cb and Cr for a picture whose luma is kept: at half or full size, never through a picture of floats."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.colour.chroma import chroma_strips
from pipeline.colour.tones import Tones

Plane = NDArray[np.uint8]


def halved(grey: Plane) -> Plane:
    """Return the means over 2 x 2 pixels.

    Args:
        grey: uint8 (H, W), at least 1 x 1; an odd last row or column is repeated.

    Returns:
        uint8 (ceil(H / 2), ceil(W / 2)).
    """
    height, width = grey.shape
    if height % 2 or width % 2:
        grey = cv2.copyMakeBorder(grey, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)  # type: ignore[assignment]
    size = (width + 1) // 2, (height + 1) // 2
    return cv2.resize(grey, size, interpolation=cv2.INTER_AREA)  # type: ignore[return-value]


def chroma_planes(
    grey: Plane,
    ab: NDArray[np.float32],
    *,
    size: tuple[int, int] | None = None,
    saturation: float = 1.0,
    tones: Tones | None = None,
) -> tuple[Plane, Plane]:
    """Return the Cb and Cr that give a grey picture the colour ab, its luma being left alone.

    The hue and chroma are those of `compose` (Lab lightness of the grey joined to ab, in sRGB); where the luma cannot
    carry so much, Cb and Cr are drawn towards grey by the same factor until red, green and blue are in range. Over 28
    scans the colours are CIEDE2000 0.8 (mean) from `compose`, most of it the luma that `compose` does not keep. At
    half size the range is held for the mean of 2 x 2 pixels: at hard edges a decoder cuts 0.3 % of pixels by more
    than one level.

    Args:
        grey: uint8 (h, w), sRGB: the whole picture (chroma at full size, 4:4:4), or what `halved` makes of it (4:2:0).
        ab: float32 (m, n, 2), a and b in Lab units, at any size.
        size: (H, W) of the picture, in pixels, when `grey` is halved: h = ceil(H / 2), w = ceil(W / 2). A decoder
            that delivers half the size, rounded up, is as good. None: `grey` is the picture itself.
        saturation: factor on ab, 0 or more.
        tones: of a picture whose tone curve is another than sRGB's.

    Returns:
        cb, cr: uint8 (h, w), JFIF's full range (ITU-T T.871), 128 is grey.

    Raises:
        ValueError: arrays of the wrong shape.
    """
    step = 1 if size is None else 2
    size = size or (grey.shape[0], grey.shape[1])
    if grey.ndim != 2 or grey.shape != tuple(-(-side // step) for side in size):
        raise ValueError(f"grey has the shape {grey.shape}, not that of {size}, halved")
    if ab.ndim != 3 or ab.shape[2] != 2:
        raise ValueError(f"ab has the shape {ab.shape}, not (h, w, 2)")
    cb, cr = np.empty(grey.shape, np.uint8), np.empty(grey.shape, np.uint8)
    for strip in chroma_strips(grey, ab * np.float32(saturation), size, step, tones=tones):
        for plane, values in ((cb, strip.cb), (cr, strip.cr)):
            np.add(values, np.float32(128.5), out=values)  # converting cuts off, so half a level rounds
            np.copyto(plane[strip.rows, strip.columns], values, casting="unsafe")
    return cb, cr
