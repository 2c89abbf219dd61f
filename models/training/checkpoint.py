"""Checkpoints that survive a kill: written beside, then moved into place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch


def save(path: Path, state: dict[str, Any]) -> None:
    """Write a checkpoint whole or not at all."""
    beside = path.with_suffix(".part")
    torch.save(state, beside)
    beside.replace(path)


def load(path: Path) -> dict[str, Any]:
    """Read a checkpoint onto the CPU. Only open what you wrote yourself: it may hold pickled random states."""
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=False)
    return state
