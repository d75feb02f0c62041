"""The variance adaptor (FastSpeech 2, arXiv 2006.04558): durations, pitch and energy, and from tokens to frames."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.kernels import exporting
from models.kernels.time_conv import TimeConv1d
from models.tts.jets.conditioning import Film
from models.tts.jets.config import PredictorConfig, VarianceConfig
from models.tts.jets.transformer import LAYER_NORM_EPS


class PredictorLayer(nn.Module):
    """Convolution, ReLU, layer norm over channels, dropout."""

    def __init__(self, in_channels: int, channels: int, kernel_size: int, dropout: float) -> None:
        super().__init__()
        self.conv = TimeConv1d(in_channels, channels, kernel_size)
        self.norm = nn.LayerNorm(channels, eps=LAYER_NORM_EPS)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Map x (B, T_text, C_in) inside mask (B, T_text, 1) to (B, T_text, C)."""
        return self.dropout(self.norm(torch.relu(self.conv(x * mask))))


class VariancePredictor(nn.Module):
    """One value per token from the encoder states."""

    def __init__(self, in_channels: int, config: PredictorConfig, condition: int = 0) -> None:
        """`condition` is the width of what tells it who speaks; 0: nobody does."""
        super().__init__()
        self.film = Film(condition, in_channels) if condition else None
        widths = [in_channels] + [config.channels] * config.layers
        self.layers = nn.ModuleList(
            PredictorLayer(a, b, config.kernel_size, config.dropout) for a, b in zip(widths, widths[1:])
        )
        self.out = nn.Linear(config.channels, 1)
        # What a voice corrects when it speaks: values regress to their mean, and logarithms to the median.
        self.gain, self.shift = 1.0, 0.0

    def forward(self, hidden: Tensor, mask: Tensor, speaker: Tensor | None = None) -> Tensor:
        """Values (B, T_text) for hidden (B, T_text, C) inside mask (B, T_text, 1), zero in padding."""
        if self.film is not None and speaker is not None:
            hidden = self.film(hidden, speaker)
        for layer in self.layers:
            hidden = layer(hidden, mask)
        values = self.out(hidden).float().squeeze(-1)
        if (self.gain, self.shift) != (1.0, 0.0):
            values = values * self.gain + self.shift
        return values * mask.squeeze(-1).float()


class ValueEmbedding(nn.Module):
    """A convolution that turns one value per token into hidden channels."""

    def __init__(self, channels: int, config: VarianceConfig) -> None:
        super().__init__()
        kernel = config.embed_kernel_size
        self.conv = nn.Conv1d(1, channels, kernel, padding=(kernel - 1) // 2)
        self.dropout = nn.Dropout(config.embed_dropout)

    def forward(self, values: Tensor) -> Tensor:
        """Embed values (B, T_text), zero in padding, as (B, T_text, C)."""
        return self.dropout(self.conv(values.unsqueeze(1)).transpose(1, 2))


def durations_from_log(log_durations: Tensor, mask: Tensor) -> Tensor:
    """Whole frames (B, T_text) of predicted log(duration + 1); an utterance of all zeros gets one frame a token."""
    durations = (log_durations.float().exp() - 1).round().clamp_min(0).long() * mask
    empty = durations.sum(1, keepdim=True) == 0
    return torch.where(empty, mask.long(), durations)


def scale_durations(durations: Tensor, speed: float | Tensor) -> Tensor:
    """Durations (B, T_text) at `speed` times the tempo: one number, or one for each utterance or token (B, T_text).

    Rounding errors are carried from token to token, so that the whole is as long as it should be. A token that had a
    frame keeps one; what it takes beyond its share, the tokens after it give back.
    """
    if not isinstance(speed, Tensor) and speed == 1.0:
        return durations
    ends = (durations.double() / speed).cumsum(1).round().long()
    # The nearest sequence of ends that leaves each such token a frame.
    least = (durations > 0).long().cumsum(1)
    ends = least + running_maximum((ends - least).clamp_min(0))
    return ends - F.pad(ends, (1, 0))[:, :-1]


def running_maximum(values: Tensor) -> Tensor:
    """Largest of the values (B, N), none below zero, up to each one; over a triangle where a graph is being made."""
    if not exporting():
        return values.cummax(1).values
    position = torch.arange(values.shape[1], device=values.device)
    earlier = position.unsqueeze(0) <= position.unsqueeze(1)
    return (values.unsqueeze(1) * earlier).amax(-1)


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
    sums = F.pad(values.double().cumsum(1), (1, 0))
    ends = durations.cumsum(1)
    totals = sums.gather(1, ends) - sums.gather(1, ends - durations)
    return (totals / durations.clamp_min(1)).to(values.dtype)


def durations_of(paths: Tensor, frame_mask: Tensor, n_text: int) -> Tensor:
    """Frames of each token (B, n_text), int64, on paths (B, T) inside frame_mask (B, T)."""
    counts = torch.zeros(paths.shape[0], n_text, dtype=torch.int64, device=paths.device)
    return counts.scatter_add_(1, paths, frame_mask.long())
