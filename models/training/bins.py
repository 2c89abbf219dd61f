"""The 313 bins of chroma: soft encoding of true colours, their prior, and the weights that rebalance rare colours."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Floats = npt.NDArray[np.float32]

CENTRES = Path(__file__).resolve().parents[1] / "pts_in_hull.npy"
RADIUS = 112
NEIGHBOURS = 5
SIGMA = 5.0


def read_centres(path: Path) -> Floats:
    """The bins' centres in Lab units, float32 (bins, 2), from `pts_in_hull.npy`."""
    centres: Floats = np.load(path).astype(np.float32)
    return centres


@dataclass(frozen=True)
class SoftBins:
    """For every whole ab in -112..112: its five nearest bins (int64) and their Gaussian shares (float32, sum 1)."""

    nearest: Tensor
    shares: Tensor

    def encode(self, ab: Tensor) -> tuple[Tensor, Tensor]:
        """True ab (N, 2, h, w) -> nearest bins and shares, both (N * h * w, 5)."""
        cell = ab.round().clamp(-RADIUS, RADIUS).long() + RADIUS
        flat = (cell[:, 0] * (2 * RADIUS + 1) + cell[:, 1]).reshape(-1)
        return self.nearest[flat], self.shares[flat]

    def to(self, device: torch.device) -> SoftBins:
        """The same table on a device."""
        return SoftBins(self.nearest.to(device), self.shares.to(device))


def soft_bins(centres: Floats) -> SoftBins:
    """The table of soft encodings for bin centres (bins, 2)."""
    side = np.arange(-RADIUS, RADIUS + 1, dtype=np.float32)
    grid = np.stack(np.meshgrid(side, side, indexing="ij"), -1).reshape(-1, 2)
    distance = ((grid[:, None] - centres[None]) ** 2).sum(-1)
    nearest = np.argsort(distance, axis=1)[:, :NEIGHBOURS]
    near = np.take_along_axis(distance, nearest, 1)
    # relative to the nearest, so that a colour far outside the gamut still has shares
    shares = np.exp(-(near - near[:, :1]) / (2 * SIGMA * SIGMA))
    shares /= shares.sum(1, keepdims=True)
    return SoftBins(torch.from_numpy(nearest.astype(np.int64)), torch.from_numpy(shares.astype(np.float32)))


def prior_of(chroma: npt.NDArray[np.int8], centres: Floats) -> Floats:
    """Share of each bin among true colours int8 (N, 2, h, w), smoothed over neighbouring bins; float32 (bins,)."""
    nearest, parts = soft_bins(centres).encode(torch.from_numpy(chroma.astype(np.float32)))
    counts = torch.zeros(len(centres)).scatter_add_(0, nearest.reshape(-1), parts.reshape(-1)).numpy()
    distance = ((centres[:, None] - centres[None]) ** 2).sum(-1)
    kernel = np.exp(-distance / (2 * SIGMA * SIGMA))
    kernel /= kernel.sum(1, keepdims=True)
    prior = kernel @ (counts / counts.sum())
    shares: Floats = (prior / prior.sum()).astype(np.float32)
    return shares


def rebalancing(prior: Floats, share_of_uniform: float) -> Floats:
    """Weight of each bin, 1 / (prior mixed with a uniform share), with mean 1 under the prior; float32 (bins,)."""
    weights = 1 / ((1 - share_of_uniform) * prior + share_of_uniform / len(prior))
    balanced: Floats = (weights / (prior * weights).sum()).astype(np.float32)
    return balanced
