"""Bias and leaky ReLU behind a convolution; the Triton twin is one kernel for them and another for their gradients.

PyTorch takes five passes over memory for them: add the bias, activate, and on the way back the slope and the sum for
the bias. Here there are two.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from models.kernels.dispatch import channels_last, tl, triton, uses_triton

# Elements of a tile, channels of it at most, and tiles that one program of the backward pass walks through.
TILE, MOST_CHANNELS, STEPS = 4096, 128, 8


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
        """The activated sum, in x's type and layout."""
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
        """Gradients of x and of the bias."""
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
