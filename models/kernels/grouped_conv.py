"""Grouped, strided convolution over time; its Triton twin works on channels-last memory, gradients included.

A group has few channels (8 to 64), too few to fill a matrix unit. So one row of the matrix product makes several
neighbouring outputs: it reads the window that they share, and the weight is packed into shifted copies of itself with
zeros in between (a Toeplitz matrix). With R outputs a row the product is R times as wide, its input is read R times
less often, and (R - 1) * stride taps of the window are wasted. The input gradient has the same form: R * stride
neighbouring inputs share a window of output gradients. The weight gradient is the transposed product, summed over parts
of the batch in a fixed order; nothing depends on the order of atomic additions.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import Function

from models.kernels import tl, triton, uses_triton


def grouped_conv(x: Tensor, weight: Tensor, bias: Tensor, stride: int, padding: int, groups: int) -> Tensor:
    """Convolve x (B, C, 1, T) with weight (out, in / groups, taps) over time.

    The kernels take channels a group that are powers of two, and are fast if C is last in memory; so is the result's.
    """
    if not uses_triton(x) or any(count & (count - 1) for count in per_group(weight, groups)):
        return F.conv2d(x, weight.unsqueeze(2), bias, (1, stride), (0, padding), 1, groups)
    if torch.is_autocast_enabled(x.device.type):
        x = x.to(torch.get_autocast_dtype(x.device.type))
    steps = x.squeeze(2).transpose(1, 2)
    args = (stride, padding, groups)
    y = _Convolve.apply(steps, weight.detach(), bias.detach(), *args)
    if torch.is_grad_enabled() and (weight.requires_grad or bias.requires_grad):
        y = _Join.apply(y, _Weigh.apply(steps.detach(), weight, bias, *args))
    return y.transpose(1, 2).unsqueeze(2)


@triton.jit
def _pack_kernel(
    weight_ptr, packed_ptr,
    TAPS: tl.constexpr, IN: tl.constexpr, OUT: tl.constexpr, WINDOW: tl.constexpr, COLUMNS: tl.constexpr,
    PERIOD: tl.constexpr, IN_STRIDE: tl.constexpr, OUT_STRIDE: tl.constexpr, TAP_STEP: tl.constexpr,
    PHASE_STEP: tl.constexpr, TAP_START: tl.constexpr, BLOCK_U: tl.constexpr, BLOCK_N: tl.constexpr,
):  # fmt: skip
    # packed[g, u, c, r * OUT + n] = weight[g, c, n, TAP_STEP * u + PHASE_STEP * r + TAP_START]
    g, c = tl.program_id(0) // IN, tl.program_id(0) % IN
    u = tl.program_id(1) * BLOCK_U + tl.arange(0, BLOCK_U)
    column = tl.program_id(2) * BLOCK_N + tl.arange(0, BLOCK_N)
    r, n = column // OUT, column % OUT
    tap = (TAP_STEP * u)[:, None] + (PHASE_STEP * r + TAP_START)[None, :]
    offset = g * (IN * OUT * TAPS) + c * IN_STRIDE + (n * OUT_STRIDE)[None, :] + tap
    weight = tl.load(weight_ptr + offset, mask=(tap >= 0) & (tap < TAPS) & (r < PERIOD)[None, :], other=0.0)
    packed = packed_ptr + ((g * WINDOW + u) * IN + c)[:, None] * COLUMNS + column[None, :]
    tl.store(packed, weight.to(packed_ptr.dtype.element_ty), mask=(u < WINDOW)[:, None])


@triton.jit
def _conv_kernel(
    x_ptr, packed_ptr, bias_ptr, y_ptr, rows, rows_per_item, in_length, out_length,
    GROUPS: tl.constexpr, IN: tl.constexpr, OUT: tl.constexpr, STEP: tl.constexpr, PERIOD: tl.constexpr,
    PAD: tl.constexpr, DEPTH: tl.constexpr, COLUMNS: tl.constexpr, HAS_BIAS: tl.constexpr, PRECISION: tl.constexpr,
    BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_K: tl.constexpr,
):  # fmt: skip
    # y[b, m * PERIOD + r, g, n] = sum_{u, c} x[b, m * STEP + u - PAD, g, c] * packed[g, u, c, r * OUT + n]
    g = tl.program_id(0) % GROUPS
    row = tl.program_id(1) * BLOCK_M + tl.arange(0, BLOCK_M)
    item, m = row // rows_per_item, row % rows_per_item
    column = tl.program_id(0) // GROUPS * BLOCK_N + tl.arange(0, BLOCK_N)
    inside = row < rows
    start = tl.where(inside, m * STEP - PAD, in_length)
    x_rows = x_ptr + g * IN + (item.to(tl.int64) * in_length + start) * (GROUPS * IN)
    k = tl.arange(0, BLOCK_K)
    packed = packed_ptr + g * (DEPTH * COLUMNS) + k[:, None] * COLUMNS + column[None, :]
    total = tl.zeros((BLOCK_M, BLOCK_N), tl.float32)
    for k0 in range(0, DEPTH, BLOCK_K):
        u, c = (k0 + k) // IN, (k0 + k) % IN
        position = start[:, None] + u[None, :]
        window = tl.load(
            x_rows[:, None] + (u * (GROUPS * IN) + c)[None, :],
            mask=(position >= 0) & (position < in_length), other=0.0,
        )  # fmt: skip
        total = tl.dot(window, tl.load(packed + k0 * COLUMNS), total, input_precision=PRECISION)
    r, n = column // OUT, column % OUT
    if HAS_BIAS:
        total += tl.load(bias_ptr + g * OUT + n).to(tl.float32)[None, :]
    mask = inside[:, None] & ((m * PERIOD)[:, None] + r[None, :] < out_length) & (r < PERIOD)[None, :]
    y_rows = y_ptr + g * OUT + (item.to(tl.int64) * out_length + m * PERIOD) * (GROUPS * OUT)
    y = y_rows[:, None] + (r * (GROUPS * OUT) + n)[None, :]
    tl.store(y, total.to(y_ptr.dtype.element_ty), mask=mask)


@triton.jit
def _weight_grad_kernel(
    x_ptr, grad_ptr, parts_ptr, rows, rows_per_item, rows_per_part, in_length, out_length,
    GROUPS: tl.constexpr, IN: tl.constexpr, OUT: tl.constexpr, STEP: tl.constexpr, PERIOD: tl.constexpr,
    PAD: tl.constexpr, DEPTH: tl.constexpr, PRECISION: tl.constexpr,
    BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_K: tl.constexpr,
):  # fmt: skip
    # parts[part, g, u, c, r * OUT + n] = sum_{b, m} x[b, m * STEP + u - PAD, g, c] * grad[b, m * PERIOD + r, g, n]
    g, tile = tl.program_id(0) % GROUPS, tl.program_id(0) // GROUPS
    part = tl.program_id(1)
    k = tile % tl.cdiv(DEPTH, BLOCK_M) * BLOCK_M + tl.arange(0, BLOCK_M)
    column = tile // tl.cdiv(DEPTH, BLOCK_M) * BLOCK_N + tl.arange(0, BLOCK_N)
    u, c, r, n = k // IN, k % IN, column // OUT, column % OUT
    x_columns, grad_columns = u * (GROUPS * IN) + c, r * (GROUPS * OUT) + n
    total = tl.zeros((BLOCK_M, BLOCK_N), tl.float32)
    for row0 in range(part * rows_per_part, tl.minimum(rows, (part + 1) * rows_per_part), BLOCK_K):
        row = row0 + tl.arange(0, BLOCK_K)
        item, m = row // rows_per_item, row % rows_per_item
        start = tl.where(row < rows, m * STEP - PAD, in_length)
        first = tl.where(row < rows, m * PERIOD, out_length)
        position = start[:, None] + u[None, :]
        x_rows = x_ptr + g * IN + (item.to(tl.int64) * in_length + start) * (GROUPS * IN)
        grad_rows = grad_ptr + g * OUT + (item.to(tl.int64) * out_length + first) * (GROUPS * OUT)
        window = tl.load(x_rows[:, None] + x_columns[None, :], mask=(position >= 0) & (position < in_length), other=0.0)
        grad = tl.load(
            grad_rows[:, None] + grad_columns[None, :],
            mask=(first[:, None] + r[None, :] < out_length) & (r < PERIOD)[None, :], other=0.0,
        )  # fmt: skip
        total = tl.dot(tl.trans(window), grad, total, input_precision=PRECISION)
    parts = parts_ptr + (part * GROUPS + g).to(tl.int64) * (DEPTH * PERIOD * OUT)
    mask = (k < DEPTH)[:, None] & (r < PERIOD)[None, :]
    tl.store(parts + k[:, None] * (PERIOD * OUT) + column[None, :], total, mask=mask)


@triton.jit
def _sum_parts_kernel(
    parts_ptr, grad_ptr, n_parts,
    GROUPS: tl.constexpr, IN: tl.constexpr, OUT: tl.constexpr, TAPS: tl.constexpr, STRIDE: tl.constexpr,
    REPEAT: tl.constexpr, DEPTH: tl.constexpr, BLOCK_J: tl.constexpr,
):  # fmt: skip
    # grad[g, n, c, j] = sum_{part, r} parts[part, g, j + r * STRIDE, c, r * OUT + n]
    g, c = tl.program_id(0) // IN, tl.program_id(0) % IN
    j = tl.program_id(1) * BLOCK_J + tl.arange(0, BLOCK_J)
    n = tl.arange(0, OUT)
    mask = (j < TAPS)[:, None] & (n >= 0)[None, :]
    total = tl.zeros((BLOCK_J, OUT), tl.float32)
    for part in range(n_parts):
        parts = parts_ptr + (part * GROUPS + g).to(tl.int64) * (DEPTH * REPEAT * OUT)
        for r in tl.static_range(REPEAT):
            row = (j + r * STRIDE) * IN + c
            total += tl.load(parts + row[:, None] * (REPEAT * OUT) + (r * OUT + n)[None, :], mask=mask, other=0.0)
    grad = grad_ptr + (((g * OUT + n) * IN + c) * TAPS)[None, :] + j[:, None]
    tl.store(grad, total.to(grad_ptr.dtype.element_ty), mask=mask)


class Tiles(NamedTuple):
    """How a product is cut."""

    repeat: int  # outputs a row (R, see above)
    rows: int
    columns: int
    depth: int
    warps: int
    stages: int  # loads in flight


MAX_WASTE = 1.2  # of a window
PROGRAMS = 768  # that a weight gradient should have at least


def choose_tiles(kind: str, channels: tuple[int, int], taps: int, stride: int, dtype: torch.dtype) -> Tiles:
    """Tiles for "forward", "input" or "weight" (gradients) of a layer with so many (in, out) channels a group."""
    most = 64 if dtype == torch.float32 else 128
    width = channels[0] * stride if kind == "input" else channels[1]
    repeat = 1
    while width * repeat < 16 or (width * repeat * 2 <= most and taps + (2 * repeat - 1) * stride <= MAX_WASTE * taps):
        repeat *= 2
    columns = min(most, triton.next_power_of_2(width * repeat))
    if dtype == torch.float32:
        return Tiles(repeat, 64, columns, 32, 4, 2)
    return Tiles(repeat, 128, columns, 64, 8 if columns > 64 else 4, 3)


def precision_of(dtype: torch.dtype) -> str:
    """How tl.dot multiplies: as cuDNN's convolutions may."""
    return "tf32" if dtype != torch.float32 or torch.backends.cudnn.allow_tf32 else "ieee"


