"""The Triton kernels of grouped convolutions against PyTorch's convolution: interpreted, and as compiled on a GPU."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

ROOT = Path(__file__).resolve().parents[3]
TAPS, PADDING = 41, 20
# Input and output channels, stride, groups of a scale discriminator's layers.
LAYERS = [(128, 128, 2, 4), (128, 256, 2, 16), (256, 512, 4, 16), (512, 1024, 4, 16), (1024, 1024, 1, 16)]
LENGTHS = [16384, 8192, 4096, 1024, 256]
# Channels per group, stride, groups, batch, length; the first five are those layers.
SMALL = [
    (32, 32, 2, 1, 2, 151), (8, 16, 2, 2, 3, 97), (16, 32, 4, 1, 1, 203), (32, 64, 4, 1, 2, 64), (64, 64, 1, 1, 1, 37),
    (2, 4, 3, 2, 1, 50), (4, 2, 1, 1, 2, 2101),
]  # fmt: skip

needs_triton = pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="needs Triton")
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")


def make_layer(
    in_channels: int, out_channels: int, groups: int, batch: int, length: int, device: str, dtype: torch.dtype
) -> tuple[Tensor, Tensor, Tensor]:
    """Random x (B, C, 1, T) with C last in memory, float32 weight and bias, all of which want gradients."""
    random = torch.Generator().manual_seed(0)
    x = torch.randn(batch, 1, length, in_channels, generator=random).to(device, dtype).permute(0, 3, 1, 2)
    scale = (in_channels // groups * TAPS) ** -0.5
    weight = torch.randn(out_channels, in_channels // groups, TAPS, generator=random).to(device) * scale
    bias = torch.randn(out_channels, generator=random).to(device)
    return x.requires_grad_(), weight.requires_grad_(), bias.requires_grad_()


def reference(x: Tensor, weight: Tensor, bias: Tensor, stride: int, groups: int) -> Tensor:
    """PyTorch's convolution (B, C, 1, T)."""
    return F.conv1d(x.squeeze(2), weight, bias, stride, PADDING, 1, groups).unsqueeze(2)


def relative_errors(ours: list[Tensor], theirs: list[Tensor]) -> list[float]:
    """Distance of each pair over the length of the second."""
    return [float((a.double() - b.double()).norm() / b.double().norm()) for a, b in zip(ours, theirs)]


def check_interpreted() -> None:
    """Run in a process of its own with TRITON_INTERPRET=1: values, gradients, subsets, and torch.compile."""
    from models.kernels.grouped_conv_triton import grouped_conv1d

    for in_group, out_group, stride, groups, batch, length in SMALL:
        parts = make_layer(in_group * groups, out_group * groups, groups, batch, length, "cpu", torch.float32)
        y, expected = grouped_conv1d(*parts, stride, PADDING, groups), reference(*parts, stride, groups)
        assert y.is_contiguous(memory_format=torch.channels_last)
        grad = torch.randn_like(expected)
        found = [y, *torch.autograd.grad(y, parts, grad, retain_graph=True)]
        wanted = [expected, *torch.autograd.grad(expected, parts, grad)]
        for a, b in zip(found, wanted):
            torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)
        if in_group > 16:
            continue
        half = grouped_conv1d(parts[0].half(), *parts[1:], stride, PADDING, groups)
        assert half.dtype == torch.float16
        assert relative_errors([half], [expected])[0] < 1e-2

    import models.kernels.grouped_conv_triton as module

    calls = []
    for name in ("input_grad_op", "weight_grad_op"):
        op = getattr(module, name)
        setattr(module, name, lambda *args, op=op, name=name: (calls.append(name), op(*args))[1])
    parts = make_layer(4, 4, 2, 1, 50, "cpu", torch.float32)
    y = grouped_conv1d(*parts, 2, PADDING, 2)
    torch.autograd.grad(y.sum(), parts[:1], retain_graph=True)
    assert calls == ["input_grad_op"]
    torch.autograd.grad(y.sum(), parts[1:], retain_graph=True)
    assert calls == ["input_grad_op", "weight_grad_op"]
    x, weight, bias = (part.detach() for part in parts)
    for needed in ((x,), (weight,), (bias,), (weight, bias)):
        for part in (x, weight, bias):
            part.requires_grad_(any(part is one for one in needed))
        found = torch.autograd.grad(grouped_conv1d(x, weight, bias, 2, PADDING, 2).square().sum(), needed)
        wanted = torch.autograd.grad(reference(x, weight, bias, 2, 2).square().sum(), needed)
        assert max(relative_errors(list(found), list(wanted))) < 1e-5
    with torch.no_grad():
        assert not grouped_conv1d(*parts, 2, PADDING, 2).requires_grad


