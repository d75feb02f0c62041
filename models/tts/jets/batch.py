"""Padded batches: what one training step sees, and the masks that keep padding out of every computation."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor


@dataclass
class Batch:
    """Utterances of mixed lengths, padded, on one device.

    The lengths are carried twice: on the device for the step, which never waits for it, and on the host (the sampler
    knows them anyway) for those who cut utterances out of a batch, as validation does.
    """

    text: Tensor  # (B, T_text) token ids, 0 in padding
    text_lengths: Tensor  # (B,) int64
    mel: Tensor  # (B, T, n_mel) natural log
    frame_lengths: Tensor  # (B,) int64
    log_f0: Tensor  # (B, T) normalised, 0 in padding
    energy: Tensor  # (B, T) normalised, 0 in padding
    audio: Tensor  # (B, T * hop_size) in [-1, 1], 0 in padding
    host_text_lengths: tuple[int, ...]
    host_frame_lengths: tuple[int, ...]
    ids: tuple[str, ...]

    def to(self, device: torch.device | str) -> Batch:
        """The batch on a device."""
        moved: dict[str, Any] = {name: v.to(device) for name, v in vars(self).items() if isinstance(v, Tensor)}
        return replace(self, **moved)


def length_mask(lengths: Tensor, size: Any) -> Tensor:
    """True (B, size) where a position lies inside its utterance of `lengths` (B,); a graph's size is a tensor ()."""
    return torch.arange(size, device=lengths.device) < lengths.unsqueeze(1)
