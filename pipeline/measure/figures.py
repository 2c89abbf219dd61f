"""The figures of the model card, arrays in and numbers out; each docstring says how its figure is measured.

Lab arrays are float32, L 0..100, a and b in Lab units (D65). Pictures are uint8 BGR (H, W, 3), sRGB.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Pixels = NDArray[np.uint8]

# Zhang, Isola, Efros 2016: the share of pixels within an ab distance t, averaged over t = 0..150.
AUC_LIMIT = 150
# AuC and the chroma gradient are taken at one size, whatever size a net answers in.
COMMON_SIDE = 64
# Weights of rare colours are capped here: one odd pixel must not outweigh a whole picture.
RARITY_CAP = 0.999
# Below this gradient of lightness (L a pixel at 64 x 64) a surface counts as plain. The card of embedded-v1 does not
# say what it took; with this one its figure comes out (1.40 against 1.39).
FLAT = 0.9
# Around a picture that was moved by one pixel this margin is left out: there the border's own answer changes.
SHIFT_MARGIN = 8

_TABLE_RADIUS = 128


def picture_of(lightness: Floats, ab: Floats) -> Pixels:
    """Join lightness (H, W) and ab (H, W, 2) to a picture; values are rounded."""
    lab = np.dstack((lightness, ab)).astype(np.float32, copy=False)
    bgr: NDArray[Any] = cv2.cvtColor(lab, cv2.COLOR_LAB2BGR)
    return np.clip(bgr * 255 + 0.5, 0, 255).astype(np.uint8)


def enlarge(ab: Floats, side: int) -> Floats:
    """Resize ab (h, w, 2) to (side, side, 2), bilinear."""
    return cv2.resize(ab, (side, side), interpolation=cv2.INTER_LINEAR)  # type: ignore[return-value]


def at_common_size(ab: Floats) -> Floats:
    """Average ab (H, W, 2), or lightness (H, W), over areas down to 64 x 64."""
    return cv2.resize(ab, (COMMON_SIDE, COMMON_SIDE), interpolation=cv2.INTER_AREA)  # type: ignore[return-value]


def psnr(guess: Pixels, truth: Pixels) -> float:
    """Return the peak signal-to-noise ratio of two pictures over all channels, in dB (at most 107.9: no error).

    Args:
        guess, truth: uint8, of one shape.
    """
    difference = guess.astype(np.float32) - truth.astype(np.float32)
    return float(10 * np.log10(255.0**2 / max(float(np.mean(difference**2)), 1e-6)))


def ciede2000(first: Floats, second: Floats) -> NDArray[np.float64]:
    """Return the CIEDE2000 colour difference of each pixel, with kL = kC = kH = 1.

    Source: Sharma, Wu, Dalal, "The CIEDE2000 color-difference formula: implementation notes, supplementary test data,
    and mathematical observations" (2005).

    Args:
        first, second: Lab (..., 3).

    Returns:
        float64 (...).
    """
    l1, a1, b1 = np.moveaxis(first.astype(np.float64), -1, 0)
    l2, a2, b2 = np.moveaxis(second.astype(np.float64), -1, 0)
    # Neutral colours are stretched along a*.
    stretch = 1 + 0.5 * (1 - _seventh((np.hypot(a1, b1) + np.hypot(a2, b2)) / 2))
    a1, a2 = a1 * stretch, a2 * stretch
    c1, c2 = np.hypot(a1, b1), np.hypot(a2, b2)
    circle = 2 * np.pi
    h1, h2 = np.arctan2(b1, a1) % circle, np.arctan2(b2, a2) % circle
    neutral = c1 * c2 == 0
    turn = h2 - h1
    turn = np.where(turn > np.pi, turn - circle, np.where(turn < -np.pi, turn + circle, turn))
    turn = np.where(neutral, 0, turn)
    lightness, chroma = l2 - l1, c2 - c1
    hue = 2 * np.sqrt(c1 * c2) * np.sin(turn / 2)
    # The mean hue lies half the (shorter) turn from the first one; where one colour has no hue, it is the other's.
    mean_hue = np.where(neutral, h1 + h2, h1 + turn / 2)
    mean_l, mean_c = (l1 + l2) / 2, (c1 + c2) / 2
    weight = (
        1
        - 0.17 * np.cos(mean_hue - np.radians(30))
        + 0.24 * np.cos(2 * mean_hue)
        + 0.32 * np.cos(3 * mean_hue + np.radians(6))
        - 0.20 * np.cos(4 * mean_hue - np.radians(63))
    )
    from_middle = (mean_l - 50) ** 2
    x = lightness / (1 + 0.015 * from_middle / np.sqrt(20 + from_middle))
    y = chroma / (1 + 0.045 * mean_c)
    z = hue / (1 + 0.015 * mean_c * weight)
    blueness = np.exp(-(((np.degrees(mean_hue) % 360 - 275) / 25) ** 2))
    rotation = -2 * _seventh(mean_c) * np.sin(np.radians(60) * blueness)
    difference: NDArray[np.float64] = np.sqrt(np.maximum(x * x + y * y + z * z + rotation * y * z, 0))
    return difference


def _seventh(chroma: NDArray[np.float64]) -> NDArray[np.float64]:
    power: NDArray[np.float64] = chroma**7
    share: NDArray[np.float64] = np.sqrt(power / (power + 25.0**7))
    return share


def without_cast(ab: Floats) -> Floats:
    """Return ab (H, W, 2) less its mean: half of what a guess of colour gets wrong is the cast of the whole picture."""
    rest: Floats = ab - ab.mean(axis=(0, 1), keepdims=True)
    return rest


def shares_within(guess: Floats, truth: Floats) -> NDArray[np.float64]:
    """Return for each pixel the share of t = 0..150 that its ab distance does not exceed; its mean is the AuC.

    Args:
        guess, truth: ab (H, W, 2).

    Returns:
        float64 (H, W), 0..1.
    """
    missed = np.ceil(np.hypot(*np.moveaxis(guess.astype(np.float64) - truth, 2, 0)))
    shares: NDArray[np.float64] = np.clip((AUC_LIMIT + 1 - missed) / (AUC_LIMIT + 1), 0, 1)
    return shares


def bin_table(points: Floats) -> NDArray[np.intp]:
    """Return the nearest bin of every whole a, b in -128..128: intp (257, 257), first axis a.

    Args:
        points: the bins' centres, ab (2, N).
    """
    axis = np.arange(-_TABLE_RADIUS, _TABLE_RADIUS + 1, dtype=np.float32)
    rows = [np.argmin((a - points[0]) ** 2 + (axis[:, np.newaxis] - points[1]) ** 2, axis=1) for a in axis]
    return np.stack(rows)


def nearest_bins(ab: Floats, table: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return the nearest bin of each pixel of ab (H, W, 2): intp (H, W)."""
    cell = np.clip(np.rint(ab), -_TABLE_RADIUS, _TABLE_RADIUS).astype(np.intp) + _TABLE_RADIUS
    return table[cell[:, :, 0], cell[:, :, 1]]


