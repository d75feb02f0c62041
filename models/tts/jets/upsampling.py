"""From tokens to frames: Gaussian upsampling, and averages the other way round."""

from __future__ import annotations

import torch
from torch import Tensor


def gaussian_upsample(
    hidden: Tensor, durations: Tensor, text_mask: Tensor, n_frames: int, delta: float | Tensor
) -> Tensor:
    """Spread token states over frames by a softmax of -delta * (frame - token centre)^2 (arXiv 2010.04301).

    hidden (B, T_text, C), durations (B, T_text) in frames, text_mask (B, T_text), delta one number or (B, T_text); the
    result is (B, n_frames, C). Frames behind an utterance's end get its last tokens' states: mask them.
    """
    durations = durations.float()
    centres = durations.cumsum(1) - durations / 2
    frames = torch.arange(n_frames, device=hidden.device, dtype=torch.float32)
    if isinstance(delta, Tensor) and delta.dim() > 0:
        delta = delta.unsqueeze(1)
    energy = -delta * (frames[None, :, None] - centres[:, None, :]).square()
    weights = energy.masked_fill(~text_mask[:, None, :], float("-inf")).softmax(-1)
    return weights.to(hidden.dtype) @ hidden


def average_by_duration(values: Tensor, durations: Tensor) -> Tensor:
    """Mean of frame values (B, T) over each token's frames: (B, T_text) for durations (B, T_text), 0 for 0 frames."""
    # Differences of running sums cancel badly in float32 over a thousand frames.
    sums = torch.nn.functional.pad(values.double().cumsum(1), (1, 0))
    ends = durations.cumsum(1)
    totals = sums.gather(1, ends) - sums.gather(1, ends - durations)
    return (totals / durations.clamp_min(1)).to(values.dtype)


def durations_of(paths: Tensor, frame_mask: Tensor, n_text: int) -> Tensor:
    """Frames of each token (B, n_text), int64, on paths (B, T) inside frame_mask (B, T)."""
    counts = torch.zeros(paths.shape[0], n_text, dtype=torch.int64, device=paths.device)
    return counts.scatter_add_(1, paths, frame_mask.long())


def take_segments(values: Tensor, starts: Tensor, size: int) -> Tensor:
    """Windows values[b, starts[b] : starts[b] + size] of values (B, T, ...), zeros beyond T: (B, size, ...)."""
    index = starts.unsqueeze(1) + torch.arange(size, device=values.device)
    inside = index < values.shape[1]
    index = index.clamp_max(values.shape[1] - 1)
    shape = (*index.shape, *([1] * (values.dim() - 2)))
    taken = values.gather(1, index.view(shape).expand(*index.shape, *values.shape[2:]))
    return taken * inside.view(shape)


def random_starts(frame_lengths: Tensor, size: int, generator: torch.Generator | None = None) -> Tensor:
    """Uniform first frames (B,) of segments of `size` frames inside utterances of frame_lengths (B,); 0 if shorter."""
    room = (frame_lengths - size).clamp_min(0)
    uniform = torch.rand(room.shape, device=room.device, generator=generator)
    return torch.minimum((uniform * (room + 1)).long(), room)
