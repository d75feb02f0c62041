"""Weight-normalised convolutions that accept both memory layouts."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class WeightNormConv1d(nn.Module):
    """Conv1d whose weight is direction times length (arXiv 1602.07868), until `fold` makes it a plain one.

    Takes (B, C, T), or the same as an image of height one, (B, C, 1, T), which may be channels-last in memory. `fused`
    is the effective weight while it is computed elsewhere, for all layers at once.
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
        self.fused: Tensor | None = None
        self.convolve_groups = triton_convolution(weight, groups) if groups > 1 and dilation == 1 else None

    def weight(self) -> Tensor:
        """The effective weight, (out, in / groups, kernel) or (in, out, kernel) when transposed."""
        if self.folded is not None:
            return self.folded
        return torch._weight_norm(self.weight_v, self.weight_g, 0) if self.fused is None else self.fused

    @torch.no_grad()
    def fold(self) -> None:
        """Compute the effective weight once and for all; the layer can't be trained afterwards."""
        if self.folded is None:
            self.folded = self.weight().detach().clone()
            self.weight_g = self.weight_v = None

    def forward(self, x: Tensor, slope: float = 1.0) -> Tensor:
        """Convolve x (B, C, T) or (B, C, 1, T), then a leaky ReLU with this slope; 1 is none."""
        weight, grouped = self.weight(), self.convolve_groups
        if x.dim() == 3:
            y = F.conv1d(x, weight, self.bias, self.stride, self.padding, self.dilation, self.groups)
            return activate(y, slope)
        if x.is_cuda and weight.shape[0] == self.groups == self.stride == self.dilation == 1:
            return activate(conv_to_one_channel(x, weight, self.bias, self.padding), slope)
        if x.is_cuda and grouped is not None:
            return activate(grouped(x, weight, self.bias, self.stride, self.padding, self.groups), slope)
        apart = fuses_bias(x)
        bias = None if apart else self.bias
        if x.is_cuda and weight.shape[1] == self.groups == self.dilation == 1:
            y = conv_of_one_channel(x, weight, bias, self.stride, self.padding)
        else:
            stride, padding, dilation = (1, self.stride), (0, self.padding), (1, self.dilation)
            y = F.conv2d(x, weight.unsqueeze(2), bias, stride, padding, dilation, self.groups)
        return add_bias(y, self.bias, slope) if apart else activate(y, slope)


