"""Weight-normalised convolutions that accept both memory layouts."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class WeightNormConv1d(nn.Module):
    """Conv1d whose weight is direction times length (arXiv 1602.07868), until `fold` makes it a plain one.

    Takes (B, C, T), or the same as an image of height one, (B, C, 1, T), which may be channels-last in memory.
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
        self.register_buffer("folded", None)

    def weight(self) -> Tensor:
        """The effective weight, (out, in / groups, kernel) or (in, out, kernel) when transposed."""
        if self.folded is not None:
            return self.folded
        return torch._weight_norm(self.weight_v, self.weight_g, 0)

    @torch.no_grad()
    def fold(self) -> None:
        """Compute the effective weight once and for all; the layer can't be trained afterwards."""
        if self.folded is None:
            self.folded = self.weight().detach().clone()
            self.weight_g = self.weight_v = None

    def forward(self, x: Tensor) -> Tensor:
        """Convolve x (B, C, T) or (B, C, 1, T)."""
        weight = self.weight()
        if x.dim() == 3:
            return F.conv1d(x, weight, self.bias, self.stride, self.padding, self.dilation, self.groups)
        stride, padding, dilation = (1, self.stride), (0, self.padding), (1, self.dilation)
        return F.conv2d(x, weight.unsqueeze(2), self.bias, stride, padding, dilation, self.groups)


class WeightNormConvTranspose1d(WeightNormConv1d):
    """Transposed convolution in the same manner; `padding` is cut from both ends of the output."""

    transposed = True

    def forward(self, x: Tensor) -> Tensor:
        """Upsample x (B, C, T) or (B, C, 1, T) by the stride."""
        weight = self.weight()
        if x.dim() == 3:
            return F.conv_transpose1d(x, weight, self.bias, self.stride, self.padding)
        return F.conv_transpose2d(x, weight.unsqueeze(2), self.bias, (1, self.stride), (0, self.padding))


def fold_weight_norm(module: nn.Module) -> None:
    """Fold every weight-normalised layer below `module` for inference."""
    for layer in module.modules():
        if isinstance(layer, WeightNormConv1d):
            layer.fold()
