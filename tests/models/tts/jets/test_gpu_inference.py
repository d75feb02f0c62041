"""Synthesis on a GPU: graphs and casts change nothing that can be heard; what needs no GPU is tested without."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from models.kernels import cuda_graphs
from models.kernels.cuda_graphs import GraphCache, filled_up
from models.tts.jets import gpu_inference
from models.tts.jets.gpu_inference import GpuNetwork, frame_bucket
from models.tts.jets.synthesizer import Synthesizer
from models.vocoders.hifigan import HifiganGenerator
from tests.tiny_voice import make_experiment

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
GENERATORS = ("hifigan", "hifigan_light", "istft")
TEXTS = [
    "Hi.", "A somewhat longer sentence, with a comma.", "Good bye!", "Hello there.",
    "The quick brown fox jumps over the lazy dog near the river, and nobody in the village has ever asked it why.",
]  # fmt: skip
# Largest difference of samples in [-1, 1]; a tiny random voice is about 0.05 loud.
CLOSE = {"fp32": 1e-4, "bf16": 1e-2, "fp16": 2e-3}


class FakeGraph:
    """A graph that calls its function."""

    def __init__(self, function: Callable, inputs: tuple, outputs: tuple) -> None:
        self.function, self.inputs, self.outputs = function, inputs, outputs

    def replay(self) -> None:
        """Put the function's results where the outputs are."""
        for output, value in zip(self.outputs, self.function(*self.inputs)):
            output.copy_(value)


