"""Cross-entropy against softly encoded colours, rare colours weighted up (Zhang et al. 2016)."""

from __future__ import annotations

import torch
from torch import Tensor

from models.training.bins import SoftBins


def rebalanced_cross_entropy(logits: Tensor, ab: Tensor, bins: SoftBins, weights: Tensor) -> Tensor:
    """Mean over pixels: logits (N, bins, h, w), true ab (N, 2, h, w) in Lab units, weights (bins,)."""
    nearest, shares = bins.encode(ab)
    flat = logits.permute(0, 2, 3, 1).reshape(-1, logits.shape[1]).float()
    log_likelihood = flat.gather(1, nearest) - torch.logsumexp(flat, 1, keepdim=True)
    return -(weights[nearest[:, 0]] * (shares * log_likelihood).sum(1)).mean()
