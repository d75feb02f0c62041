"""The distance of feature maps as two Triton kernels, one pass over memory each: there and back."""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

BLOCK = 4096


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
    """Mean absolute difference () of the halves of x, whose first one, the real one, gets no gradient."""

    @staticmethod
    def forward(ctx, x: Tensor) -> Tensor:  # noqa: ANN001
        """Distance in float32 of x (2 B, ...), dense in memory with the batch outermost."""
        half = x.numel() // 2
        blocks = triton.cdiv(half, BLOCK)
        parts = torch.empty(blocks, device=x.device)
        with torch.cuda.device(x.device):
            _distance_kernel[(blocks,)](x, parts, half, BLOCK=BLOCK, num_warps=8)
        ctx.save_for_backward(x)
        return parts.sum() / half

    @staticmethod
    def backward(ctx, grad: Tensor) -> Tensor:  # noqa: ANN001
        """Gradient of x."""
        (x,) = ctx.saved_tensors
        half = x.numel() // 2
        gradient = torch.empty_like(x)
        with torch.cuda.device(x.device):
            _gradient_kernel[(triton.cdiv(half, BLOCK),)](x, grad / half, gradient, half, BLOCK=BLOCK, num_warps=8)
        return gradient


def is_dense(x: Tensor) -> bool:
    """Whether x fills its memory, the batch outermost: what the kernels need."""
    return x.is_contiguous() or (x.dim() == 4 and x.is_contiguous(memory_format=torch.channels_last))


def feature_distance(x: Tensor) -> Tensor:
    """Mean absolute difference (), float32, of the halves of x (2 B, ...), real ones first; dense and on a GPU."""
    return FeatureDistance.apply(x)
