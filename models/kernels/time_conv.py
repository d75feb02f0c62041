"""Convolutions over time, in the two layouts of the network.

In front of the waveform states are (B, T, C): `TimeConv1d`. Generators and discriminators convolve images of one row,
(B, C, 1, T): `row_conv`, with bias and leaky ReLU; some of its shapes have faster forms on a GPU. PyTorch takes five
passes over memory for what follows a convolution: add the bias, activate, and on the way back the slope and the sum for
the bias. The Triton twin takes two: one kernel, and another for the gradients.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.kernels import channels_last, exporting, tl, triton, uses_triton
from models.kernels.grouped_conv import grouped_conv

# Matrix products on tensor cores want their sizes in multiples of this.
PRODUCT_MULTIPLE = 8
# Elements of a tile, channels of it at most, and tiles that one program of the backward pass walks through.
TILE, MOST_CHANNELS, STEPS = 4096, 128, 8


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
