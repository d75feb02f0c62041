"""The weight of a weight-normalised layer; its Triton twin makes those of a whole network with one kernel.

Another kernel makes all their gradients. Layer by layer a step computes each weight from direction and length
(arXiv 1602.07868), rounds it, and reorders it for channels-last convolutions; on the way back the same again, and adds
the result to the gradients. That is ten small kernels a layer, which take longer than many of the convolutions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function

from models.kernels import tl, triton, uses_triton

BLOCK = 1024
# Weights start at multiples of so many elements, as matrix units want them.
ALIGNMENT = 64


def weight_norm(direction: Tensor, length: Tensor) -> Tensor:
    """The effective weight: each output channel of `direction`, scaled to the norm that `length` gives it."""
    return torch._weight_norm(direction, length, 0)


@triton.jit
def _weights_kernel(
    direction_ptrs, length_ptrs, offsets_ptr, counts_ptr, inner_ptr, flat_ptr, norm_ptr, BLOCK: tl.constexpr
):  # fmt: skip
    # flat[k * inner + i] = length * direction[i * taps + k] / norm, for one output channel
    row = tl.program_id(0)
    direction = tl.load(direction_ptrs + row).to(tl.pointer_type(tl.float32))
    length = tl.load(tl.load(length_ptrs + row).to(tl.pointer_type(tl.float32)))
    count, inner = tl.load(counts_ptr + row).to(tl.int32), tl.load(inner_ptr + row).to(tl.int32)
    taps = count // inner
    squares = tl.zeros((BLOCK,), tl.float32)
    for start in range(0, count, BLOCK):
        at = start + tl.arange(0, BLOCK)
        value = tl.load(direction + at, mask=at < count, other=0.0)
        squares += value * value
    norm = tl.sqrt(tl.sum(squares, 0))
    tl.store(norm_ptr + row, norm)
    flat = flat_ptr + tl.load(offsets_ptr + row)
    for start in range(0, count, BLOCK):
        at = start + tl.arange(0, BLOCK)
        value = tl.load(direction + at % inner * taps + at // inner, mask=at < count, other=0.0)
        tl.store(flat + at, (value * (length / norm)).to(flat_ptr.dtype.element_ty), mask=at < count)


@triton.jit
def _gradients_kernel(
    direction_ptrs, length_ptrs, direction_grads, length_grads, offsets_ptr, counts_ptr, inner_ptr, flat_ptr, norm_ptr,
    BLOCK: tl.constexpr,
):  # fmt: skip
    row = tl.program_id(0)
    direction = tl.load(direction_ptrs + row).to(tl.pointer_type(tl.float32))
    length = tl.load(tl.load(length_ptrs + row).to(tl.pointer_type(tl.float32)))
    direction_grad = tl.load(direction_grads + row).to(tl.pointer_type(tl.float32))
    length_grad = tl.load(length_grads + row).to(tl.pointer_type(tl.float32))
    count, inner = tl.load(counts_ptr + row).to(tl.int32), tl.load(inner_ptr + row).to(tl.int32)
    norm = tl.load(norm_ptr + row)
    taps = count // inner
    flat = flat_ptr + tl.load(offsets_ptr + row)
    products = tl.zeros((BLOCK,), tl.float32)
    for start in range(0, count, BLOCK):
        at = start + tl.arange(0, BLOCK)
        grad = tl.load(flat + at % taps * inner + at // taps, mask=at < count, other=0.0).to(tl.float32)
        products += grad * tl.load(direction + at, mask=at < count, other=0.0)
    along = tl.sum(products, 0) / norm  # the gradient's share in the weight's own direction
    for start in range(0, count, BLOCK):
        at = start + tl.arange(0, BLOCK)
        inside = at < count
        grad = tl.load(flat + at % taps * inner + at // taps, mask=inside, other=0.0).to(tl.float32)
        across = grad - tl.load(direction + at, mask=inside, other=0.0) * (along / norm)
        total = tl.load(direction_grad + at, mask=inside, other=0.0) + across * (length / norm)
        tl.store(direction_grad + at, total, mask=inside)
    tl.store(length_grad, tl.load(length_grad) + along)


class FusedWeights:
    """The weight-normalised layers below a module, whose weights are computed together.

    Gradients are added to the parameters' `grad`, which has to exist: autograd does not see them.
    """

    def __init__(self, module: nn.Module, dtype: torch.dtype) -> None:
        """`dtype` is what the layers compute in."""
        self.dtype = dtype
        self.layers: list[Any] = [layer for layer in module.modules() if hasattr(layer, "weight_v")]
        self._table: list[Tensor] = []
        self._addresses: list[int] = []
        self.offsets, end = [], 0
        for layer in self.layers:
            self.offsets.append(end)
            end += -(-layer.weight_v.numel() // ALIGNMENT) * ALIGNMENT
        self.size = end

    @property
    def parameters(self) -> list[nn.Parameter]:
        """Directions and lengths, layer by layer."""
        return [parameter for layer in self.layers for parameter in (layer.weight_v, layer.weight_g)]

    @contextmanager
    def computed(self) -> Iterator[None]:
        """Inside the block every layer uses the weights computed here, at the block's start, where the kernels can."""
        if not self.layers or not all(map(_fits, self.parameters)):
            yield
            return
        for layer, weight in zip(self.layers, _Weights.apply(self, *self.parameters)):
            layer.fused = weight
        try:
            yield
        finally:
            for layer in self.layers:
                layer.fused = None

    def views(self, flat: Tensor) -> list[Tensor]:
        """Each layer's weight (out, in / groups, taps ...) in the flat buffer, in the order that its kernel wants."""
        views = []
        for layer, offset in zip(self.layers, self.offsets):
            shape, inner = layer.weight_v.shape, inner_size(layer)
            strides = list(layer.weight_v.stride())
            if inner > 1:
                strides = [strides[0], 1, *(inner * stride for stride in strides[2:])]
            views.append(flat.as_strided(shape, strides, offset))
        return views

    def table(self) -> list[Tensor]:
        """A row for each output channel: addresses of direction, length and their gradients; offset, size, order."""
        parameters = self.parameters
        addresses = [p.data_ptr() for p in parameters] + [p.grad.data_ptr() for p in parameters if p.grad is not None]
        if addresses != self._addresses:
            columns: list[list[int]] = [[] for _ in range(7)]
            for layer, offset in zip(self.layers, self.offsets):
                size = layer.weight_v[0].numel()
                for row in range(layer.weight_v.shape[0]):
                    places = [(layer.weight_v, 4 * row * size), (layer.weight_g, 4 * row)]
                    values = [p.data_ptr() + at for p, at in places] + [p.grad.data_ptr() + at for p, at in places]
                    for column, value in zip(columns, [*values, offset + row * size, size, inner_size(layer)]):
                        column.append(value)
            device = parameters[0].device
            self._table = [torch.tensor(column, dtype=torch.int64, device=device) for column in columns]
            self._addresses = addresses
        return self._table


