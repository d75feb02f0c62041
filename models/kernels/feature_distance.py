"""The distance of feature maps; its Triton twin takes one pass over memory there and one back."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from models.kernels import channels_last, tl, triton, uses_triton

BLOCK = 4096


def feature_distance(x: Tensor) -> Tensor:
    """Mean absolute difference (), float32, of the halves of x (2 B, ...), the real one first, without gradient."""
    # The kernels need x to fill its memory, the batch outermost.
    if uses_triton(x) and (x.is_contiguous() or channels_last(x)):
        return FeatureDistance.apply(x)
    real, fake = x.chunk(2)
    return (fake - real.detach()).abs().mean(dtype=torch.float32)


@triton.jit
def _distance_kernel(x_ptr, parts_ptr, half, BLOCK: tl.constexpr):
    at = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = at < half
    real = tl.load(x_ptr + at, mask=inside, other=0.0).to(tl.float32)
    fake = tl.load(x_ptr + half + at, mask=inside, other=0.0).to(tl.float32)
    tl.store(parts_ptr + tl.program_id(0), tl.sum(tl.abs(fake - real), 0))


@triton.jit
def _gradient_kernel(x_ptr, scale_ptr, grad_ptr, half, BLOCK: tl.constexpr):
    at = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = at < half
    real = tl.load(x_ptr + at, mask=inside, other=0.0).to(tl.float32)
    fake = tl.load(x_ptr + half + at, mask=inside, other=0.0).to(tl.float32)
    scale = tl.load(scale_ptr)
    gradient = tl.where(fake > real, scale, tl.where(fake < real, -scale, 0.0))
    kind = grad_ptr.dtype.element_ty
    tl.store(grad_ptr + at, tl.zeros((BLOCK,), kind), mask=inside)
    tl.store(grad_ptr + half + at, gradient.to(kind), mask=inside)


class FeatureDistance(torch.autograd.Function):
    """The Triton twin, for x dense in memory with the batch outermost."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        half = x.numel() // 2
        blocks = triton.cdiv(half, BLOCK)
        parts = torch.empty(blocks, device=x.device)
        with torch.cuda.device_of(x):
            _distance_kernel[(blocks,)](x, parts, half, BLOCK=BLOCK, num_warps=8)
        ctx.save_for_backward(x)
        return parts.sum() / half

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        half = x.numel() // 2
        gradient = torch.empty_like(x)
        with torch.cuda.device_of(x):
            _gradient_kernel[(triton.cdiv(half, BLOCK),)](x, grad / half, gradient, half, BLOCK=BLOCK, num_warps=8)
        return gradient
