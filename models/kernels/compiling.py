"""Triton's kernels, compiled side by side before the first step: one after another they take most of its time."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

import torch

from models.kernels import INTERPRETED, tl, triton

MOST_THREADS = 16


def compile_together(step: Callable[[], object], device: torch.device) -> None:
    """Run `step` with kernels that are not launched but compiled, in threads: what it computes is worthless.

    A kernel that cannot be compiled is left to whoever launches it.
    """
    if tl is None or INTERPRETED:
        return
    kind, stand_in = triton.runtime.jit.JITFunction, triton.runtime.jit.MockTensor.wrap_dtype
    run, known, jobs = kind.run, set(), []
    threads = min(MOST_THREADS, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1)
    with ThreadPoolExecutor(threads, initializer=torch.cuda.set_device, initargs=(device,)) as pool:

        def ahead(kernel: Any, *args: Any, grid: Any, warmup: bool, **options: Any) -> None:
            kinds = (arg if param.is_constexpr else _kind_of(arg) for param, arg in zip(kernel.params, args))
            key = (kernel, *kinds, *sorted(options.items()))
            if key not in known:
                known.add(key)
                # Not the tensors themselves, which would have to live until then.
                args = tuple(stand_in(arg.dtype) if isinstance(arg, torch.Tensor) else arg for arg in args)
                jobs.append(pool.submit(run, kernel, *args, grid=grid, warmup=True, **options))

        kind.run = ahead
        try:
            step()
        finally:
            kind.run = run
        wait(jobs)


def _kind_of(value: Any) -> Any:
    """What Triton makes a kernel of its own for: the type of a tensor or number, a whole number's divisibility."""
    if isinstance(value, torch.Tensor):
        return value.dtype
    if isinstance(value, int):
        return (value == 1, value % 16 == 0, value.bit_length() > 31)
    return type(value)
