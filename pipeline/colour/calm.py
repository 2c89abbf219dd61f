"""Calm planes: on smooth connected surfaces (skies, backdrops, walls) chroma is drawn to the surface's own mean.

A net that guesses pixel by pixel mottles what has nothing to guess by. Truth mottles less: on held-out photographs the
answer of the embedded net spreads 1.7 times as far within a plane as the photograph does.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

_SIDE: Final = 96
# Sigma in pixels of that size: takes grain out of the lightness before its gradient is looked at.
_GRAIN: Final = 1.5
# L a pixel. A quarter of what old photographs show lies below this; on held-out ones every figure gains up to here.
_SMOOTH: Final = 1.4
# Share of a picture from which a surface is a plane.
_LEAST: Final = 0.015
# Pixels over which the pull begins at a plane's border.
_SOFT: Final = 3.0


def calmed(ab: Floats, lightness: Floats, strength: float) -> Floats:
    """Draw the chroma of each plane to its mean.

    Args:
        ab: float32 (h, w, 2), Lab units; what else is known of each place may lie behind it, in more channels.
        lightness: float32 (S, S), 0..100, of the same picture.
        strength: 0 leaves ab as it is, 1 gives the inside of a plane one colour.

    Returns:
        float32 (h, w, 2 or more); the very `ab` where there is no plane.
    """
    planes = planes_of(lightness)
    if not planes.any():
        return ab
    size = ab.shape[1], ab.shape[0]
    at_work: Floats = cv2.resize(ab, (_SIDE, _SIDE), interpolation=cv2.INTER_LINEAR).astype(np.float32)
    pull = (_means(planes, at_work) - at_work) * _weights(planes, strength)[:, :, np.newaxis]
    result: Floats = ab + cv2.resize(pull, size, interpolation=cv2.INTER_AREA if size[0] < _SIDE else cv2.INTER_LINEAR)
    return result


def planes_of(lightness: Floats) -> NDArray[np.int32]:
    """Return the number of the plane that each pixel is in, 0 for none: int32 (96, 96); lightness as for `calmed`."""
    small = cv2.resize(lightness, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), _GRAIN)
    across, down = (cv2.Sobel(small, cv2.CV_32F, x, 1 - x, scale=1 / 8) for x in (1, 0))
    smooth = (np.hypot(across, down) < _SMOOTH).astype(np.uint8)
    return large_planes(smooth, _LEAST)


def large_planes(smooth: NDArray[np.uint8], least: float) -> NDArray[np.int32]:
    """Return the number of the connected plane that each pixel is in, 0 for none.

    Args:
        smooth: uint8 (H, W), 1 where the picture is smooth.
        least: share of the picture from which on a plane counts.

    Returns:
        int32 (H, W).
    """
    # Thin bridges would make one of two surfaces.
    smooth = cv2.morphologyEx(smooth, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)).astype(np.uint8)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(smooth, connectivity=4)
    large = stats[:, cv2.CC_STAT_AREA] >= least * smooth.size
    large[0] = False
    planes: NDArray[np.int32] = np.where(large[labels], labels, 0).astype(np.int32)
    return planes


def _means(planes: NDArray[np.int32], ab: Floats) -> Floats:
    """Return the mean of the plane that each pixel is in: float32 (96, 96, channels)."""
    numbers = planes.ravel()
    counts = np.maximum(np.bincount(numbers), 1)
    means = np.stack([np.bincount(numbers, each.ravel()) / counts for each in np.moveaxis(ab, 2, 0)], axis=1)
    result: Floats = means[planes].astype(np.float32)
    return result


def _weights(planes: NDArray[np.int32], strength: float) -> Floats:
    """Return how far each pixel is drawn, 0 outside of planes, growing inward: float32 (96, 96), 0..strength."""
    depth = cv2.distanceTransform((planes > 0).astype(np.uint8), cv2.DIST_L2, 3)
    weights: Floats = (np.minimum(depth / _SOFT, 1) * strength).astype(np.float32)
    return weights
