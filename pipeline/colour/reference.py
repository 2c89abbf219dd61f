"""The tutorial's algorithm, step by step: what every faster path is held to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

# Subtracted from lightness before the net sees it; part of the release net's training.
LIGHTNESS_CENTRE = 50.0

Predict = Callable[[NDArray[np.float32]], NDArray[np.float32]]


def colorize_reference(picture: NDArray[np.uint8], predict: Predict, size: int = 224) -> NDArray[np.uint8]:
    """Colorize one picture with whole float32 pictures in memory, slowly and without shortcuts.

    Source: the OpenCV colorization tutorial after Zhang, Isola and Efros, "Colorful Image Colorization" (2016).

    Args:
        picture: uint8 BGR (H, W, 3) or grey (H, W), sRGB.
        predict: takes lightness minus 50, float32 (size, size); gives ab, float32 (2, h, w), in Lab units.
        size: side of the net's square input in pixels.

    Returns:
        uint8 BGR (H, W, 3), values truncated, not rounded.
    """
    lab = lab_of(picture)
    height, width = lab.shape[:2]
    lightness = cv2.resize(lab, (size, size))[:, :, 0] - np.float32(LIGHTNESS_CENTRE)
    ab = predict(lightness)
    ab_full = cv2.resize(ab.transpose(1, 2, 0), (width, height))
    joined = np.concatenate((lab[:, :, :1], ab_full), axis=2)
    bgr = np.clip(cv2.cvtColor(joined, cv2.COLOR_LAB2BGR), 0, 1)
    result: NDArray[np.uint8] = (bgr * 255).astype(np.uint8)
    return result


def lab_of(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the float32 Lab (H, W, 3) of a uint8 sRGB picture, BGR (H, W, 3) or grey (H, W).

    L lies in 0..100, a and b in about -110..110 (illuminant D65).
    """
    bgr: NDArray[Any] = cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR) if picture.ndim == 2 else picture
    scaled = bgr.astype(np.float32) / 255
    return cv2.cvtColor(scaled, cv2.COLOR_BGR2LAB)  # type: ignore[return-value]
