"""Weights of all layers from one kernel: the values and gradients of the layers' own, interpreted and on a GPU."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from models.vocoders.convolutions import WeightNormConv1d, WeightNormConv2d, WeightNormConvTranspose1d

ROOT = Path(__file__).resolve().parents[3]
needs_triton = pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="needs Triton")


def layers() -> nn.ModuleList:
    """One of each kind; sizes that fill blocks and sizes that do not."""
    torch.manual_seed(0)
    return nn.ModuleList([
        WeightNormConv1d(1, 32, 5, stride=3, padding=2),
        WeightNormConv1d(300, 7, 5, padding=2),
        WeightNormConv1d(32, 16, 41, stride=2, padding=20, groups=4),
        WeightNormConvTranspose1d(24, 12, 16, 8, padding=4),
        WeightNormConv2d(2, 8, (3, 9)),
        WeightNormConv2d(8, 1, (3, 3)),
    ])  # fmt: skip


def compare(device: str, dtype: torch.dtype, tolerance: float) -> None:
    """Fused and layer by layer: weights, their order in memory, and gradients on top of earlier ones."""
    from models.kernels.weight_norm_triton import FusedWeights

    modules = layers().to(device)
    for parameter in modules.parameters():
        parameter.grad = torch.ones_like(parameter)
    directions = [torch.randn_like(layer.weight_v) for layer in modules]
    fused = FusedWeights(modules, dtype)
    found, wanted = [], []
    with fused.computed():
        weights = [layer.weight() for layer in modules]
    assert all(layer.fused is None for layer in modules)
    for layer, weight in zip(modules, weights):
        assert weight.dtype == dtype and weight.data_ptr() % 16 == 0
        image = weight.unsqueeze(2) if weight.dim() == 3 else weight
        grouped = getattr(layer, "groups", 1) > 1
        layout = torch.contiguous_format if grouped else torch.channels_last
        assert image.is_contiguous(memory_format=layout)
    sum((weight.float() * direction).sum() for weight, direction in zip(weights, directions)).backward()
    found = [*(weight.float() for weight in weights), *(p.grad.clone() for p in fused.parameters)]
    for parameter in modules.parameters():
        parameter.grad = torch.ones_like(parameter)
    weights = [layer.weight() for layer in modules]
    sum((weight * direction).sum() for weight, direction in zip(weights, directions)).backward()
    wanted = [*weights, *(p.grad for p in fused.parameters)]
    torch.testing.assert_close(found, wanted, rtol=tolerance, atol=tolerance)


@needs_triton
def test_interpreted_kernels() -> None:
    if torch.cuda.is_available():
        pytest.skip("the kernels run for real here")
    environment = {**os.environ, "TRITON_INTERPRET": "1", "PYTHONPATH": str(ROOT)}
    result = subprocess.run([sys.executable, __file__], env=environment, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr[-3000:]


@needs_triton
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.bfloat16, 2e-2)])
def test_kernels_on_a_gpu(dtype: torch.dtype, tolerance: float) -> None:
    compare("cuda", dtype, tolerance)


if __name__ == "__main__":
    compare("cpu", torch.float32, 1e-5)
    compare("cpu", torch.float16, 2e-2)