def inner_size(layer: Any) -> int:
    """Input channels if they are to be the innermost axis, as in channels-last convolutions; 1 keeps the order."""
    return 1 if getattr(layer, "groups", 1) > 1 else layer.weight_v.shape[1]


class _Weights(Function):
    """Every layer's weight; on the way back adds to the parameters' own gradients."""

    @staticmethod
    def forward(ctx: Any, fused: FusedWeights, *parameters: Tensor) -> tuple[Tensor, ...]:
        direction, length, _, _, offsets, counts, inner = fused.table()
        flat = torch.empty(fused.size, dtype=fused.dtype, device=direction.device)
        norms = torch.empty(len(direction), device=direction.device)
        with torch.cuda.device_of(direction):
            _weights_kernel[(len(direction),)](direction, length, offsets, counts, inner, flat, norms, BLOCK=BLOCK)
        ctx.fused, ctx.norms = fused, norms
        return tuple(fused.views(flat))

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[None, ...]:
        fused = ctx.fused
        direction, length, direction_grad, length_grad, offsets, counts, inner = fused.table()
        flat = torch.empty(fused.size, dtype=fused.dtype, device=direction.device)
        copy_all(fused.views(flat), grads)
        with torch.cuda.device_of(direction):
            _gradients_kernel[(len(direction),)](
                direction, length, direction_grad, length_grad, offsets, counts, inner, flat, ctx.norms, BLOCK=BLOCK
            )
        return (None,) * (1 + len(fused.parameters))


def copy_all(targets: Sequence[Tensor], sources: Sequence[Tensor]) -> None:
    """Copy tensor by tensor, in few kernels where they lie alike in memory."""
    alike: list[tuple[Tensor, Tensor]] = []
    others: list[tuple[Tensor, Tensor]] = []
    for target, source in zip(targets, sources):
        (alike if target.stride() == source.stride() else others).append((target, source))
    if alike:
        torch._foreach_copy_([target for target, _ in alike], [source for _, source in alike])
    for target, source in others:
        target.copy_(source)


def _fits(p: nn.Parameter) -> bool:
    dense = p.is_contiguous() and p.grad is not None and p.grad.is_contiguous()
    return uses_triton(p) and p.dtype == torch.float32 and dense
