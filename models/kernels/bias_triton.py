"""Bias and leaky ReLU behind a convolution as one Triton kernel, and their gradients as another.

PyTorch takes five passes over memory for them: add the bias, activate, and on the way back the slope and the sum for
the bias. Here there are two.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

# Elements of a tile, channels of it at most, and tiles that one program of the backward pass walks through.
TILE, MOST_CHANNELS, STEPS = 4096, 128, 8


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
    def forward(ctx, x: Tensor, bias: Tensor, slope: float) -> Tensor:  # noqa: ANN001
        """The activated sum, in x's type and layout."""
        y = torch.empty_like(x)
        channels = bias.shape[0]
        rows = x.numel() // channels
        tile, width = _tile(channels)
        with torch.cuda.device(x.device):
            _forward_kernel[(triton.cdiv(rows, tile), triton.cdiv(channels, width))](
                x, bias, y, rows, channels, slope, ROWS=tile, COLUMNS=width
            )
        ctx.slope, ctx.like = slope, bias
        ctx.save_for_backward(*([y] if slope != 1.0 else []))
        return y

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor, Tensor, None]:  # noqa: ANN001
        """Gradients of x and of the bias."""
        activated = ctx.slope != 1.0
        grad = grad if fits(grad) else grad.contiguous(memory_format=torch.channels_last)
        y = ctx.saved_tensors[0] if activated else grad
        grad_x = torch.empty_like(grad) if activated else grad
        channels = ctx.like.shape[0]
        rows = grad.numel() // channels
        tile, width = _tile(channels)
        programs = triton.cdiv(rows, tile * STEPS)
        parts = torch.empty(programs, channels, device=grad.device)
        with torch.cuda.device(grad.device):
            _backward_kernel[(programs, triton.cdiv(channels, width))](
                grad, y, grad_x, parts, rows, channels, ctx.slope,
                ACTIVATED=activated, ROWS=tile, COLUMNS=width, STEPS=STEPS,
            )  # fmt: skip
        return grad_x, parts.sum(0).to(ctx.like.dtype), None


def _tile(channels: int) -> tuple[int, int]:
    """Rows and channels of a tile."""
    width = min(MOST_CHANNELS, triton.next_power_of_2(channels))
    return TILE // width, width


def fits(x: Tensor) -> bool:
    """Whether x (B, C, T, F) lies in memory as the kernels need it: dense, the channels last."""
    return x.dim() == 4 and x.is_contiguous(memory_format=torch.channels_last)


def bias_activation(x: Tensor, bias: Tensor, slope: float) -> Tensor:
    """leaky_relu(x + bias, slope) for x (B, C, T, F), channels-last in memory on a GPU, and bias (C,)."""
    return BiasActivation.apply(x, bias, slope)
