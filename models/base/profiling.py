"""Where a training step's time goes: a trace for Perfetto or TensorBoard, and one line for the console."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from utils.atomic import disk_errors

WAIT, ACTIVE = 10, 20
# On a GPU the first steps of each shape capture graphs; by then most shapes have come.
WAIT_ON_GPU = 200
# Kernel or operator names that belong together; the first match counts.
KINDS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("convolutions", ("conv", "wgrad", "dgrad", "fprop", "winograd", "implicit", "xmma", "cudnn")),
    ("matrix products", ("gemm", "cutlass", "matmul", "mm", "addmm", "bmm", "attention", "flash", "fmha")),
    ("optimisers", ("adam", "multi_tensor", "lerp")),
    ("communication", ("nccl", "allreduce", "all_reduce")),
    ("copies", ("memcpy", "memset", "copy", "cat", "fill", "zero_")),
    ("normalisation", ("norm", "softmax")),
    ("reductions", ("reduce", "sum", "mean")),
    ("indexing", ("index", "gather", "scatter", "sort")),
    ("pointwise", ("elementwise", "vectorized", "add", "mul", "leaky", "tanh", "where")),
)


class StepProfiler:
    """Traces ACTIVE steps after WAIT others (more on a GPU); call `step` after each optimiser step."""

    def __init__(self, enabled: bool, directory: Path, device: torch.device, tell: Callable[[str], None]) -> None:
        self.enabled, self.directory, self.device, self.tell = enabled, directory, device, tell
        self._wait = WAIT_ON_GPU if device.type == "cuda" else WAIT
        self._count = 0
        self._profile: Any = None
        self._begin = 0.0

    def step(self, number: int) -> None:
        """Start, or end and report, when it is time."""
        if not self.enabled:
            return
        self._count += 1
        if self._count == self._wait:
            self._wait_for_device()
            activities = [torch.profiler.ProfilerActivity.CPU]
            if self.device.type == "cuda":
                activities.append(torch.profiler.ProfilerActivity.CUDA)
            self._profile = torch.profiler.profile(activities=activities)
            self._profile.__enter__()
            self._begin = time.perf_counter()
        elif self._count == self._wait + ACTIVE:
            self._wait_for_device()
            seconds = (time.perf_counter() - self._begin) / ACTIVE
            self._profile.__exit__(None, None, None)
            self.directory.mkdir(parents=True, exist_ok=True)
            path = self.directory / f"trace_{number - ACTIVE + 1}_{number}.json"
            with disk_errors(self.directory):
                self._profile.export_chrome_trace(str(path))
            self.tell(f"profile: {breakdown(self._profile.key_averages(), seconds, self.device.type)}; trace: {path}")
            self._profile, self.enabled = None, False

    def close(self) -> None:
        """Drop an unfinished trace, and say so when the run was too short for one."""
        if self.enabled:
            needed = self._wait + ACTIVE
            self.tell(f"profile: no trace, since the run ended after {self._count} steps: it takes {needed}")
        if self._profile is not None:
            self._profile.__exit__(None, None, None)
            self._profile = None
        self.enabled = False

    def _wait_for_device(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


def breakdown(averages: Any, seconds: float, device_type: str) -> str:
    """One line: time of a step, how much of it the device worked, and on what."""
    on_gpu = device_type == "cuda"
    totals: dict[str, float] = {}
    launches = 0
    for event in averages:
        is_kernel = event.device_type == torch.autograd.DeviceType.CUDA
        if on_gpu != is_kernel:
            continue
        spent = event.self_device_time_total if on_gpu else event.self_cpu_time_total
        if spent <= 0 or event.key.startswith("ProfilerStep"):
            continue
        launches += event.count
        name = event.key.lower()
        kind = next((kind for kind, words in KINDS if any(word in name for word in words)), "other")
        totals[kind] = totals.get(kind, 0.0) + spent
    busy = sum(totals.values()) / 1e6 / ACTIVE
    parts = [
        f"{kind} {100 * spent / 1e6 / ACTIVE / max(busy, 1e-12):.0f} %"
        for kind, spent in sorted(totals.items(), key=lambda item: -item[1])
    ]
    unit = "kernels" if on_gpu else "operators"
    return (
        f"{1000 * seconds:.1f} ms a step, {device_type} busy {min(100.0, 100 * busy / seconds):.0f} % of it "
        f"with {launches // ACTIVE} {unit}: {', '.join(parts)}"
    )
