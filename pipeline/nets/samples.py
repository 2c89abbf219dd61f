"""Lightness that looks like photographs as far as a net can tell: smooth areas, edges, grain; made up in code."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray


def sample_lightness(size: int, count: int = 3) -> list[NDArray[np.float32]]:
    """Make `count` different pictures, always the same ones: float32 (size, size), CIE L* 0..100.

    A sum of blurred noise of falling strength (photographs have about a 1/f spectrum), some shapes with sharp edges in
    front, and a little grain.
    """
    return [_picture(np.random.default_rng(1000 + number), size) for number in range(count)]


def _picture(random: np.random.Generator, size: int) -> NDArray[np.float32]:
    picture = np.zeros((size, size), np.float32)
    for cells in (2, 4, 8, 16, 32, 64):
        if cells <= size:
            noise = random.standard_normal((cells, cells), np.float32)
            picture += cv2.resize(noise, (size, size), interpolation=cv2.INTER_CUBIC) / np.float32(cells**0.8)
    low, high = np.percentile(picture, [1, 99])
    picture = (picture - np.float32(low)) / np.float32(max(high - low, 1e-6)) * np.float32(90) + np.float32(5)
    for _ in range(4):
        centre = tuple(int(each) for each in random.integers(0, size, 2))
        axes = tuple(int(each) for each in random.integers(max(1, size // 16), max(2, size // 4), 2))
        angle, shade = float(random.uniform(0, 180)), float(random.uniform(5, 95))
        mask = cv2.ellipse(np.zeros((size, size), np.uint8), centre, axes, angle, 0, 360, 255, -1) > 0
        picture[mask] = 0.3 * picture[mask] + np.float32(0.7 * shade)
    picture += random.normal(0, 1, (size, size)).astype(np.float32)
    return picture.clip(0, 100)
