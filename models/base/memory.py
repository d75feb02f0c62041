"""Out of memory: how much there is, and what to lower when it runs out."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch

from utils.errors import UserError


def device_memory(device: torch.device) -> int:
    """Bytes of memory that the device has in all; 0 when nobody knows."""
    if device.type == "cuda":
        return torch.cuda.get_device_properties(device).total_memory
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return 0


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception says that the device's memory is used up."""
    if isinstance(error, torch.OutOfMemoryError):
        return True
    text = str(error)
    return isinstance(error, RuntimeError) and ("DefaultCPUAllocator" in text or "out of memory" in text.lower())


class OutOfMemory(UserError):
    """Memory ran out; on one process of several, perhaps."""


@contextmanager
def out_of_memory_advice(when: str, device: torch.device, settings: Sequence[str]) -> Iterator[None]:
    """Raise OutOfMemory that names the settings to lower when the block runs out of memory."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not isinstance(error, MemoryError) and not is_out_of_memory(error):
            raise
        gib = device_memory(device) / 2**30
        name = torch.cuda.get_device_name(device) if device.type == "cuda" else "the CPU"
        raise OutOfMemory(
            f"out of memory {when} ({name} has {gib:.0f} GiB): lower {', '.join(settings[:-1])} or {settings[-1]}"
        ) from error