def rarity_weights(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the weight of each bin in the rebalanced AuC: 1 / prior, capped at the 99.9th percentile of the pixels.

    Args:
        counts: (N,), how many pixels of the evaluated set fall into each bin.
    """
    found = counts > 0
    weights: NDArray[np.float64] = np.zeros(counts.shape)
    weights[found] = counts.sum() / counts[found]
    order = np.argsort(weights)
    reached = np.cumsum(counts[order]) >= RARITY_CAP * counts.sum()
    capped: NDArray[np.float64] = np.minimum(weights, weights[order[np.argmax(reached)]])
    return capped


def change_under_shift(before: Floats, after: Floats) -> float:
    """Return the mean ab distance between the answers to a picture and to the same moved by one pixel.

    Args:
        before: ab (S, S, 2) of the picture.
        after: ab (S, S, 2) of the picture moved right and down by one pixel, see `moved`. It is moved back here.
    """
    inner = slice(SHIFT_MARGIN, -SHIFT_MARGIN)
    difference = after[1:, 1:] - before[:-1, :-1]
    return float(np.hypot(*np.moveaxis(difference[inner, inner], 2, 0)).mean())


def moved(lightness: Floats) -> Floats:
    """Move lightness (S, S) right and down by one pixel; the border is repeated."""
    return np.pad(lightness, ((1, 0), (1, 0)), mode="edge")[:-1, :-1]


def change_under_blur(before: Floats, after: Floats) -> float:
    """Return the mean ab distance (H, W, 2) between the answers to a picture and to the same `blurred`."""
    return float(np.hypot(*np.moveaxis(after - before, 2, 0)).mean())


def blurred(lightness: Floats) -> Floats:
    """Blur lightness (S, S) with a Gaussian of sigma 0.7 pixels."""
    return cv2.GaussianBlur(lightness, (0, 0), 0.7)  # type: ignore[return-value]


def chroma_gradient_where_flat(lightness: Floats, guess: Floats, truth: Floats) -> tuple[float, float]:
    """Return the sums of the gradient of ab over plain surfaces, of the guess and of the truth.

    The ratio of their sums over all pictures is the figure: above 1 there are blotches that the photographs lack.

    Args:
        lightness: (S, S).
        guess, truth: ab (S, S, 2).
    """
    flat = gradient(at_common_size(lightness)[:, :, np.newaxis]) < FLAT
    of_guess, of_truth = (gradient(at_common_size(ab))[flat] for ab in (guess, truth))
    return float(of_guess.sum()), float(of_truth.sum())


def gradient(values: Floats) -> Floats:
    """Return the size of the Sobel gradient over all channels of (H, W, C), in units a pixel: (H, W)."""
    squares = [
        cv2.Sobel(np.ascontiguousarray(values[:, :, channel]), cv2.CV_32F, across, 1 - across, scale=1 / 8) ** 2
        for channel in range(values.shape[2])
        for across in (0, 1)
    ]
    total: Floats = np.sqrt(np.sum(squares, axis=0, dtype=np.float32))
    return total
