"""Convolution over time for states that are (B, T, C) in memory, as everything in front of the waveform is."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.kernels.dispatch import exporting


class TimeConv1d(nn.Conv1d):
    """A Conv1d of odd width that keeps the length and takes and returns (B, T, C).

    On a GPU, and in an exported graph, it is one matrix product: a library would convert the layout before and after
    it, and plan anew for each length. Either each position sees its neighbours side by side, or each position's shares
    of its neighbours are made and then added, whichever moves less.
    """

    bias: nn.Parameter

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int) -> None:
        super().__init__(in_channels, out_channels, kernel_size, padding=kernel_size // 2)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve x (B, T, C_in), zeros around it: (B, T, C_out)."""
        if x.is_cuda or exporting():
            return self.as_product(x)
        return super().forward(x.transpose(1, 2)).transpose(1, 2)

    def as_product(self, x: Tensor) -> Tensor:
        """The same by one matrix product, on any device."""
        if torch.is_autocast_enabled("cuda"):
            x = x.to(torch.get_autocast_dtype("cuda"))
        width = self.kernel_size[0]
        if width == 1:
            return F.linear(x, self.weight.squeeze(2), self.bias)
        if self.in_channels <= self.out_channels:
            windows = Spread.apply(x, width) if torch.is_grad_enabled() else spread(x, width)
            return F.linear(windows.flatten(2), self.weight.transpose(1, 2).reshape(self.out_channels, -1), self.bias)
        shares = F.linear(x, self.weight.permute(2, 0, 1).reshape(-1, self.in_channels))
        shares = shares.view(x.shape[0], x.shape[1], width, self.out_channels)
        assert self.bias is not None
        return (Gather.apply(shares) if torch.is_grad_enabled() else gather(shares)) + self.bias


def spread(x: Tensor, width: int, backwards: bool = False) -> Tensor:
    """Each position's neighbours side by side: (B, T, width, C) of x (B, T, C), zeros beyond the ends.

    From the past to the future, or `backwards`.
    """
    padded = F.pad(x, (0, 0, width // 2, width // 2))
    windows = [padded[:, i : i + x.shape[1]] for i in range(width)]
    return torch.stack(windows[::-1] if backwards else windows, 2)


def gather(shares: Tensor, backwards: bool = False) -> Tensor:
    """The sum of what each position gets from its neighbours: (B, T, C) of shares (B, T, width, C).

    Position t gets the share `half + offset` of position t + offset, or `backwards` the share `half - offset`.
    """
    length, width = shares.shape[1], shares.shape[2]
    half = width // 2
    if exporting():  # a graph knows no sums in place
        padded = F.pad(shares, (0, 0, 0, 0, half, half))
        return torch.stack([padded[:, i : i + length, i] for i in range(width)]).sum(0)
    total = shares[:, :, half].clone()
    for offset in range(1, half + 1):
        past, future = (half + offset, half - offset) if backwards else (half - offset, half + offset)
        total[:, offset:] += shares[:, :-offset, past]
        total[:, :-offset] += shares[:, offset:, future]
    return total


class Spread(torch.autograd.Function):
    """`spread`, whose gradient is `gather` backwards; autograd's own would fill and add zeros."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, width: int) -> Tensor:
        return spread(x, width)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return gather(grad, backwards=True), None


class Gather(torch.autograd.Function):
    """`gather`, whose gradient is `spread` backwards."""

    @staticmethod
    def forward(ctx: Any, shares: Tensor) -> Tensor:
        ctx.width = shares.shape[2]
        return gather(shares)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return spread(grad, ctx.width, backwards=True)
