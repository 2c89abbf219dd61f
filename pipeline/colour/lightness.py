"""Lightness: of the 256 grey values by table, and of the few samples that a net sees."""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

from pipeline.colour.reference import lab_of


@functools.cache
def grey_lightness() -> NDArray[np.float32]:
    """Return the lightness of the 256 grey values: float32 (256,), 0..100; the very bits of `COLOR_BGR2LAB`."""
    ramp = np.arange(256, dtype=np.uint8).reshape(1, 256)
    table = np.ascontiguousarray(lab_of(ramp)[0, :, 0])
    table.setflags(write=False)
    return table


def net_lightness(picture: NDArray[np.uint8], size: int) -> NDArray[np.float32]:
    """Return what the net sees: the picture's Lab lightness, resized bilinearly to (size, size).

    The same as `cv2.resize(Lab of the whole picture, (size, size))[..., 0]` (half-pixel centres, no antialiasing,
    border replicated) to 1e-4, but only the pixels that the resize touches are converted: two rows and two columns
    for each sample.

    Args:
        picture: uint8 BGR (H, W, 3) or grey (H, W), sRGB.
        size: side of the net's square input in pixels.

    Returns:
        float32 (size, size), 0..100.
    """
    top, bottom, down = bilinear_taps(picture.shape[0], size)
    left, right, across = bilinear_taps(picture.shape[1], size)
    rows, row_of = np.unique(np.concatenate((top, bottom)), return_inverse=True)
    columns, column_of = np.unique(np.concatenate((left, right)), return_inverse=True)
    touched = np.take(np.take(picture, rows, axis=0), columns, axis=1)
    if picture.ndim == 2:
        lightness = np.take(grey_lightness(), touched)
    else:
        lightness = np.ascontiguousarray(lab_of(touched)[:, :, 0])
    first, second = np.take(lightness, column_of[:size], axis=1), np.take(lightness, column_of[size:], axis=1)
    narrow = first + (second - first) * across
    above, below = np.take(narrow, row_of[:size], axis=0), np.take(narrow, row_of[size:], axis=0)
    result: NDArray[np.float32] = above + (below - above) * down[:, np.newaxis]
    return result


def bilinear_taps(source: int, target: int) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]:
    """Return for each of `target` samples the two source indices and the weight of the second one.

    The arithmetic of `cv2.resize` with INTER_LINEAR: half-pixel centres, border replicated.

    Returns:
        first: intp (target,), second: intp (target,), weight of the second: float32 (target,), 0..1.
    """
    # Positions in float64: in float32 they are off by 1e-3 pixels in a scan of 10,000 columns.
    at = (np.arange(target) + 0.5) * (source / target) - 0.5
    below = np.floor(at)
    first = below.astype(np.intp)
    weight = (at - below).astype(np.float32)
    return np.clip(first, 0, source - 1), np.clip(first + 1, 0, source - 1), weight
