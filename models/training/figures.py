"""The figures of the model card, arrays in and numbers out. How each is measured stands in its docstring."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Bytes = npt.NDArray[np.uint8]

AUC_SIDE = 64
AUC_LIMIT = 150


def to_bgr8(lightness: Floats, ab: Floats) -> Bytes:
    """Lightness (S, S) 0..100 and ab (2, S, S) -> BGR uint8 (S, S, 3), rounded."""
    lab = np.dstack([lightness, ab[0], ab[1]]).astype(np.float32)
    return np.clip(cv2.cvtColor(lab, cv2.COLOR_LAB2BGR) * 255 + 0.5, 0, 255).astype(np.uint8)


def to_lab(picture: Bytes) -> tuple[Floats, Floats]:
    """BGR uint8 (S, S, 3) -> lightness (S, S) 0..100 and ab (2, S, S), float32."""
    lab = cv2.cvtColor(picture.astype(np.float32) / 255, cv2.COLOR_BGR2LAB)
    return lab[..., 0].copy(), np.ascontiguousarray(lab[..., 1:].transpose(2, 0, 1))


def psnr(guess: Bytes, truth: Bytes) -> float:
    """Peak signal-to-noise ratio of two uint8 BGR pictures, dB."""
    error = float(((guess.astype(np.float32) - truth.astype(np.float32)) ** 2).mean())
    return 10 * np.log10(255.0**2 / max(error, 1e-6))


def colourfulness(picture: Bytes) -> float:
    """Hasler and Suesstrunk's M3 of a BGR uint8 picture."""
    b, g, r = picture.astype(np.float32).transpose(2, 0, 1)
    rg, yb = r - g, 0.5 * (r + g) - b
    return float(np.hypot(rg.std(), yb.std()) + 0.3 * np.hypot(rg.mean(), yb.mean()))


def ciede2000(lightness: Floats, guess: Floats, truth: Floats, true_lightness: Floats | None = None) -> float:
    """Mean CIEDE2000 between (lightness, guess) and (true_lightness, truth); lightness (S, S), ab (2, S, S)."""
    l1 = lightness.astype(np.float64)
    l2 = l1 if true_lightness is None else true_lightness.astype(np.float64)
    a1, b1 = guess.astype(np.float64)
    a2, b2 = truth.astype(np.float64)
    mean_chroma = (np.hypot(a1, b1) + np.hypot(a2, b2)) / 2
    g = 0.5 * (1 - np.sqrt(mean_chroma**7 / (mean_chroma**7 + 25.0**7)))
    a1, a2 = a1 * (1 + g), a2 * (1 + g)
    c1, c2 = np.hypot(a1, b1), np.hypot(a2, b2)
    h1, h2 = np.degrees(np.arctan2(b1, a1)) % 360, np.degrees(np.arctan2(b2, a2)) % 360
    turn = h2 - h1
    turn = np.where(turn > 180, turn - 360, np.where(turn < -180, turn + 360, turn))
    grey = c1 * c2 == 0
    turn = np.where(grey, 0, turn)
    dl, dc = l2 - l1, c2 - c1
    dh = 2 * np.sqrt(c1 * c2) * np.sin(np.radians(turn) / 2)
    lm, cm = (l1 + l2) / 2, (c1 + c2) / 2
    total = h1 + h2
    hm = np.where(np.abs(h1 - h2) <= 180, total / 2, np.where(total < 360, (total + 360) / 2, (total - 360) / 2))
    hm = np.where(grey, total, hm)
    t = (
        1
        - 0.17 * np.cos(np.radians(hm - 30))
        + 0.24 * np.cos(np.radians(2 * hm))
        + 0.32 * np.cos(np.radians(3 * hm + 6))
        - 0.20 * np.cos(np.radians(4 * hm - 63))
    )
    sl = 1 + 0.015 * (lm - 50) ** 2 / np.sqrt(20 + (lm - 50) ** 2)
    sc, sh = 1 + 0.045 * cm, 1 + 0.015 * cm * t
    rotation = -2 * np.sqrt(cm**7 / (cm**7 + 25.0**7)) * np.sin(np.radians(60 * np.exp(-(((hm - 275) / 25) ** 2))))
    x, y, z = dl / sl, dc / sc, dh / sh
    return float(np.sqrt(np.maximum(x * x + y * y + z * z + rotation * y * z, 0)).mean())


def shares_within(distance: Floats, weights: Floats | None = None) -> float:
    """AuC: the (weighted) share of pixels with an ab distance <= t, mean over t = 0..150, in percent."""
    thresholds_missed = np.clip(np.ceil(distance.ravel()), 0, AUC_LIMIT + 1)
    kept = (AUC_LIMIT + 1 - thresholds_missed) / (AUC_LIMIT + 1)
    return 100 * float(np.average(kept, weights=None if weights is None else weights.ravel()))


def at_auc_size(ab: Floats) -> Floats:
    """ab (2, S, S) area-averaged to (2, 64, 64)."""
    small = cv2.resize(ab.transpose(1, 2, 0), (AUC_SIDE, AUC_SIDE), interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(small.transpose(2, 0, 1)).astype(np.float32)


def rarity(truths: Floats, centres: Floats) -> Floats:
    """Weight 1/prior of each pixel's nearest bin, capped at the 99.9th percentile; truths (N, 2, h, w) -> (N, h, w)."""
    table_side = np.arange(-128, 129, dtype=np.float32)
    grid = np.stack(np.meshgrid(table_side, table_side, indexing="ij"), -1).reshape(-1, 2)
    nearest = np.empty(len(grid), np.int64)
    for start in range(0, len(grid), 8192):
        part = grid[start : start + 8192]
        nearest[start : start + 8192] = ((part[:, None] - centres[None]) ** 2).sum(-1).argmin(1)
    cell = np.clip(np.round(truths), -128, 128).astype(np.int64) + 128
    bins = nearest[cell[:, 0] * 257 + cell[:, 1]]
    prior = np.bincount(bins.ravel(), minlength=len(centres)) / bins.size
    weights = 1 / prior[bins]
    return np.minimum(weights, np.percentile(weights, 99.9)).astype(np.float32)


def chroma_gradient_where_flat(lightness: Floats, ab: Floats) -> float:
    """Mean size of the ab gradient where the lightness hardly changes: lightness (S, S), ab (2, S, S), Lab units a pixel."""
    smooth = cv2.GaussianBlur(lightness, (0, 0), 1.0)
    slope = np.hypot(cv2.Sobel(smooth, cv2.CV_32F, 1, 0, scale=0.125), cv2.Sobel(smooth, cv2.CV_32F, 0, 1, scale=0.125))
    flat = slope < 1.0
    if flat.sum() < 50:
        return float("nan")
    total = np.zeros_like(lightness)
    for channel in ab:
        total += cv2.Sobel(channel, cv2.CV_32F, 1, 0, scale=0.125) ** 2
        total += cv2.Sobel(channel, cv2.CV_32F, 0, 1, scale=0.125) ** 2
    return float(np.sqrt(total)[flat].mean())
