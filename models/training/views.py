"""Calm by training: a picture and the same picture moved or blurred a little should get the same colours."""

from __future__ import annotations

import numpy as np
import torch.nn.functional as F
from torch import Tensor

FLAT = 1.5  # a step of L between neighbours below this counts as plain surface
SPARED = 0.2  # a step of ab that is nobody's blotch


def second_view(lightness: Tensor, rng: np.random.Generator) -> Tensor:
    """L - 50 (N, 1, S, S), moved by up to a pixel each way and, half the time, lightly blurred."""
    down, right = (int(step) for step in rng.integers(-1, 2, 2))
    padded = F.pad(lightness, (1, 1, 1, 1), mode="replicate")
    side = lightness.shape[-1]
    moved = padded[:, :, 1 + down : 1 + down + side, 1 + right : 1 + right + side]
    if rng.random() < 0.5:
        share = float(rng.uniform(0.3, 0.8))
        mean = F.avg_pool2d(F.pad(moved, (1, 1, 1, 1), mode="replicate"), 3, 1)
        moved = moved * (1 - share) + mean * share
    return moved


def disagreement(ab: Tensor, other: Tensor) -> Tensor:
    """Mean absolute difference of two views' ab (N, 2, h, w), Lab units."""
    return (ab - other).abs().mean()


def blotches(ab: Tensor, truth: Tensor, lightness: Tensor) -> Tensor:
    """Steps of ab (N, 2, h, w) beyond the truth's where lightness (N, 1, 4h, 4w) is plain; mean, Lab units."""
    coarse = F.avg_pool2d(lightness, 4)
    total = ab.new_zeros(())
    for axis in (2, 3):
        plain = (coarse.diff(dim=axis).abs() < FLAT).float()
        excess = F.relu(ab.diff(dim=axis).abs() - truth.diff(dim=axis).abs() - SPARED)
        total = total + (plain * excess).mean()
    return total
