"""Weights in a half or a quarter of the space, for voices that travel: half precision, or eight bits in groups."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

# Smaller tensors (biases, norms, statistics) stay as they are: they weigh nothing, and their errors reach everything.
SMALLEST = 4096
# Neighbours that share one scale: more of them take less space, fewer lose less.
GROUP = 32
_SCALES = "::scales"


def compact(weights: Mapping[str, Tensor], kind: str) -> dict[str, Tensor]:
    """State dict with its large tensors in "fp16", or in "int8" with a half-precision scale for GROUP neighbours each.

    Raises ValueError for weights that are not finite, or too large for half precision.
    """
    stored: dict[str, Tensor] = {}
    for name, value in weights.items():
        if not torch.isfinite(value).all():
            raise ValueError(f"{name} holds values that are not finite")
        if not value.is_floating_point() or value.numel() < SMALLEST:
            stored[name] = value
        elif kind == "int8":
            stored[name], stored[name + _SCALES] = _to_eight_bits(value)
        else:
            stored[name] = value.half()
        if not all(torch.isfinite(stored[key]).all() for key in (name, name + _SCALES) if key in stored):
            raise ValueError(f"{name} holds values that are too large for half precision")
    return stored


def expand(stored: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """State dict of what `compact` made in single precision, any other as it is; ValueError if scales do not fit."""
    weights: dict[str, Tensor] = {}
    for name, value in stored.items():
        if name.endswith(_SCALES):
            if name.removesuffix(_SCALES) not in stored:
                raise ValueError(f"{name} belongs to no tensor")
        elif name + _SCALES in stored:
            weights[name] = _from_eight_bits(name, value, stored[name + _SCALES])
        else:
            weights[name] = value.float() if value.dtype == torch.float16 else value
    return weights


def _to_eight_bits(value: Tensor) -> tuple[Tensor, Tensor]:
    """Values from -127 to 127 in the tensor's shape, and scales (groups,)."""
    rows = _grouped(value.float())
    scales = (rows.abs().amax(1) / 127).half()
    # The scale is rounded first, so that the values fit the one that is stored; a group of zeros has scale 0.
    steps = torch.where(scales > 0, scales.float(), 1.0).unsqueeze(1)
    rounded = (rows / steps).round().clamp(-127, 127).to(torch.int8)
    return rounded.flatten()[: value.numel()].view(value.shape), scales


def _from_eight_bits(name: str, value: Tensor, scales: Tensor) -> Tensor:
    if value.dtype != torch.int8 or scales.shape != (-(-value.numel() // GROUP),):
        raise ValueError(f"the scales of {name} do not fit it")
    rows = _grouped(value.float()) * scales.float().unsqueeze(1)
    return rows.flatten()[: value.numel()].view(value.shape)


def _grouped(value: Tensor) -> Tensor:
    """A tensor's values in rows (groups, GROUP), with zeros at the end."""
    flat = value.detach().flatten()
    return torch.nn.functional.pad(flat, (0, -flat.numel() % GROUP)).view(-1, GROUP)
