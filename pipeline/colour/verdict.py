"""Is a picture already in colour? Black-and-white photographs are often toned: sepia, cyanotype, yellowed paper."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.colour.reference import lab_of

_LONGEST: Final = 256
_FITTED: Final = 4096
# Chroma in Lab units. Tuned on 28 black-and-white scans and 630 colour photographs; docs/fidelity.md has the figures.
_NEUTRAL_MEAN: Final = 1.5
_NEUTRAL_95: Final = 3.0
_ACROSS_MEAN: Final = 1.15
_ACROSS_95: Final = 3.1
_ALONG_95: Final = 0.75
_OPPOSITE_98: Final = 1.0
_TONE_MOST: Final = 60.0  # the deepest sepia seen has 27; a plain red card is no tone


@dataclass(frozen=True, slots=True)
class Verdict:
    """What colour a picture holds.

    Attributes:
        kind: "neutral" (grey), "toned" (one tone whose chroma follows lightness) or "color".
        chroma: mean chroma, Lab units, 0 for grey.
    """

    kind: Literal["neutral", "toned", "color"]
    chroma: float


def judge(picture: NDArray[np.uint8]) -> Verdict:
    """Say whether a picture is grey, toned or in colour, from a copy of at most 256 pixels.

    A tone is hue and chroma as a smooth function of lightness; stains and fading change its strength, not its hue. So
    cubic polynomials of L are fitted to a and b (robustly, by reweighting), and what is left is measured across the
    tone's hue, along it, and in the opposite hue. Small coloured things (a stamp, pencil) are let pass.

    Args:
        picture: uint8 BGR (H, W, 3) or grey (H, W), sRGB.
    """
    if picture.ndim == 2:
        return Verdict("neutral", 0.0)
    lab = lab_of(_reduced(picture))
    lightness: NDArray[np.float32] = lab[:, :, 0].ravel() / np.float32(100)
    # A little blur takes the grain of JPEG's chroma.
    ab = cv2.blur(np.ascontiguousarray(lab[:, :, 1:]), (3, 3)).reshape(-1, 2).astype(np.float32)
    chroma = np.hypot(ab[:, 0], ab[:, 1])
    mean = float(chroma.mean())
    if mean < _NEUTRAL_MEAN and np.percentile(chroma, 95) < _NEUTRAL_95:
        return Verdict("neutral", mean)
    tone = _tone(lightness, ab)
    rest = ab - tone
    hue = tone / np.maximum(np.hypot(tone[:, 0], tone[:, 1]), 1e-6)[:, np.newaxis]
    across = np.abs(rest[:, 0] * hue[:, 1] - rest[:, 1] * hue[:, 0])
    along = np.abs((rest * hue).sum(axis=1))
    opposite = -(ab * hue).sum(axis=1)
    toned = (
        mean <= _TONE_MOST
        and across.mean() <= _ACROSS_MEAN
        and np.percentile(across, 95) <= _ACROSS_95
        and np.percentile(along, 95) <= max(_ALONG_95 * mean, _NEUTRAL_95)
        and np.percentile(opposite, 98) <= _OPPOSITE_98
    )
    return Verdict("toned" if toned else "color", mean)


def _reduced(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = picture.shape[:2]
    # Whole pixels are skipped first: averaging 24 megapixels would cost as much as decoding them.
    step = max(1, min(height, width, max(height, width) // (4 * _LONGEST)))
    picture = picture[::step, ::step]
    height, width = picture.shape[:2]
    scale = _LONGEST / max(height, width)
    if scale >= 1:
        return np.ascontiguousarray(picture)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return cv2.resize(np.ascontiguousarray(picture), size, interpolation=cv2.INTER_AREA)  # type: ignore[return-value]


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
