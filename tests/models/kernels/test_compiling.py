"""Kernels are compiled side by side, each variant once, and launched as before afterwards."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from models.kernels import compiling


class Kernel:
    """Stands for a kernel of Triton's: notes what it is asked for."""

    def __init__(self) -> None:
        self.params = [SimpleNamespace(is_constexpr=constant) for constant in (False, False, True)]
        self.asked: list[tuple[Any, ...]] = []
        self.together = threading.Barrier(3)

    def run(self, *args: Any, grid: Any, warmup: bool, **options: Any) -> None:
        self.asked.append((args, warmup, options))
        if warmup:
            self.together.wait(timeout=20)  # for as many at once
            if args[2] == 32:
                raise RuntimeError("does not compile")


def test_variants_are_compiled_at_once_and_only_then_launched(monkeypatch: pytest.MonkeyPatch) -> None:
    jit = SimpleNamespace(JITFunction=Kernel, MockTensor=SimpleNamespace(wrap_dtype=lambda dtype: ("mock", dtype)))
    monkeypatch.setattr(compiling, "triton", SimpleNamespace(runtime=SimpleNamespace(jit=jit)))
    monkeypatch.setattr(compiling, "tl", object())
    monkeypatch.setattr(compiling, "INTERPRETED", False)
    monkeypatch.setattr(compiling.os, "sched_getaffinity", lambda _: range(3), raising=False)
    monkeypatch.setattr(torch.cuda, "set_device", lambda device: None)
    kernel, x = Kernel(), torch.zeros(3)

    def step() -> None:
        for size, block, warps in ((48, 16, 4), (96, 16, 4), (50, 16, 4), (48, 32, 4), (54, 16, 4)):
            kernel.run(x, size, block, grid=(1,), warmup=False, num_warps=warps)

    compiling.compile_together(step, torch.device("cpu"))
    asked = {(args[1], args[2]) for args, warmup, _ in kernel.asked if warmup}
    assert asked == {(48, 16), (50, 16), (48, 32)} and len(kernel.asked) == 3  # 96 is as 48, and 54 as 50
    assert all(args[0] == ("mock", torch.float32) for args, _, _ in kernel.asked)
    kernel.asked.clear()
    step()
    assert [warmup for _, warmup, _ in kernel.asked] == [False] * 5
