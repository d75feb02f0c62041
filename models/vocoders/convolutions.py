"""Weight-normalised convolutions."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.kernels.time_conv import row_conv, with_bias
from models.kernels.weight_norm import weight_norm

# Silences what lies behind the end of each utterance of a batch.
Inside = Callable[[Tensor], Tensor]


class WeightNormConv1d(nn.Module):
    """Conv1d whose weight is direction times length (arXiv 1602.07868), until `fold` makes it a plain one.

    Takes images of height one, (B, C, 1, T). `fused` is the effective weight while it is computed elsewhere, for all
    layers at once.
    """

    transposed = False

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int, stride: int = 1, padding: int = 0,
        dilation: int = 1, groups: int = 1,
    ) -> None:  # fmt: skip
        super().__init__()
        self.stride, self.padding, self.dilation, self.groups = stride, padding, dilation, groups
        shape = (in_channels, out_channels) if self.transposed else (out_channels, in_channels // groups)
        weight = torch.empty(*shape, kernel_size)
        nn.init.kaiming_uniform_(weight, a=math.sqrt(5))
        bound = 1 / math.sqrt(weight[0].numel())
        self.weight_g = nn.Parameter(weight.flatten(1).norm(dim=1).view(-1, 1, 1))
        self.weight_v = nn.Parameter(weight)
        self.bias = nn.Parameter(torch.empty(out_channels).uniform_(-bound, bound))
        self.folded: Tensor | None
        self.register_buffer("folded", None)
        self.fused: Tensor | None = None

    def weight(self) -> Tensor:
        """The effective weight, (out, in / groups, kernel) or (in, out, kernel) when transposed."""
        if self.folded is not None:
            return self.folded
        return weight_norm(self.weight_v, self.weight_g) if self.fused is None else self.fused

    @torch.no_grad()
    def fold(self) -> None:
        """Compute the effective weight once and for all; the layer can't be trained afterwards."""
        if self.folded is None:
            self.folded = self.weight().detach().clone()
            self.weight_g = self.weight_v = None  # type: ignore[assignment]

    def forward(self, x: Tensor, slope: float = 1.0) -> Tensor:
        """Convolve x (B, C, 1, T), then a leaky ReLU with this slope; 1 is none."""
        return row_conv(x, self.weight(), self.bias, self.stride, self.padding, self.dilation, self.groups, slope)


class WeightNormConvTranspose1d(WeightNormConv1d):
    """Transposed convolution in the same manner; `padding` is cut from both ends of the output."""

    transposed = True

    def forward(self, x: Tensor, slope: float = 1.0) -> Tensor:
        """Upsample x (B, C, 1, T) by the stride, then a leaky ReLU with this slope; 1 is none."""
        weight, stride, padding = self.weight().unsqueeze(2), (1, self.stride), (0, self.padding)
        return with_bias(lambda bias: F.conv_transpose2d(x, weight, bias, stride, padding), x, self.bias, slope)


class WeightNormConv2d(nn.Module):
    """Conv2d over time and frequency in the same manner, for discriminators only."""

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: tuple[int, int], stride: tuple[int, int] = (1, 1)
    ) -> None:
        super().__init__()
        self.stride, self.padding = stride, (kernel_size[0] // 2, kernel_size[1] // 2)
        conv = nn.Conv2d(in_channels, out_channels, kernel_size)
        self.weight_g = nn.Parameter(conv.weight.detach().flatten(1).norm(dim=1).view(-1, 1, 1, 1))
        self.weight_v, self.bias = nn.Parameter(conv.weight.detach()), nn.Parameter(conv.bias.detach())  # type: ignore[union-attr]
        self.fused: Tensor | None = None

    def weight(self) -> Tensor:
        """The effective weight (out, in, T, F)."""
        return weight_norm(self.weight_v, self.weight_g) if self.fused is None else self.fused

    def forward(self, x: Tensor, slope: float = 1.0) -> Tensor:
        """Convolve x (B, C, T, F), zeros around it, then a leaky ReLU with this slope; 1 is none."""
        weight = self.weight()
        return with_bias(lambda bias: F.conv2d(x, weight, bias, self.stride, self.padding), x, self.bias, slope)


def fold_weight_norm(module: nn.Module) -> None:
    """Fold every weight-normalised layer below `module` for inference."""
    for layer in module.modules():
        if isinstance(layer, WeightNormConv1d):
            layer.fold()


def length_mask(lengths: Tensor, size: Any, rate: int = 1) -> Tensor:
    """True (B, size * rate) inside utterances of lengths (B,), each step of which is `rate` positions.

    In an exported graph the size is a tensor ().
    """
    return torch.arange(size * rate, device=lengths.device) < (lengths * rate).unsqueeze(1)
