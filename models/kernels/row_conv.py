"""Convolution over time of images of height one, where some shapes have faster forms on a GPU."""

from __future__ import annotations

from functools import reduce

import torch
import torch.nn.functional as F
from torch import Tensor

from models.kernels.bias_activation import activate, with_bias
from models.kernels.grouped_conv import grouped_conv

# Matrix products on tensor cores want their sizes in multiples of this.
PRODUCT_MULTIPLE = 8


def row_conv(
    x: Tensor, weight: Tensor, bias: Tensor, stride: int, padding: int, dilation: int, groups: int, slope: float
) -> Tensor:
    """Convolve x (B, C, 1, T) with weight (out, in / groups, taps), then a leaky ReLU with this slope; 1 is none."""
    (n_out, n_in, _), unit = weight.shape, groups == dilation == 1
    if x.is_cuda and unit and n_out == stride == 1:
        return activate(conv_to_one_channel(x, weight, bias, padding), slope)
    if groups > 1 and dilation == 1:
        return activate(grouped_conv(x, weight, bias, stride, padding, groups), slope)

    def convolve(bias: Tensor | None) -> Tensor:
        if x.is_cuda and unit and n_in == 1:
            return conv_of_one_channel(x, weight, bias, stride, padding)
        return F.conv2d(x, weight.unsqueeze(2), bias, (1, stride), (0, padding), (1, dilation), groups)

    return with_bias(convolve, x, bias, slope)


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
    y = reduce(torch.add, [products[:, i : i + length, i].float() for i in range(kernel)]) + bias
    return y.to(products.dtype).unsqueeze(1).unsqueeze(2)
