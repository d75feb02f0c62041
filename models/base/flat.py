"""All parameters of a network in one flat buffer, so that averaging, norms, updates and EMA are single kernels."""

from __future__ import annotations

import torch
from torch import Tensor, nn

# Elements; every parameter starts at a multiple of this (256 bytes), as memory of its own would.
ALIGNMENT = 64


class FlatParameters:
    """Moves a module's parameters into one buffer, and gives them gradients in a second one.

    The parameters stay the same objects; only their storage moves. Build it after the module has reached its final
    device and memory layout: a later `module.to(...)` would take the parameters out of the buffer again, which
    `check` notices. The last element belongs to no parameter: whatever is written into its gradient takes part in
    averaging and norms (the trainer marks losses that are not finite there).
    """

    def __init__(self, module: nn.Module) -> None:
        self.parameters: dict[str, nn.Parameter] = dict(module.named_parameters())
        if not self.parameters:
            raise ValueError(f"{type(module).__name__} has no parameters")
        kinds = {(p.dtype, p.device) for p in self.parameters.values()}
        if len(kinds) > 1:
            raise ValueError(f"{type(module).__name__} mixes parameters of {sorted(map(str, kinds))}")
        dtype, device = kinds.pop()

        self._offsets: dict[str, int] = {}
        size = 0
        for name, parameter in self.parameters.items():
            self._offsets[name] = size
            size += -(-parameter.numel() // ALIGNMENT) * ALIGNMENT
        size += ALIGNMENT
        self.data = torch.zeros(size, dtype=dtype, device=device)
        self.grad = torch.zeros(size, dtype=dtype, device=device)
        for parameter, home, gradient in zip(
            self.parameters.values(), self.views(self.data).values(), self.views(self.grad).values()
        ):
            home.copy_(parameter.data)
            parameter.data = home
            parameter.grad = gradient
        self.flat = nn.Parameter(self.data)
        self.flat.grad = self.grad

    def views(self, buffer: Tensor) -> dict[str, Tensor]:
        """The part of `buffer` (same size as `data`) that belongs to each parameter, in its shape and layout."""
        return {
            name: buffer.as_strided(p.size(), p.stride(), self._offsets[name]) for name, p in self.parameters.items()
        }

    def count(self) -> int:
        """Number of trained values."""
        return sum(p.numel() for p in self.parameters.values())

    def check(self) -> None:
        """Raise RuntimeError when something has replaced a parameter's or a gradient's storage."""
        element = self.data.element_size()
        for name, parameter in self.parameters.items():
            offset = self._offsets[name] * element
            if parameter.data_ptr() != self.data.data_ptr() + offset:
                raise RuntimeError(f"parameter {name} has left the flat buffer (was the module moved or converted?)")
            if parameter.grad is None or parameter.grad.data_ptr() != self.grad.data_ptr() + offset:
                raise RuntimeError(f"the gradient of {name} has left the flat buffer (was it set to None?)")

    def export(self, buffer: Tensor) -> dict[str, Tensor]:
        """Copies on the CPU of each parameter's part of `buffer`, independent of memory layout and order."""
        host = buffer.detach().cpu()
        return {name: view.clone(memory_format=torch.contiguous_format) for name, view in self.views(host).items()}

    def restore(self, buffer: Tensor, values: dict[str, Tensor]) -> None:
        """Undo `export`: raise ValueError when names or shapes do not fit."""
        views = self.views(buffer)
        if views.keys() != values.keys():
            odd = sorted(views.keys() ^ values.keys())
            raise ValueError(f"{len(odd)} parameters do not match, the first is {odd[0]}")
        for name, view in views.items():
            if view.shape != values[name].shape:
                raise ValueError(f"{name} has shape {tuple(values[name].shape)}, here {tuple(view.shape)}")
            view.copy_(values[name])