class WeightNormConv2d(nn.Module):
    """Conv2d over time and frequency in the same manner, for discriminators only."""

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: tuple[int, int], stride: tuple[int, int] = (1, 1)
    ) -> None:
        super().__init__()
        self.stride, self.padding = stride, (kernel_size[0] // 2, kernel_size[1] // 2)
        conv = nn.Conv2d(in_channels, out_channels, kernel_size)
        self.weight_g = nn.Parameter(conv.weight.detach().flatten(1).norm(dim=1).view(-1, 1, 1, 1))
        self.weight_v, self.bias = nn.Parameter(conv.weight.detach()), conv.bias
        self.fused: Tensor | None = None

    def weight(self) -> Tensor:
        """The effective weight (out, in, T, F)."""
        return torch._weight_norm(self.weight_v, self.weight_g, 0) if self.fused is None else self.fused

    def forward(self, x: Tensor, slope: float = 1.0) -> Tensor:
        """Convolve x (B, C, T, F), zeros around it, then a leaky ReLU with this slope; 1 is none."""
        weight, apart = self.weight(), fuses_bias(x)
        y = F.conv2d(x, weight, None if apart else self.bias, self.stride, self.padding)
        return add_bias(y, self.bias, slope) if apart else activate(y, slope)


class WeightNormConvTranspose1d(WeightNormConv1d):
    """Transposed convolution in the same manner; `padding` is cut from both ends of the output."""

    transposed = True

    def forward(self, x: Tensor) -> Tensor:
        """Upsample x (B, C, T) or (B, C, 1, T) by the stride."""
        weight = self.weight()
        if x.dim() == 3:
            return F.conv_transpose1d(x, weight, self.bias, self.stride, self.padding)
        apart = fuses_bias(x)
        bias = None if apart else self.bias
        y = F.conv_transpose2d(x, weight.unsqueeze(2), bias, (1, self.stride), (0, self.padding))
        return add_bias(y, self.bias, 1.0) if apart else y


def activate(x: Tensor, slope: float) -> Tensor:
    """Leaky ReLU with this slope; 1 is none."""
    return x if slope == 1.0 else F.leaky_relu(x, slope)


@cache
def bias_kernel() -> Callable[[Tensor, Tensor, float], Tensor] | None:
    """Bias and activation as one GPU kernel. Only training asks for it, so that speech never loads Triton."""
    try:
        from models.kernels.bias_triton import bias_activation
    except ImportError:  # Triton exists for Linux only.
        return None
    return bias_activation


def fuses_bias(x: Tensor) -> bool:
    """Whether bias and activation behind a convolution of x should be one kernel: in training on a GPU."""
    if not x.is_cuda or not torch.is_grad_enabled() or torch.compiler.is_compiling():
        return False
    return x.dim() == 4 and x.is_contiguous(memory_format=torch.channels_last) and bias_kernel() is not None


def add_bias(y: Tensor, bias: Tensor, slope: float) -> Tensor:
    """leaky_relu(y + bias, slope) for y (B, C, T, F), by the fused kernel."""
    return bias_kernel()(y.contiguous(memory_format=torch.channels_last), bias, slope)


# Matrix products on tensor cores want their sizes in multiples of this.
PRODUCT_MULTIPLE = 8


def conv_of_one_channel(x: Tensor, weight: Tensor, bias: Tensor | None, stride: int, padding: int) -> Tensor:
    """Convolve x (B, 1, 1, T) with weight (C, 1, K) as one matrix product: (B, C, 1, T'), channels-last in memory.

    cuDNN's kernels for a single channel take many times as long.
    """
    if torch.is_autocast_enabled("cuda"):
        x = x.to(torch.get_autocast_dtype("cuda"))
    kernel = weight.shape[2]
    spare = -kernel % PRODUCT_MULTIPLE
    windows = F.pad(F.pad(x.flatten(1), (padding, padding)).unfold(1, kernel, stride), (0, spare))
    return F.linear(windows, F.pad(weight.squeeze(1), (0, spare)), bias).transpose(1, 2).unsqueeze(2)


def conv_to_one_channel(x: Tensor, weight: Tensor, bias: Tensor, padding: int) -> Tensor:
    """Convolve x (B, C, 1, T), channels-last in memory, with weight (1, C, K) of stride 1: (B, 1, 1, T').

    Each position's products with all taps in one matrix product, then the taps' shifted sum.
    """
    kernel = weight.shape[2]
    taps = F.pad(weight[0].t(), (0, 0, 0, -kernel % PRODUCT_MULTIPLE))
    products = F.pad(F.linear(x.squeeze(2).transpose(1, 2), taps), (0, 0, padding, padding))
    length = products.shape[1] - kernel + 1
    y = sum(products[:, i : i + length, i].float() for i in range(kernel)) + bias
    return y.to(products.dtype).unsqueeze(1).unsqueeze(2)


def triton_convolution(weight: Tensor, groups: int) -> Callable[..., Tensor] | None:
    """The GPU kernels for a grouped convolution, if they fit. Speech needs no groups, so it never loads Triton."""
    try:
        from models.kernels.grouped_conv_triton import fits, grouped_conv1d
    except ImportError:  # Triton exists for Linux only.
        return None
    return grouped_conv1d if fits(weight, groups) else None


def fold_weight_norm(module: nn.Module) -> None:
    """Fold every weight-normalised layer below `module` for inference."""
    for layer in module.modules():
        if isinstance(layer, WeightNormConv1d):
            layer.fold()
