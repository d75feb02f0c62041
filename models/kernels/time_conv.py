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
        return self.as_product(x) if x.is_cuda else super().forward(x.transpose(1, 2)).transpose(1, 2)

    def as_product(self, x: Tensor) -> Tensor:
        """The same by one matrix product, on any device."""
        if torch.is_autocast_enabled("cuda"):
            x = x.to(torch.get_autocast_dtype("cuda"))
        if self.kernel_size[0] == 1:
            return F.linear(x, self.weight.squeeze(2), self.bias)
        if self.in_channels <= self.out_channels:
            windows = Spread.apply(x, self.kernel_size[0])
            return F.linear(windows.flatten(2), self.weight.transpose(1, 2).flatten(1), self.bias)
        shares = F.linear(x, self.weight.permute(2, 0, 1).flatten(0, 1))
        return Gather.apply(shares.unflatten(-1, (self.kernel_size[0], self.out_channels))) + self.bias


def spread(x: Tensor, width: int, backwards: bool = False) -> Tensor:
    """Each position's neighbours side by side: (B, T, width, C) of x (B, T, C), zeros beyond the ends.

    From the past to the future, or `backwards`.
    """
    length, half = x.shape[1], width // 2
    windows = x.new_empty(x.shape[0], length, width, x.shape[2])
    for offset in range(-half, half + 1):
        place = windows[:, :, half - offset if backwards else half + offset]
        shift = min(abs(offset), length)
        if offset < 0:
            place[:, :shift] = 0
            place[:, shift:] = x[:, : length - shift]
        else:
            place[:, length - shift :] = 0
            place[:, : length - shift] = x[:, shift:]
    return windows


def gather(shares: Tensor, backwards: bool = False) -> Tensor:
    """The sum of what each position gets from its neighbours: (B, T, C) of shares (B, T, width, C).

    Position t gets the share `half + offset` of position t + offset, or `backwards` the share `half - offset`.
    """
    length, half = shares.shape[1], shares.shape[2] // 2
    total = shares[:, :, half].clone()
    for offset in range(-half, half + 1):
        share = shares[:, :, half - offset if backwards else half + offset]
        shift = min(abs(offset), length)
        if offset < 0:
            total[:, shift:] += share[:, : length - shift]
        elif offset > 0:
            total[:, : length - shift] += share[:, shift:]
    return total


class Spread(torch.autograd.Function):
    """`spread`, whose gradient is `gather` backwards; autograd's own would fill and add zeros."""

    @staticmethod
    def forward(ctx, x: Tensor, width: int) -> Tensor:  # noqa: ANN001
        """Windows (B, T, width, C) of x (B, T, C)."""
        return spread(x, width)

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor, None]:  # noqa: ANN001
        """Gradient of x."""
        return gather(grad, backwards=True), None


class Gather(torch.autograd.Function):
    """`gather`, whose gradient is `spread` backwards."""

    @staticmethod
    def forward(ctx, shares: Tensor) -> Tensor:  # noqa: ANN001
        """Sum (B, T, C) of shares (B, T, width, C)."""
        ctx.width = shares.shape[2]
        return gather(shares)

    @staticmethod
    def backward(ctx, grad: Tensor) -> Tensor:  # noqa: ANN001
        """Gradient of the shares."""
        return spread(grad, ctx.width, backwards=True)
