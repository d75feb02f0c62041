"""Where Triton's kernels take over: for CUDA tensors, if Triton is installed. There is no other rule.

Every kernel stands beside the plain function whose twin it is. Triton is loaded only where there is a GPU, so that a
CPU speaks without it. With TRITON_INTERPRET=1, Triton's own switch, tests run the kernels on the CPU.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


class _NoTriton:
    """Lets files with kernels be imported where there is no Triton."""

    def jit(self, function: Callable[..., Any] | None = None, **_: Any) -> Callable[..., Any]:
        """The decorator of kernels, which nobody will call."""
        return function or (lambda kernel: kernel)


INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
triton: Any = _NoTriton()
tl: Any = None
if INTERPRETED or torch.cuda.is_available():
    try:
        triton, tl = importlib.import_module("triton"), importlib.import_module("triton.language")
    except ImportError:  # Triton exists for Linux only.
        pass


def uses_triton(x: Tensor) -> bool:
    """Whether a function of x calls its Triton twin."""
    return tl is not None and (x.is_cuda or INTERPRETED)


def exporting() -> bool:
    """Whether a graph for other programs is being made, which has no loops, no running maxima and no sums in place."""
    return torch.onnx.is_in_onnx_export()


def channels_last(x: Tensor) -> bool:
    """Whether x (B, C, H, W) lies in memory with its channels innermost."""
    return x.dim() == 4 and x.is_contiguous(memory_format=torch.channels_last)
