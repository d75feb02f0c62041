"""HiFi-GAN generator (Kong, Kim, Bae 2020, arXiv 2010.05646, section 2.2)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.kernels.fused_hifigan import FusedHifigan
from models.vocoders.convolutions import Inside, WeightNormConv1d, WeightNormConvTranspose1d, length_mask

SLOPE = 0.1
# The official implementation uses PyTorch's default slope in front of the last layer only; checkpoints depend on it.
LAST_SLOPE = 0.01


class ResidualBlock(nn.Module):
    """Pairs of a dilated and a plain convolution, each pair around a residual."""

    def __init__(self, channels: int, kernel_size: int, dilations: Sequence[int]) -> None:
        super().__init__()
        half = (kernel_size - 1) // 2
        self.dilated = nn.ModuleList(
            WeightNormConv1d(channels, channels, kernel_size, padding=half * d, dilation=d) for d in dilations
        )
        self.plain = nn.ModuleList(WeightNormConv1d(channels, channels, kernel_size, padding=half) for _ in dilations)

    def forward(self, x: Tensor, inside: Inside) -> Tensor:
        """Transform x (B, C, 1, T); same shape."""
        for dilated, plain in zip(self.dilated, self.plain):
            x = x + plain(inside(dilated(inside(F.leaky_relu(x, SLOPE)), SLOPE)))
        return x


class HifiganGenerator(nn.Module):
    """Waveform from hidden frames by transposed convolutions and multi-receptive-field fusion."""

    def __init__(
        self,
        in_channels: int,
        channels: int,
        kernel_size: int,
        upsample_rates: Sequence[int],
        upsample_kernel_sizes: Sequence[int],
        resblock_kernel_sizes: Sequence[int],
        resblock_dilations: Sequence[Sequence[int]],
    ) -> None:
        super().__init__()
        self.hop_size = math.prod(upsample_rates)
        self.receptive_field = hifigan_receptive_field(
            kernel_size, upsample_rates, upsample_kernel_sizes, resblock_kernel_sizes, resblock_dilations
        )
        half = (kernel_size - 1) // 2
        self.input_conv = WeightNormConv1d(in_channels, channels, kernel_size, padding=half)
        self.upsamples = nn.ModuleList()
        self.blocks = nn.ModuleList()
        for rate, kernel in zip(upsample_rates, upsample_kernel_sizes):
            self.upsamples.append(
                WeightNormConvTranspose1d(channels, channels // 2, kernel, rate, padding=(kernel - rate) // 2)
            )
            channels //= 2
            self.blocks.append(
                nn.ModuleList(
                    ResidualBlock(channels, k, dilations)
                    for k, dilations in zip(resblock_kernel_sizes, resblock_dilations)
                )
            )
        self.output_conv = WeightNormConv1d(channels, 1, kernel_size, padding=half)

    def forward(self, frames: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Waveform (B, T * hop_size) in (-1, 1) of frames (B, T, C).

        With lengths (B,) each utterance gives the samples that it gives alone, and zeros behind its end.
        """
        rate, inside = 1, inside_of(lengths, frames.shape[1])
        # (B, T, C) in memory is the channels-last layout of (B, C, 1, T) already: this view costs nothing.
        x = self.input_conv(inside(frames.transpose(1, 2).unsqueeze(2)))
        upsample: Any
        blocks: Any
        for upsample, blocks in zip(self.upsamples, self.blocks):
            x = upsample(inside(F.leaky_relu(x, SLOPE)))
            rate *= upsample.stride
            inside = inside_of(lengths, frames.shape[1], rate)
            x = sum(block(x, inside) for block in blocks) / len(blocks)
        x = self.output_conv(inside(F.leaky_relu(x, LAST_SLOPE)))
        return inside(torch.tanh(x.float())).flatten(1)

    def fused(self, dtype: torch.dtype) -> FusedHifigan | None:
        """The function of this generator, its weights folded, as kernels of our own; None where there are none."""
        pairs = all(len(block.plain) > 0 for block in self.modules() if isinstance(block, ResidualBlock))
        return FusedHifigan(self, dtype, SLOPE, LAST_SLOPE) if pairs else None


def inside_of(lengths: Tensor | None, n_frames: int, rate: int = 1) -> Inside:
    """Zeros behind the ends of utterances of lengths (B,), for tensors (B, C, 1, n_frames * rate).

    Every convolution reads them there, as it does behind the end of a tensor. Without lengths nothing changes.
    """
    if lengths is None:
        return lambda x: x
    mask = length_mask(lengths, n_frames, rate)[:, None, None].float()
    return lambda x: x * mask


def hifigan_receptive_field(
    kernel_size: int,
    upsample_rates: Sequence[int],
    upsample_kernel_sizes: Sequence[int],
    resblock_kernel_sizes: Sequence[int],
    resblock_dilations: Sequence[Sequence[int]],
) -> int:
    """Frames on each side of a frame that can change its samples: exactly, not an upper bound."""
    half = (kernel_size - 1) // 2
    # First and last sample that the samples of frame 0 depend on, from the output back to the input.
    first, last = -half, math.prod(upsample_rates) - 1 + half
    for rate, kernel in zip(reversed(upsample_rates), reversed(upsample_kernel_sizes)):
        reach = max(
            sum((k - 1) // 2 * (d + 1) for d in dilations)
            for k, dilations in zip(resblock_kernel_sizes, resblock_dilations)
        )
        # Input i of a transposed convolution reaches the outputs i * rate - cut ... i * rate - cut + kernel - 1.
        cut = (kernel - rate) // 2
        first = -(-(first - reach + cut - kernel + 1) // rate)
        last = (last + reach + cut) // rate
    return max(half - first, last + half)
