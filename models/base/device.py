"""What a device brings into training and speaking: number format, memory, random generators."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from utils.errors import OwnError, UserError


def resolve_precision(wanted: str, device: torch.device) -> str:
    """ "fp32", "bf16" or "fp16"; "auto": bf16 on a GPU that has it, else fp32. UserError for what the device lacks."""
    has_bf16 = device.type != "cuda" or torch.cuda.is_bf16_supported(including_emulation=False)
    if wanted == "auto":
        return "bf16" if device.type == "cuda" and has_bf16 else "fp32"
    if wanted == "bf16" and not has_bf16:
        raise UserError(f"{torch.cuda.get_device_name(device)} has no bf16: set precision to fp16 or fp32")
    if wanted == "fp16" and device.type == "cpu":
        raise UserError("fp16 needs a GPU: set train.precision to fp32, bf16 or auto")
    return wanted


def set_determinism(deterministic: bool) -> None:
    """Make GPU kernels repeat bit by bit (slower), or let them not; the CPU's always do."""
    if deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        # Filling fresh memory would cost time and is not what makes kernels repeat.
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.use_deterministic_algorithms(deterministic, warn_only=True)
    torch.backends.cudnn.deterministic = deterministic
    # The fused attention kernels' gradients do not repeat; plain products of matrices do.
    torch.backends.cuda.enable_flash_sdp(not deterministic)
    torch.backends.cuda.enable_mem_efficient_sdp(not deterministic)
    torch.backends.cuda.enable_cudnn_sdp(not deterministic)


def device_memory(device: torch.device) -> int:
    """Bytes of memory that the device has in all; 0 when nobody knows."""
    if device.type == "cuda":
        return torch.cuda.get_device_properties(device).total_memory
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return 0


def device_name(device: torch.device) -> str:
    """What a device is called in a message."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "the CPU"


class OutOfMemory(OwnError):
    """Memory ran out; on one process of several, perhaps."""


@contextmanager
def out_of_memory_advice(when: str, device: torch.device, settings: Sequence[str]) -> Iterator[None]:
    """Raise OutOfMemory that names the settings to lower when the block runs out of memory."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        text, known = str(error).lower(), isinstance(error, (MemoryError, torch.OutOfMemoryError))
        if not known and "out of memory" not in text and "defaultcpuallocator" not in text:
            raise
        there = f"{device_name(device)} has {device_memory(device) / 2**30:.0f} GiB"
        lower = f"{', '.join(settings[:-1])} or {settings[-1]}"
        raise OutOfMemory(f"out of memory {when} ({there}): lower {lower}") from error


def seed_everything(seed: int) -> None:
    """Seed python, numpy and torch on all devices."""
    seed %= 2**32
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def random_state(device: torch.device) -> dict[str, Any]:
    """State of python's, numpy's and torch's generators, loadable with weights_only."""
    kind, keys, *rest = np.random.get_state(legacy=True)
    state: dict[str, Any] = {
        "python": random.getstate(),
        "numpy": [str(kind), torch.from_numpy(np.asarray(keys, dtype=np.int64)), *rest],
        "torch": torch.get_rng_state(),
    }
    if device.type == "cuda":
        state["cuda"] = torch.cuda.get_rng_state(device)
    return state


def set_random_state(state: dict[str, Any], device: torch.device) -> None:
    """Undo `random_state`; a state from a CPU run leaves the GPU's generator as it is."""
    version, internal, gauss_next = state["python"]
    random.setstate((version, tuple(internal), gauss_next))
    kind, keys, position, has_gauss, gauss = state["numpy"]
    np.random.set_state((kind, keys.numpy().astype(np.uint32), position, has_gauss, gauss))
    torch.set_rng_state(state["torch"])
    if device.type == "cuda" and "cuda" in state:
        torch.cuda.set_rng_state(state["cuda"], device)


@contextmanager
def preserved_random_state(device: torch.device) -> Iterator[None]:
    """Whatever runs inside leaves the generators as they were."""
    state = random_state(device)
    try:
        yield
    finally:
        set_random_state(state, device)
