"""Which number format a device computes in."""

from __future__ import annotations

import os

import torch

from utils.errors import UserError


def resolve_precision(wanted: str, device: torch.device) -> str:
    """ "fp32", "bf16" or "fp16"; "auto" is bf16 on a GPU that computes in it, otherwise fp32.

    Raises UserError when a GPU lacks the format that was asked for.
    """
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
        torch.utils.deterministic.fill_uninitialized_memory = False
    torch.use_deterministic_algorithms(deterministic, warn_only=True)
    torch.backends.cudnn.deterministic = deterministic
    # The fused attention kernels' gradients do not repeat; plain products of matrices do.
    torch.backends.cuda.enable_flash_sdp(not deterministic)
    torch.backends.cuda.enable_mem_efficient_sdp(not deterministic)
    torch.backends.cuda.enable_cudnn_sdp(not deterministic)
