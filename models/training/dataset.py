"""Prepared photographs: mapped arrays, a held-out split, and weighted drawing of batches."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from models.training.prepare import is_held_out

# a set's pull grows with its size to this power, so that the two largest do not drown the small varied ones
SET_POWER = 0.75
SIDE = 128


def set_of(name: str) -> str:
    """The set a picture belongs to: what stands before `__` in its name."""
    return name.split("__")[0] if "__" in name else ""


@dataclass(frozen=True)
class Photographs:
    """lightness uint8 (N, 128, 128) = L * 2.55, chroma int8 (N, 2, 64, 64) = ab; indices of the two splits; draws."""

    lightness: npt.NDArray[np.uint8]
    chroma: npt.NDArray[np.int8]
    training: npt.NDArray[np.int64]
    held_out: npt.NDArray[np.int64]
    cumulative: npt.NDArray[np.float64]

    def draw(self, count: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """A weighted random batch of the training split: L 0..100 (count, 1, 128, 128) and ab (count, 2, 64, 64)."""
        drawn = np.searchsorted(self.cumulative, rng.random(count) * self.cumulative[-1], side="right")
        return self.take(self.training[np.minimum(drawn, len(self.training) - 1)])

    def take(self, indices: npt.NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        """The pictures with these indices, as `draw` gives them."""
        lightness = torch.from_numpy(self.lightness[indices].astype(np.float32)).unsqueeze(1) / 2.55
        return lightness, torch.from_numpy(self.chroma[indices].astype(np.float32))


def load(folder: Path, in_memory: bool = False) -> Photographs:
    """Map what `prepare` wrote; `in_memory` reads it whole (for a GPU that outruns the disk)."""
    mode: Literal["r"] | None = None if in_memory else "r"
    names = (folder / "names.txt").read_text(encoding="utf-8").splitlines()
    sizes = Counter(set_of(name) for name in names)
    held = np.array([is_held_out(name) for name in names])
    weights = np.array([sizes[set_of(name)] ** (SET_POWER - 1) for name in names])[~held]
    return Photographs(
        np.load(folder / "lightness.npy", mmap_mode=mode),
        np.load(folder / "chroma.npy", mmap_mode=mode),
        np.flatnonzero(~held),
        np.flatnonzero(held),
        np.cumsum(weights),
    )
