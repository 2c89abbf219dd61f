"""Samples of pictures in the forms that every room takes: of 8 bits, and as grey."""

from __future__ import annotations

from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

Sample = TypeVar("Sample", np.uint8, np.uint16)


def eight_bits(samples: NDArray[np.uint8] | NDArray[np.uint16]) -> NDArray[np.uint8]:
    """Return uint8 or uint16 samples of any shape as uint8, full range to full range, rounded."""
    if samples.dtype == np.uint8:
        return samples  # type: ignore[return-value]
    return cv2.convertScaleAbs(samples, alpha=1 / 257)  # type: ignore[return-value]


def grey_of(pixels: NDArray[Sample]) -> NDArray[Sample]:
    """Return the usual luma, 0.299 R + 0.587 G + 0.114 B rounded, of BGR (H, W, 3); grey (H, W) as it is."""
    return pixels if pixels.ndim == 2 else cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY)  # type: ignore[return-value]
