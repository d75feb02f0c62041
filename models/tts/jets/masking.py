"""Masks that keep padding out of every computation."""

from __future__ import annotations

import torch
from torch import Tensor


def length_mask(lengths: Tensor, size: int) -> Tensor:
    """True (B, size) where a position lies inside its utterance of `lengths` (B,)."""
    return torch.arange(size, device=lengths.device) < lengths.unsqueeze(1)