def convolve_blocks(
    x: Tensor, weight: Tensor, bias: Tensor | None, tiles: Tiles, transposed: bool,
    stride: int, padding: int, groups: int, out_length: int,
) -> Tensor:  # fmt: skip
    """Convolution of x (B, T, C), or of an output gradient with the transposed weight, to out_length steps."""
    taps, repeat = weight.shape[2], tiles.repeat
    in_channels, out_channels = weight.shape[1], weight.shape[0] // groups
    in_stride, out_stride = taps, in_channels * taps
    if transposed:
        in_channels, out_channels, in_stride, out_stride = out_channels, in_channels, out_stride, in_stride
        period, step, pad = repeat * stride, repeat, (taps - 1 - padding) // stride
        window = (period - 1 + padding) // stride + pad + 1
        tap_steps = (-stride, 1, padding + pad * stride)
    else:
        period, step, pad = repeat, repeat * stride, padding
        window = taps + (repeat - 1) * stride
        tap_steps = (1, -stride, 0)
    depth = triton.cdiv(window * in_channels, tiles.depth) * tiles.depth
    window = triton.cdiv(depth, in_channels)  # Both are powers of two: this is exact where depth was rounded up.
    columns = triton.cdiv(period * out_channels, tiles.columns) * tiles.columns
    packed = x.new_empty(groups, depth, columns)
    block_u = min(64, triton.next_power_of_2(window))
    _pack_kernel[groups * in_channels, triton.cdiv(window, block_u), columns // tiles.columns](
        weight, packed, taps, in_channels, out_channels, window, columns, period, in_stride, out_stride, *tap_steps,
        BLOCK_U=block_u, BLOCK_N=tiles.columns,
    )  # fmt: skip
    y = x.new_empty(x.shape[0], out_length, groups * out_channels)
    rows_per_item = triton.cdiv(out_length, period)
    rows = x.shape[0] * rows_per_item
    _conv_kernel[groups * (columns // tiles.columns), triton.cdiv(rows, tiles.rows)](
        x, packed, packed if bias is None else bias, y, rows, rows_per_item, x.shape[1], out_length,
        groups, in_channels, out_channels, step, period, pad, depth, columns, bias is not None, precision_of(x.dtype),
        tiles.rows, tiles.columns, tiles.depth, num_warps=tiles.warps, num_stages=tiles.stages,
    )  # fmt: skip
    return y


def input_gradient(grad: Tensor, weight: Tensor, stride: int, padding: int, groups: int, in_length: int) -> Tensor:
    """Gradient of the input (B, in_length, C)."""
    tiles = choose_tiles("input", per_group(weight, groups), weight.shape[2], stride, grad.dtype)
    grad, weight = grad.contiguous(), weight.contiguous()
    with torch.cuda.device_of(grad):
        return convolve_blocks(grad, weight, None, tiles, True, stride, padding, groups, in_length)


def weight_gradient(x: Tensor, grad: Tensor, weight: Tensor, stride: int, padding: int, groups: int) -> Tensor:
    """Gradient of the weight, as large and of the same type."""
    taps, (in_channels, out_channels) = weight.shape[2], per_group(weight, groups)
    tiles = choose_tiles("weight", (in_channels, out_channels), taps, stride, x.dtype)
    x, grad = x.contiguous(), grad.contiguous()
    repeat = tiles.repeat
    depth = (taps + (repeat - 1) * stride) * in_channels
    rows_per_item = triton.cdiv(grad.shape[1], repeat)
    rows = x.shape[0] * rows_per_item
    products = groups * triton.cdiv(depth, tiles.rows) * triton.cdiv(repeat * out_channels, tiles.columns)
    n_parts = max(1, min(triton.cdiv(PROGRAMS, products), rows // (8 * tiles.depth)))
    rows_per_part = triton.cdiv(rows, n_parts * tiles.depth) * tiles.depth
    n_parts = triton.cdiv(rows, rows_per_part)
    parts = x.new_empty(n_parts, groups, depth, repeat * out_channels, dtype=torch.float32)
    result = torch.empty_like(weight, memory_format=torch.contiguous_format)
    with torch.cuda.device_of(x):
        _weight_grad_kernel[products, n_parts](
            x, grad, parts, rows, rows_per_item, rows_per_part, x.shape[1], grad.shape[1],
            groups, in_channels, out_channels, repeat * stride, repeat, padding, depth, precision_of(x.dtype),
            tiles.rows, tiles.columns, tiles.depth, num_warps=tiles.warps, num_stages=tiles.stages,
        )  # fmt: skip
        _sum_parts_kernel[groups * in_channels, triton.cdiv(taps, 16)](
            parts, result, n_parts, groups, in_channels, out_channels, taps, stride, repeat, depth, BLOCK_J=16
        )
    return result


def out_length(x: Tensor, weight: Tensor, stride: int, padding: int) -> int:
    """Steps that come of x (B, T, C)."""
    return (x.shape[1] + 2 * padding - weight.shape[2]) // stride + 1


def per_group(weight: Tensor, groups: int) -> tuple[int, int]:
    """Input and output channels of a group."""
    return weight.shape[1], weight.shape[0] // groups


# ctx.needs_input_grad does not know which inputs a call of backward asks for, the engine does: hence a node for the
# input's gradient and one for the weight's, of which it runs what is needed, and one that joins them.
class _Convolve(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, stride: int, padding: int, groups: int) -> Tensor:
        ctx.save_for_backward(weight)
        ctx.geometry = (stride, padding, groups, x.shape[1])
        tiles = choose_tiles("forward", per_group(weight, groups), weight.shape[2], stride, x.dtype)
        length, x, weight = out_length(x, weight, stride, padding), x.contiguous(), weight.contiguous()
        with torch.cuda.device_of(x):
            return convolve_blocks(x, weight, bias, tiles, False, stride, padding, groups, length)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        return input_gradient(grad, *ctx.saved_tensors, *ctx.geometry), None, None, None, None, None


class _Weigh(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, stride: int, padding: int, groups: int) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.geometry, ctx.bias_dtype = (stride, padding, groups), bias.dtype
        return x.new_empty(()).expand(x.shape[0], out_length(x, weight, stride, padding), weight.shape[0])

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        bias_grad = grad.sum((0, 1), dtype=torch.float32).to(ctx.bias_dtype)
        return None, weight_gradient(x, grad, weight, *ctx.geometry), bias_grad, None, None, None


class _Join(Function):
    @staticmethod
    def forward(ctx: Any, y: Tensor, weighed: Tensor) -> Tensor:
        return y.view_as(y)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor]:
        return grad, grad
