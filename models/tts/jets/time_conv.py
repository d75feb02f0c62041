"""Convolution over time for states that are (B, T, C) in memory, as everything in front of the waveform is."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class TimeConv1d(nn.Conv1d):
    """A Conv1d of odd width that keeps the length and takes and returns (B, T, C).

    On a GPU it is one matrix product: cuDNN would convert the layout before and after it, and plan anew for each
    length. Either each position sees its neighbours side by side, or each position's shares of its neighbours are
    made and then added, whichever moves less.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int) -> None:
        super().__init__(in_channels, out_channels, kernel_size, padding=kernel_size // 2)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve x (B, T, C_in), zeros around it: (B, T, C_out)."""
        if not x.is_cuda:
            return super().forward(x.transpose(1, 2)).transpose(1, 2)
        if torch.is_autocast_enabled("cuda"):
            x = x.to(torch.get_autocast_dtype("cuda"))
        width, half, length = self.kernel_size[0], self.padding[0], x.shape[1]
        if width == 1:
            return F.linear(x, self.weight.squeeze(2), self.bias)
        if self.in_channels <= self.out_channels:
            x = F.pad(x, (0, 0, half, half))
            x = torch.cat([x[:, i : i + length] for i in range(width)], dim=-1)
            return F.linear(x, self.weight.transpose(1, 2).flatten(1), self.bias)
        shares = F.linear(x, self.weight.permute(2, 0, 1).flatten(0, 1))
        shares = F.pad(shares, (0, 0, half, half)).unflatten(-1, (width, self.out_channels))
        return sum(shares[:, i : i + length, i] for i in range(width)) + self.bias