@pytest.fixture
def without_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Graphs that are none, for tests on a CPU."""

    def capture(self: GraphCache, function: Callable, inputs: tuple, shapes: tuple) -> object:
        static = tuple(filled_up(value, shape).clone() for value, shape in zip(inputs, shapes))
        outputs = tuple(torch.full_like(value, torch.nan) for value in function(*static))
        return cuda_graphs._Graph(FakeGraph(function, static, outputs), static, outputs)

    monkeypatch.setattr(GraphCache, "_capture", capture)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda device: None)


def cpu_cache(limit: int) -> GraphCache:
    return GraphCache(limit, torch.device("cpu"))


def test_a_graph_is_made_at_the_second_sight_and_the_oldest_goes(without_gpu: None) -> None:
    calls = []
    cache = cpu_cache(2)

    def double(x: torch.Tensor) -> tuple[torch.Tensor]:
        calls.append(tuple(x.shape))
        return (2 * x,)

    def run(size: int) -> int:
        with torch.inference_mode():
            made = cache.run("double", double, (torch.full((size,), float(size)),), ((8 * size,),))
        assert made[0][:size].eq(2 * size).all() and made[0][size:].eq(0).all() and made[0].shape == (8 * size,)
        return len(cache)

    assert [run(1), run(2), run(1), run(1), run(2), run(3), run(3)] == [0, 0, 1, 1, 2, 2, 2]
    assert set(calls) == {(8,), (16,), (24,)}
    kept = list(cache._graphs)
    assert kept == [("double", (16,)), ("double", (24,))]
    assert run(1) == 2 and run(1) == 2, "what went comes again"


def test_buckets_are_few_and_waste_little() -> None:
    sizes = [frame_bucket(n) for n in range(1, 4000)]
    assert all(n <= size <= max(n + 31, 1.13 * n) for n, size in enumerate(sizes, 1))
    assert sizes == sorted(sizes) and len(set(sizes)) < 50


def close(made: list[np.ndarray], expected: list[np.ndarray], precision: str) -> None:
    for one, other in zip(made, expected, strict=True):
        assert one.shape == other.shape and one.dtype == np.float32
        assert np.abs(one - other).max() < CLOSE[precision], np.abs(one - other).max()


@pytest.fixture(scope="module", params=GENERATORS)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    overrides = (f"model.generator={request.param}",)
    return make_experiment(tmp_path_factory.mktemp("voice"), overrides, steps=(1,))


@pytest.fixture(scope="module")
def cpu_voice(folder: Path) -> Synthesizer:
    return Synthesizer.from_experiment(folder, "cpu")


@pytest.fixture(scope="module")
def cpu_waves(cpu_voice: Synthesizer) -> list[np.ndarray]:
    return [cpu_voice.tts(text)[0] for text in TEXTS]


def gpu_voice(folder: Path, precision: str, graphs: bool = True) -> Synthesizer:
    overrides = [f"inference.precision={precision}", f"inference.cuda_graphs={str(graphs).lower()}"]
    return Synthesizer.from_experiment(folder, "cuda", overrides=overrides)


def one_by_one(generator: torch.nn.Module, frames: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """What the fused generator does, and leaves undone."""
    waveform = frames.new_full((len(frames), frames.shape[1] * generator.hop_size), torch.nan)
    for row, one, length in zip(waveform, frames, lengths.tolist()):
        if length > 0:
            row[: length * generator.hop_size] = generator(one[None, :length])[0]
    return waveform


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("graphs", [True, False])
def test_a_cpu_that_works_like_a_gpu_says_the_same(
    cpu_voice: Synthesizer, cpu_waves: list[np.ndarray], without_gpu: None, graphs: bool, fused: bool
) -> None:
    voice, expected = copy.copy(cpu_voice), cpu_waves
    streamed = np.concatenate(list(voice.stream(TEXTS[4], pitch=2.0, speed=0.8)))
    voice.speaking, voice.batches_generator = GpuNetwork(cpu_voice.network, None, graphs), True
    if fused:
        voice.speaking.generator.fused = partial(one_by_one, cpu_voice.network.generator)
    for _ in range(3):
        close([voice.tts(text)[0] for text in TEXTS], expected, "fp32")
        close(voice.tts_batch(TEXTS), expected, "fp32")
        close([np.concatenate(list(voice.stream(TEXTS[4], pitch=2.0, speed=0.8)))], [streamed], "fp32")
    assert (voice.speaking.graphs is not None and len(voice.speaking.graphs) > 10) == graphs
    assert "generator" in cpu_voice.network._modules, "the voice itself is left as it is"


@pytest.fixture
def exact_arithmetic() -> Iterator[None]:
    """No shortened mantissas in convolutions, so that float32 can be compared."""
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    yield
    torch.backends.cudnn.allow_tf32 = before


@needs_gpu
def test_the_config_says_what_is_used(folder: Path) -> None:
    plain, usual = gpu_voice(folder, "fp32", False).speaking, gpu_voice(folder, "fp16").speaking
    assert plain.dtype is None and plain.graphs is None and plain.generator.fused is None
    hifigan = isinstance(usual.generator.module, HifiganGenerator)
    assert usual.dtype == torch.float16 and usual.graphs is not None and (usual.generator.fused is not None) == hifigan


@needs_gpu
@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
@pytest.mark.parametrize("graphs", [True, False])
@pytest.mark.parametrize("fused", [True, False])
def test_a_gpu_says_what_the_cpu_says(
    folder: Path, cpu_waves: list[np.ndarray], precision: str, graphs: bool, fused: bool,
    exact_arithmetic: None, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    if not fused:
        monkeypatch.setattr(gpu_inference, "fused_generator", lambda *_: None)
    voice = gpu_voice(folder, precision, graphs)
    for _ in range(3):
        close([voice.tts(text)[0] for text in TEXTS], cpu_waves, precision)
        close(voice.tts_batch(TEXTS), cpu_waves, precision)
        close(voice.tts_batch(TEXTS[:2]), cpu_waves[:2], precision)
        joined = np.concatenate(list(voice.stream(TEXTS[4])))
        close([joined], [voice.tts(TEXTS[4])[0]], precision)
    assert (voice.speaking.graphs is not None and len(voice.speaking.graphs) > 5) == graphs
