"""Convolution, bias and leaky ReLU; some shapes of convolutions over time have faster forms on a GPU.

PyTorch takes five passes over memory for what follows the convolution: add the bias, activate, and on the way back the
slope and the sum for the bias. The Triton twin takes two: one kernel, and another for the gradients.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from models.kernels.dispatch import channels_last, tl, triton, uses_triton
from models.kernels.grouped_conv import grouped_conv

# Matrix products on tensor cores want their sizes in multiples of this.
PRODUCT_MULTIPLE = 8
# Elements of a tile, channels of it at most, and tiles that one program of the backward pass walks through.
TILE, MOST_CHANNELS, STEPS = 4096, 128, 8


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


def bias_activation(y: Tensor, bias: Tensor, slope: float) -> Tensor:
    """leaky_relu(y + bias, slope) for y (B, C, H, W) and bias (C,); slope 1 is no activation."""
    if uses_triton(y) and channels_last(y):
        return BiasActivation.apply(y, bias, slope)
    return activate(y + bias[:, None, None], slope)


def with_bias(convolve: Callable[[Tensor | None], Tensor], x: Tensor, bias: Tensor, slope: float) -> Tensor:
    """A convolution of x (B, C, H, W), then a leaky ReLU; `convolve` adds the bias that it is given.

    In training on a GPU the convolution leaves bias and activation to the kernel.
    """
    if torch.is_grad_enabled() and uses_triton(x) and channels_last(x):
        return bias_activation(convolve(None).contiguous(memory_format=torch.channels_last), bias, slope)
    return activate(convolve(bias), slope)


def activate(x: Tensor, slope: float) -> Tensor:
    """Leaky ReLU with this slope; 1 is none."""
    return x if slope == 1.0 else F.leaky_relu(x, slope)


@triton.jit
def _forward_kernel(
    x_ptr, bias_ptr, y_ptr, rows, channels, slope, ROWS: tl.constexpr, COLUMNS: tl.constexpr
):  # fmt: skip
    row = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)
    column = tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS)
    at = row[:, None] * channels + column[None, :]
    inside = (row < rows)[:, None] & (column < channels)[None, :]
    bias = tl.load(bias_ptr + column, mask=column < channels, other=0.0).to(tl.float32)
    y = tl.load(x_ptr + at, mask=inside, other=0.0).to(tl.float32) + bias[None, :]
    y = tl.where(y > 0, y, slope * y)
    tl.store(y_ptr + at, y.to(y_ptr.dtype.element_ty), mask=inside)


@triton.jit
def _backward_kernel(
    grad_ptr, y_ptr, grad_x_ptr, parts_ptr, rows, channels, slope,
    ACTIVATED: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr, STEPS: tl.constexpr,
):  # fmt: skip
    column = tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS)
    total = tl.zeros((ROWS, COLUMNS), tl.float32)
    for step in range(STEPS):
        row = (tl.program_id(0).to(tl.int64) * STEPS + step) * ROWS + tl.arange(0, ROWS)
        at = row[:, None] * channels + column[None, :]
        inside = (row < rows)[:, None] & (column < channels)[None, :]
        grad = tl.load(grad_ptr + at, mask=inside, other=0.0).to(tl.float32)
        if ACTIVATED:
            # The output has the sign that the input of the activation had.
            y = tl.load(y_ptr + at, mask=inside, other=0.0).to(tl.float32)
            grad = tl.where(y > 0, grad, slope * grad)
            tl.store(grad_x_ptr + at, grad.to(grad_x_ptr.dtype.element_ty), mask=inside)
        total += grad
    parts = parts_ptr + tl.program_id(0) * channels + column
    tl.store(parts, tl.sum(total, 0), mask=column < channels)


class BiasActivation(torch.autograd.Function):
    """leaky_relu(x + bias, slope) for x (B, C, ...) with C last in memory; slope 1 is no activation."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, bias: Tensor, slope: float) -> Tensor:
        y = torch.empty_like(x)
        channels = bias.shape[0]
        rows = x.numel() // channels
        tile, width = _tile(channels)
        with torch.cuda.device_of(x):
            _forward_kernel[(triton.cdiv(rows, tile), triton.cdiv(channels, width))](
                x, bias, y, rows, channels, slope, ROWS=tile, COLUMNS=width
            )
        ctx.slope, ctx.like = slope, bias
        ctx.save_for_backward(*([y] if slope != 1.0 else []))
        return y

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None]:
        activated = ctx.slope != 1.0
        grad = grad.contiguous(memory_format=torch.channels_last)
        y = ctx.saved_tensors[0] if activated else grad
        grad_x = torch.empty_like(grad) if activated else grad
        channels = ctx.like.shape[0]
        rows = grad.numel() // channels
        tile, width = _tile(channels)
        programs = triton.cdiv(rows, tile * STEPS)
        parts = torch.empty(programs, channels, device=grad.device)
        with torch.cuda.device_of(grad):
            _backward_kernel[(programs, triton.cdiv(channels, width))](
                grad, y, grad_x, parts, rows, channels, ctx.slope,
                ACTIVATED=activated, ROWS=tile, COLUMNS=width, STEPS=STEPS,
            )  # fmt: skip
        return grad_x, parts.sum(0).to(ctx.like.dtype), None


def _tile(channels: int) -> tuple[int, int]:
    """Rows and channels of a tile."""
    width = min(MOST_CHANNELS, triton.next_power_of_2(channels))
    return TILE // width, width
