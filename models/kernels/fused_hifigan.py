"""The HiFi-GAN generator for inference on a GPU in half precision: one Triton kernel per convolution.

A convolution reads its input once and writes its output once: bias, activation, residual and the sum over blocks are
part of it, where separate kernels would move every tensor several times more, which is what takes the time. And each
utterance of a batch ends where it ends: behind its last frame a convolution reads zeros, as at the end of a tensor,
so that padding changes nothing, and whole blocks of padding are not computed at all.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from models.kernels import tl, triton

SMALLEST = 16  # of a side of a matrix that tensor cores multiply


# Values that change from layer to layer, for which no kernel of their own is worth the time to compile it.
_PLAIN_NUMBERS = ["max_rows", "rows_per_frame", "extra_rows", "taps", "first", "step"]


@triton.jit(do_not_specialize=_PLAIN_NUMBERS)
def _conv_kernel(
    x_ptr, weight_ptr, bias_ptr, residual_ptr, total_ptr, y_ptr, lengths_ptr,
    max_rows, rows_per_frame, extra_rows, taps, first, step, slope, residual_slope, scale,
    IN: tl.constexpr, IN_PADDED: tl.constexpr, OUT: tl.constexpr, OUT_PADDED: tl.constexpr,
    SHIFT: tl.constexpr, HAS_RESIDUAL: tl.constexpr, HAS_TOTAL: tl.constexpr, TANH: tl.constexpr,
    BLOCK_T: tl.constexpr, BLOCK_C: tl.constexpr, BLOCK_N: tl.constexpr,
):  # fmt: skip
    b = tl.program_id(2).to(tl.int64)
    rows = tl.load(lengths_ptr + b).to(tl.int32) * rows_per_frame
    start = tl.program_id(0) * BLOCK_T
    if start >= rows + extra_rows:
        return
    t = start + tl.arange(0, BLOCK_T)
    n = tl.program_id(1) * BLOCK_N + tl.arange(0, BLOCK_N)
    c = tl.arange(0, BLOCK_C)
    x_ptr += b * max_rows * IN
    acc = tl.zeros((BLOCK_T, BLOCK_N), dtype=tl.float32)
    parts: tl.constexpr = IN_PADDED // BLOCK_C
    for i in range(taps * parts):
        tap = i // parts
        channel = (i % parts) * BLOCK_C + c
        row = t + first + tap * step
        inside = (row >= 0) & (row < rows)
        if IN == IN_PADDED:
            x = tl.load(x_ptr + row[:, None] * IN + channel[None, :], mask=inside[:, None], other=0.0)
        else:
            known = inside[:, None] & (channel[None, :] < IN)
            x = tl.load(x_ptr + row[:, None] * IN + channel[None, :], mask=known, other=0.0)
        weight = tl.load(weight_ptr + (tap * IN_PADDED + channel[:, None]) * OUT_PADDED + n[None, :])
        acc = tl.dot(x, weight, acc)
    acc += tl.load(bias_ptr + n)[None, :]
    offset = t[:, None] * OUT + n[None, :] - SHIFT
    if SHIFT == 0:
        inside = (t < rows)[:, None]
    else:
        inside = (offset >= 0) & (offset < rows * OUT)
    if OUT != OUT_PADDED:
        inside = inside & (n < OUT)[None, :]
    start_of_b = b * max_rows * OUT
    if HAS_RESIDUAL:
        # It is kept activated only; the activation can be undone.
        residual = tl.load(residual_ptr + start_of_b + offset, mask=inside, other=0.0).to(tl.float32)
        acc += tl.where(residual >= 0, residual, residual * residual_slope)
    if HAS_TOTAL:
        acc += tl.load(total_ptr + start_of_b + offset, mask=inside, other=0.0).to(tl.float32)
    acc *= scale
    acc = tl.where(acc >= 0, acc, acc * slope)
    if TANH:
        acc = 2 * tl.sigmoid(2 * acc) - 1
    tl.store(y_ptr + start_of_b + offset, acc.to(y_ptr.dtype.element_ty), mask=inside)


class FusedConv:
    """A convolution, plain or transposed, with what follows it."""

    @torch.no_grad()
    def __init__(self, layer: Any, dtype: torch.dtype, tile: dict[str, int] | None = None) -> None:
        """Take over a layer's folded weight; plain ones must keep the length, at stride 1. `tile`: see `tile_of`."""
        weight = layer.folded.float()  # (out, in, kernel), transposed (in, out, kernel)
        self.upsampling = layer.stride
        if layer.transposed:
            # Output row r * i + phase - padding gets the taps phase, phase + r ... of the inputs i, i - 1 ...: all
            # phases side by side are the outputs of a plain convolution over the inputs.
            spare = -weight.shape[2] % layer.stride
            weight = F.pad(weight, (0, spare)).unflatten(2, (-1, layer.stride))  # (in, out, tap, phase)
            weight = weight.permute(2, 0, 3, 1).flatten(2)
            self.bias = layer.bias.float().repeat(layer.stride)
            self.first, self.step = 0, -1
            self.shift = layer.padding * layer.folded.shape[1]
            self.extra_rows = -(-layer.padding // layer.stride)
        else:
            weight = weight.permute(2, 1, 0)
            self.bias = layer.bias.float()
            self.first, self.step = -layer.padding, layer.dilation
            self.shift = self.extra_rows = 0
        self.taps, self.n_in, self.n_out = weight.shape
        self.tile = tile or tile_of(self.n_in, self.n_out)
        spare_in, spare_out = -self.n_in % self.tile["BLOCK_C"], -self.n_out % self.tile["BLOCK_N"]
        self.weight = F.pad(weight, (0, spare_out, 0, spare_in)).to(dtype).contiguous()
        self.bias = F.pad(self.bias, (0, spare_out)).contiguous()

    def __call__(
        self,
        x: Tensor,
        lengths: Tensor,
        rate: int,
        slope: float = 1.0,
        residual: Tensor | None = None,
        residual_slope: float = 1.0,
        total: Tensor | None = None,
        scale: float = 1.0,
        tanh: bool = False,
    ) -> Tensor:
        """Convolve x (B, T * rate, C), of which lengths (B,) times rate rows count, to (B, T * rate * upsampling, C').

        The result, plus `residual` (activated with `residual_slope`), plus `total` (not activated), times `scale`, is
        activated with `slope` or, in float32, with tanh. What lies behind an end is left as it is in memory.
        """
        batch, rows, _ = x.shape
        dtype = torch.float32 if tanh else x.dtype
        y = torch.empty(batch, rows * self.upsampling, self.n_out // self.upsampling, device=x.device, dtype=dtype)
        blocks = {name: size for name, size in self.tile.items() if name.startswith("BLOCK")}
        grid = (
            triton.cdiv(rows + self.extra_rows, blocks["BLOCK_T"]), triton.cdiv(self.n_out, blocks["BLOCK_N"]), batch,
        )  # fmt: skip
        n_in, n_out = self.weight.shape[1:]
        _conv_kernel[grid](
            x, self.weight, self.bias, residual, total, y, lengths,
            rows, rate, self.extra_rows, self.taps, self.first, self.step, slope, 1 / residual_slope, scale,
            IN=self.n_in, IN_PADDED=n_in, OUT=self.n_out, OUT_PADDED=n_out,
            SHIFT=self.shift, HAS_RESIDUAL=residual is not None, HAS_TOTAL=total is not None, TANH=tanh, **self.tile,
        )  # fmt: skip
        return y


def tile_of(n_in: int, n_out: int) -> dict[str, int]:
    """How the product of a convolution is cut: rows, input channels and output columns at once, and what that needs."""
    block_n = min(128, max(SMALLEST, triton.next_power_of_2(n_out)))
    # The largest power of two that divides the channels, within limits.
    block_c = min(64, max(SMALLEST, n_in & -n_in))
    return {
        "BLOCK_T": 128, "BLOCK_C": block_c, "BLOCK_N": block_n,
        "num_warps": 8 if block_n == 128 else 4, "num_stages": 4 if block_n < 128 else 3,
    }  # fmt: skip


class FusedHifigan:
    """The Triton twin of `HifiganGenerator.forward`, for folded weights and batches of mixed lengths."""

    def __init__(self, generator: Any, dtype: torch.dtype, slope: float, last_slope: float) -> None:
        """Copy the weights in `dtype`, bfloat16 or float16, in which the tensors between convolutions are, too."""
        self.dtype, self.slope, self.last_slope = dtype, slope, last_slope
        self.input_conv = FusedConv(generator.input_conv, dtype)
        self.output_conv = FusedConv(generator.output_conv, dtype)
        self.upsamples = [FusedConv(layer, dtype) for layer in generator.upsamples]
        self.blocks = [[self._pairs(block) for block in blocks] for blocks in generator.blocks]

    def _pairs(self, block: Any) -> list[tuple[FusedConv, FusedConv]]:
        return [(FusedConv(a, self.dtype), FusedConv(b, self.dtype)) for a, b in zip(block.dilated, block.plain)]

    def __call__(self, frames: Tensor, lengths: Tensor) -> Tensor:
        """Waveform (B, T * hop_size) in float32 of frames (B, T, C), each of lengths (B,) as if alone.

        What lies behind an end is undefined.
        """
        with torch.cuda.device_of(frames):
            rate = 1
            x = self.input_conv(frames.to(self.dtype).contiguous(), lengths, rate, self.slope)
            for number, (upsample, blocks) in enumerate(zip(self.upsamples, self.blocks), 1):
                x = upsample(x, lengths, rate, self.slope)
                rate *= upsample.upsampling
                slope = self.last_slope if number == len(self.blocks) else self.slope
                x = self._mean_of_blocks(x, lengths, rate, blocks, slope)
            return self.output_conv(x, lengths, rate, tanh=True).flatten(1)

    def _mean_of_blocks(
        self, x: Tensor, lengths: Tensor, rate: int, blocks: list[list[tuple[FusedConv, FusedConv]]], slope: float
    ) -> Tensor:
        """Mean of the residual blocks of x (B, T, C), which is activated already; itself activated with `slope`."""
        total: Any = None
        for block in blocks:
            y = x
            for dilated, plain in block:
                last = plain is block[-1][1]
                closing = last and block is blocks[-1]
                between = dilated(y, lengths, rate, self.slope)
                y = plain(
                    between, lengths, rate,
                    slope=slope if closing else 1.0 if last else self.slope,
                    residual=y, residual_slope=self.slope,
                    total=total if last else None,
                    scale=1 / len(blocks) if closing else 1.0,
                )  # fmt: skip
            total = y
        return total
