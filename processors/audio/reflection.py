"""Reflection at the ends of a signal."""

from __future__ import annotations

import torch
from torch import Tensor


def reflect(audio: Tensor, left: int, right: int) -> Tensor:
    """Audio (B, N) with its mirror image in front and behind, the end samples themselves not repeated.

    The values are those of `torch.nn.functional.pad` in mode "reflect", whose gradient adds in varying order on a GPU;
    this one's repeats bit for bit. Raises ValueError when a side needs more than the N - 1 samples there are.
    """
    length = audio.shape[1]
    if max(left, right) >= length:
        raise ValueError(f"{length} samples cannot be reflected into {max(left, right)} more")
    front, back = audio[:, 1 : left + 1].flip(1), audio[:, length - 1 - right : length - 1].flip(1)
    return torch.cat([front, audio, back], 1)
