"""Every Triton kernel against the plain function beside it, on a GPU or in Triton's interpreter."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import ModuleType

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models import kernels
from models.kernels import (
    feature_distance,
    grouped_conv,
    monotonic,
    time_conv,
    weight_norm,
)
from models.kernels.time_conv import TimeConv1d, conv_of_one_channel, conv_to_one_channel
from models.vocoders.convolutions import (
    WeightNormConv1d,
    WeightNormConv2d,
    WeightNormConvTranspose1d,
    fold_weight_norm,
    length_mask,
)
from models.vocoders.hifigan import HifiganGenerator

ROOT = Path(__file__).resolve().parents[3]
ON_GPU = torch.cuda.is_available()
DEVICE = "cuda" if ON_GPU else "cpu"
needs_kernels = pytest.mark.skipif(kernels.tl is None, reason="needs Triton and a GPU, or TRITON_INTERPRET=1")
needs_gpu = pytest.mark.skipif(not ON_GPU, reason="needs a CUDA GPU")
# Largest difference relative to the size of the result.
CLOSE = {torch.float32: 1e-4, torch.bfloat16: 2e-2, torch.float16: 1e-2}
HALF = torch.bfloat16 if ON_GPU else torch.float16
Made = tuple[Callable[..., Tensor], list[Tensor]]


@pytest.mark.skipif(ON_GPU or kernels.INTERPRETED, reason="the kernels run in this process")
@pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="needs Triton")
def test_in_the_interpreter() -> None:
    environment = {**os.environ, "TRITON_INTERPRET": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", __file__]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:]


def random(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """Channels-last where there are four dimensions."""
    values = torch.randn(*shape).to(DEVICE, dtype)
    return values.contiguous(memory_format=torch.channels_last) if len(shape) == 4 else values


def lengths_of(most: int) -> Tensor:
    lengths = torch.randint(1, most + 1, (8,))
    lengths[0] = most
    return lengths.to(DEVICE)


def biased(slope: float, dtype: torch.dtype) -> Made:
    inputs = [random(3, 48, 7, 33, dtype=dtype), random(48)]
    return lambda y, bias: time_conv.bias_activation(y, bias, slope), inputs


def distance(*shape: int, dtype: torch.dtype) -> Made:
    return feature_distance.feature_distance, [random(*shape, dtype=dtype)]


def forward_sums(max_text: int, max_frames: int) -> Made:
    text, frames = lengths_of(max_text), lengths_of(max_frames)
    outside = ~length_mask(text, max_text)[:, None, :]

    def losses(scores: Tensor) -> Tensor:
        padded = F.pad(scores.masked_fill(outside, -1e9), (1, 0), value=-1.0)
        return monotonic.forward_sum(F.log_softmax(padded, -1), text, frames)

    return losses, [4 * random(8, max_frames, max_text)]


def grouped(n_in: int, n_out: int, stride: int, groups: int, batch: int, length: int, dtype: torch.dtype) -> Made:
    weight = random(n_out, n_in // groups, 41) * (n_in // groups * 41) ** -0.5
    function = lambda x, w, b: grouped_conv.grouped_conv(x, w, b, stride, 20, groups)  # noqa: E731
    return function, [random(batch, n_in, 1, length, dtype=dtype), weight, random(n_out)]


# A scale discriminator's layers: channels in and out, stride, groups, length; and small ones, with the batch.
LAYERS = [(128, 128, 2, 4, 16384), (128, 256, 2, 16, 8192), (256, 512, 4, 16, 4096), (512, 1024, 4, 16, 1024),
          (1024, 1024, 1, 16, 256)]  # fmt: skip
SMALL = [(32, 32, 2, 1, 2, 151), (16, 32, 2, 2, 3, 97), (16, 32, 4, 1, 1, 203), (64, 64, 1, 1, 1, 37),
         (4, 8, 3, 2, 1, 50), (4, 2, 1, 1, 2, 2101)]  # fmt: skip


def cases() -> list[tuple[ModuleType, Callable[[], Made]]]:
    """The module, and what makes a function with its inputs."""
    made: list[tuple[ModuleType, Callable[[], Made]]] = []
    for dtype in (torch.float32, HALF):
        made += [(time_conv, partial(biased, slope, dtype)) for slope in (1.0, 0.1)]
        shapes = ((4, 7, 1, 1001), (6, 16, 1, 33), (2, 1, 5, 4))
        made += [(feature_distance, partial(distance, *shape, dtype=dtype)) for shape in shapes]
    sizes = ((1, 1), (12, 40), (90, 600), (300, 1200)) if ON_GPU else ((1, 1), (12, 40))
    made += [(monotonic, partial(forward_sums, *size)) for size in sizes]
    made += [(grouped_conv, partial(grouped, *layer, torch.float32)) for layer in SMALL]
    made += [(grouped_conv, partial(grouped, *SMALL[1], HALF))]
    for *layer, length in LAYERS if ON_GPU else []:
        made += [(grouped_conv, partial(grouped, *layer, 2, length, torch.float32))]
        made += [(grouped_conv, partial(grouped, *layer, 32, length, HALF))]
    return made


@needs_kernels
@pytest.mark.parametrize(("module", "make"), cases())
def test_a_kernel_is_its_plain_function(
    module: ModuleType, make: Callable[[], Made], monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    function, inputs = make()
    results = []
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        for kernel in (True, False, True):
            monkeypatch.setattr(module, "uses_triton", lambda _, kernel=kernel: kernel)
            # The plain one in float64: kernels are to be near the truth, not near the same rounding.
            leaves = [(x if kernel else x.double()).detach().requires_grad_() for x in inputs]
            y = function(*leaves)
            direction = torch.linspace(0.5, 1.5, y.numel(), device=DEVICE).view(y.shape).to(inputs[0].dtype)
            results.append([y.detach(), *torch.autograd.grad(y, leaves, direction.to(y.dtype))])
    # Probabilities of paths come of differences of sums in the thousands, of which fp32 keeps three digits.
    tolerance = CLOSE[inputs[0].dtype] if module is not monotonic else 1e-2
    for made, expected, again in zip(*results):
        assert made.equal(again), "the kernels repeat bit by bit"
        assert (made.float() - expected).norm() <= tolerance * expected.norm() + 1e-6


@needs_kernels
@pytest.mark.parametrize("ties", [False, True])
def test_paths_are_the_same(ties: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    for max_text, max_frames in ((1, 5), (90, 600), (300, 1200), (5, 3)) if ON_GPU else ((1, 5), (12, 40), (5, 3)):
        scores, text, frames = random(8, max_frames, max_text) * 5, lengths_of(max_text), lengths_of(max_frames)
        scores = scores.round() if ties else scores
        made = monotonic.search_paths(scores, text, frames)
        with monkeypatch.context() as patch:
            patch.setattr(monotonic, "uses_triton", lambda _: False)
            assert made.equal(monotonic.search_paths(scores, text, frames))


@needs_kernels
@pytest.mark.parametrize("dtype", [torch.float32, HALF])
def test_weights_of_all_layers_at_once(dtype: torch.dtype) -> None:
    """Weights, their order in memory, and gradients on top of earlier ones; sizes fill blocks, or do not."""
    torch.manual_seed(0)
    modules = nn.ModuleList([
        WeightNormConv1d(1, 32, 5, stride=3, padding=2), WeightNormConv1d(300, 7, 5, padding=2),
        WeightNormConv1d(32, 16, 41, stride=2, padding=20, groups=4),
        WeightNormConvTranspose1d(24, 12, 16, 8, padding=4),
        WeightNormConv2d(2, 8, (3, 9)), WeightNormConv2d(8, 1, (3, 3)),
    ]).to(DEVICE)  # fmt: skip
    directions = [torch.randn_like(layer.weight_v) for layer in modules]
    fused = weight_norm.FusedWeights(modules, dtype)
    results = []
    for at_once in (True, False):
        for parameter in modules.parameters():
            parameter.grad = torch.ones_like(parameter)
        if at_once:
            with fused.computed():
                weights = [layer.weight() for layer in modules]
            assert all(weight.dtype == dtype and weight.data_ptr() % 16 == 0 for weight in weights)
            for layer, weight in zip(modules, weights):
                image = weight.unsqueeze(2) if weight.dim() == 3 else weight
                layout = torch.contiguous_format if getattr(layer, "groups", 1) > 1 else torch.channels_last
                assert image.is_contiguous(memory_format=layout) and layer.fused is None
        else:
            weights = [layer.weight() for layer in modules]
        sum((weight.float() * direction).sum() for weight, direction in zip(weights, directions)).backward()
        results.append([*(weight.float() for weight in weights), *(p.grad for p in fused.parameters)])
    tolerance = 1e-5 if dtype == torch.float32 else 2e-2
    torch.testing.assert_close(*results, rtol=tolerance, atol=tolerance)


V1 = {
    "channels": 512, "kernel_size": 7, "upsample_rates": [8, 8, 2, 2], "upsample_kernel_sizes": [16, 16, 4, 4],
    "resblock_kernel_sizes": [3, 7, 11], "resblock_dilations": [[1, 3, 5]] * 3,
}  # fmt: skip
HIFIGANS = {
    "small": (24, {**V1, "channels": 32, "upsample_rates": [4, 2], "upsample_kernel_sizes": [8, 4],
                   "resblock_kernel_sizes": [3, 7], "resblock_dilations": [[1, 3], [1, 5]]}),
    "odd": (6, {**V1, "channels": 40, "kernel_size": 5, "upsample_rates": [3, 2], "upsample_kernel_sizes": [7, 6],
                "resblock_kernel_sizes": [3], "resblock_dilations": [[2]]}),
    "exact": (16, {**V1, "channels": 16, "upsample_rates": [5], "upsample_kernel_sizes": [5],
                   "resblock_kernel_sizes": [3, 5, 7], "resblock_dilations": [[1], [1, 2], [3]]}),
    **({"V1": (256, V1)} if ON_GPU else {}),
}  # fmt: skip


@needs_kernels
@pytest.mark.parametrize("name", list(HIFIGANS))
@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float16, 0.006), (torch.bfloat16, 0.05)] if ON_GPU else [(torch.float32, 1e-4)]
)
def test_the_fused_generator_is_the_generator_and_ends_where_each_utterance_ends(
    name: str, dtype: torch.dtype, tolerance: float
) -> None:
    lengths = [97, 1, 64, 20] if ON_GPU else [9, 1, 13]
    n_in, shape = HIFIGANS[name]
    torch.manual_seed(0)
    generator = HifiganGenerator(n_in, **shape).eval().to(DEVICE)
    fold_weight_norm(generator)
    frames = random(len(lengths), max(lengths) + 3, n_in)
    with torch.inference_mode(), torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        made = generator.fused(dtype)(frames, torch.tensor(lengths, device=DEVICE))
        assert made.dtype == torch.float32 and made.shape == (len(lengths), frames.shape[1] * generator.hop_size)
        for row, length, one in zip(made, lengths, frames):
            expected = generator(one[None, :length])[0]
            difference = row[: len(expected)] - expected
            error = difference.square().mean().sqrt()
            # The mean carries next to nothing of the sound.
            assert error < tolerance * expected.std(), (length, float(error), float(expected.std()))
            assert difference.abs().max() < 8 * tolerance * expected.std() + 8 * error, length


@pytest.mark.parametrize("length", [1, 2, 11])
@pytest.mark.parametrize("sizes", [(8, 16, 3), (16, 8, 3), (8, 8, 5), (12, 6, 7), (8, 4, 1)])
def test_a_product_is_the_convolution_over_time(sizes: tuple[int, int, int], length: int) -> None:
    torch.manual_seed(0)
    conv = TimeConv1d(*sizes).double()
    x = torch.randn(2, length, sizes[0], dtype=torch.double, requires_grad=True)
    same_function(conv.as_product(x), conv(x), [x, *conv.parameters()])


@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "length"), [(15, 1, 7, 50), (2, 1, 1, 33), (5, 3, 2, 41), (5, 3, 2, 7)]
)
def test_conv_of_or_to_one_channel_is_a_convolution(kernel: int, stride: int, padding: int, length: int) -> None:
    torch.manual_seed(0)
    x, bias = torch.randn(3, 1, 1, length, requires_grad=True), torch.randn(12)
    weight = torch.randn(12, 1, kernel, requires_grad=True)
    expected = F.conv2d(x, weight.unsqueeze(2), bias, (1, stride), (0, padding))
    same_function(conv_of_one_channel(x, weight, bias, stride, padding), expected, [x, weight])
    if stride > 1:
        return
    x = torch.randn(3, 16, 1, 33).contiguous(memory_format=torch.channels_last).requires_grad_()
    weight, bias = torch.randn(1, 16, kernel, requires_grad=True), torch.randn(1)
    expected = F.conv2d(x, weight.unsqueeze(2), bias, padding=(0, padding))
    same_function(conv_to_one_channel(x, weight, bias, padding), expected, [x, weight])


def same_function(one: Tensor, other: Tensor, inputs: list[Tensor]) -> None:
    """Same values, and same gradients of the inputs."""
    torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)
    direction = torch.randn_like(one)
    gradients = [torch.autograd.grad(y, inputs, direction) for y in (one, other)]
    torch.testing.assert_close(*gradients, atol=1e-4, rtol=1e-4)