def check_compiled() -> None:
    """The same under torch.compile, with autocast; the kernels are interpreted."""
    from models.kernels.grouped_conv_triton import grouped_conv1d

    parts = make_layer(4, 8, 2, 2, 50, "cpu", torch.float32)

    def double(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.float16, cache_enabled=False):
            return F.leaky_relu(grouped_conv1d(x * 2, weight, bias, 2, PADDING, 2), 0.1)

    compiled = torch.compile(double, backend=os.environ.get("COMPILE_BACKEND", "aot_eager"), fullgraph=True)
    results = []
    for function in (double, compiled):
        y = function(*parts)
        assert y.dtype == torch.float16
        results.append([y, *torch.autograd.grad(y.float().square().sum(), parts)])
    assert max(relative_errors(*results)) < 1e-2


@needs_triton
@pytest.mark.parametrize("check", [check_interpreted, check_compiled])
def test_interpreted_kernels(check) -> None:
    if torch.cuda.is_available():
        pytest.skip("the kernels run for real here")
    environment = {**os.environ, "TRITON_INTERPRET": "1", "CUDA_VISIBLE_DEVICES": "", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, __file__, check.__name__]
    result = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr[-3000:]


@needs_triton
@needs_gpu
@pytest.mark.parametrize("layer, length", list(zip(LAYERS, LENGTHS)))
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_gpu_kernels_at_real_sizes(layer: tuple[int, ...], length: int, dtype: torch.dtype) -> None:
    from models.kernels.grouped_conv_triton import grouped_conv1d

    in_channels, out_channels, stride, groups = layer
    batch = 32 if dtype == torch.bfloat16 else 2
    parts = make_layer(in_channels, out_channels, groups, batch, length, "cuda", dtype)
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        y = grouped_conv1d(*parts, stride, PADDING, groups)
        expected = reference(parts[0].float(), *parts[1:], stride, groups)
        grad = torch.randn_like(expected).to(dtype)
        found = [y, *torch.autograd.grad(y, parts, grad, retain_graph=True)]
        again = torch.autograd.grad(y, parts, grad)
        wanted = [expected, *torch.autograd.grad(expected, parts, grad.float())]
    assert all(a.equal(b) for a, b in zip(again, found[1:]))
    assert max(relative_errors(found, wanted)) < (1e-2 if dtype == torch.bfloat16 else 1e-4)


@needs_triton
@needs_gpu
def test_in_a_cuda_graph() -> None:
    from models.kernels.grouped_conv_triton import grouped_conv1d

    x, weight, bias = make_layer(128, 256, 16, 4, 1000, "cuda", torch.bfloat16)

    def work() -> tuple[Tensor, ...]:
        y = grouped_conv1d(x, weight, bias, 2, PADDING, 16)
        return y.detach(), *torch.autograd.grad(y.float().square().sum(), (x, weight, bias))

    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        work()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        results = work()
    with torch.no_grad():
        x.copy_(torch.randn_like(x))
    graph.replay()
    assert all(a.equal(b) for a, b in zip(results, work()))


if __name__ == "__main__":
    globals()[sys.argv[1]]()
