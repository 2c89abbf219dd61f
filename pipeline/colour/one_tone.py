"""The strict rule: one tone, a cubic of lightness, explains all colour of a picture."""

from __future__ import annotations

from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.colour.features import resized, unit

_LONGEST: Final = 256
_FITTED: Final = 4096
# Chroma in Lab units. Tuned on 28 black-and-white scans and 630 colour photographs.
_ACROSS_MEAN: Final = 1.15
_ACROSS_95: Final = 3.1
_ALONG_95: Final = 0.75
_ALONG_LEAST: Final = 3.0
_OPPOSITE_98: Final = 1.0
_TONE_MOST: Final = 60.0  # the deepest sepia seen has 27; a plain red card is no tone


def is_one_tone(picture: NDArray[Any]) -> bool:
    """Say whether one tone explains all colour of a picture: hue and chroma as a smooth function of lightness.

    Stains and fading change a tone's strength, not its hue. So what the tone leaves is measured across its hue, along
    it, and in the opposite hue. Small coloured things (a stamp, pencil) are let pass.

    Args:
        picture: BGR (H, W, 3), sRGB; uint8, uint16, or float 0..1.
    """
    lab: Any = cv2.cvtColor(unit(resized(picture, _LONGEST)), cv2.COLOR_BGR2LAB)
    lightness: NDArray[np.float32] = lab[:, :, 0].ravel() / np.float32(100)
    # A little blur takes the grain of JPEG's chroma.
    ab = cv2.blur(np.ascontiguousarray(lab[:, :, 1:]), (3, 3)).reshape(-1, 2).astype(np.float32)
    mean = float(np.hypot(ab[:, 0], ab[:, 1]).mean())
    tone = _tone(lightness, ab)
    rest = ab - tone
    hue = tone / np.maximum(np.hypot(tone[:, 0], tone[:, 1]), 1e-6)[:, np.newaxis]
    across = np.abs(rest[:, 0] * hue[:, 1] - rest[:, 1] * hue[:, 0])
    along = np.abs((rest * hue).sum(axis=1))
    opposite = -(ab * hue).sum(axis=1)
    return bool(
        mean <= _TONE_MOST
        and across.mean() <= _ACROSS_MEAN
        and np.percentile(across, 95) <= _ACROSS_95
        and np.percentile(along, 95) <= max(_ALONG_95 * mean, _ALONG_LEAST)
        and np.percentile(opposite, 98) <= _OPPOSITE_98
    )


def _tone(lightness: NDArray[np.float32], ab: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the tone's ab (N, 2) at each lightness 0..1 (N,): cubic fits, outliers weighed down."""
    powers = np.stack((np.ones_like(lightness), lightness, lightness**2, lightness**3), axis=1)
    step = (lightness.size // _FITTED) | 1  # an odd step walks through all columns
    known, wanted = powers[::step], ab[::step]
    weight: NDArray[np.float32] = np.ones((len(known), 1), np.float32)
    for _ in range(4):
        weighted = known * weight
        # Normal equations, 4 x 4, with a ridge for pictures of one lightness.
        system = weighted.T @ weighted + 1e-4 * np.eye(4, dtype=np.float32)
        factors = np.linalg.solve(system, weighted.T @ (wanted * weight)).astype(np.float32)
        rest = wanted - known @ factors
        left = np.hypot(rest[:, 0], rest[:, 1])[:, np.newaxis]
        weight = (1 / np.sqrt(np.maximum(left, 1))).astype(np.float32)
    tone: NDArray[np.float32] = powers @ factors
    return tone
