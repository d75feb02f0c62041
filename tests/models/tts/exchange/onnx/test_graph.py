"""The exported graph against the network."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from models.tts.exchange.onnx_graph import compare, open_session, run_graph
from models.tts.jets.synthesizer import Synthesizer
from tests.models.tts.exchange.onnx.voices import GENERATORS

HOP = 256
Exported = Callable[..., tuple[Path, Path]]


def random_rows(lengths: list[int], seed: int = 0) -> list[list[int]]:
    random = np.random.default_rng(seed)
    return [[1, *random.integers(3, 45, n - 2).tolist(), 2] for n in lengths]


def expected(network: torch.nn.Module, row: list[int], **controls: float) -> np.ndarray:
    with torch.inference_mode():
        return network.infer(torch.tensor([row]), torch.tensor([len(row)]), **controls).waveform[0].numpy()


@pytest.fixture(params=GENERATORS)
def voice(request: pytest.FixtureRequest, exported: Exported) -> tuple[object, torch.nn.Module]:
    """Session and network of the same voice."""
    experiment, folder = exported(request.param)
    return open_session(folder / "voice.onnx", 1), Synthesizer.from_experiment(experiment, "cpu").network


def test_fifty_texts_alone_and_in_batches(voice: tuple[object, torch.nn.Module]) -> None:
    session, network = voice
    rows = random_rows([3 + (7 * i) % 40 for i in range(49)] + [120])
    for batch in (1, 10):
        agreement = compare(session, network, rows, batch)
        assert agreement.other_durations == 0
        # Random weights keep the wave small: 1e-5 is far stricter than the 1e-3 that a loud voice may differ by.
        assert agreement.largest < 1e-5


def test_shortest_texts_do_not_hear_their_longer_neighbours(voice: tuple[object, torch.nn.Module]) -> None:
    session, network = voice
    rows = random_rows([120, 2, 3, 4, 50])
    waves, durations = run_graph(session, rows)
    for row, wave, frames in zip(rows, waves, durations):
        alone = expected(network, row)
        assert frames.sum() * HOP == len(alone)
        np.testing.assert_allclose(wave[: len(alone)], alone, atol=1e-5)
        assert not wave[len(alone) :].any() and not frames[len(row) :].any()


def test_padding_between_tokens_is_dropped(voice: tuple[object, torch.nn.Module]) -> None:
    session, _ = voice
    row = random_rows([30])[0]
    interleaved = [token for pair in zip(row, [0] * len(row)) for token in pair][:-1]
    (plain,), (frames,) = run_graph(session, [row])
    (padded,), (padded_frames,) = run_graph(session, [interleaved])
    np.testing.assert_array_equal(padded, plain)
    # Each id that was given keeps its duration where it was given.
    np.testing.assert_array_equal(padded_frames[::2], frames)
    assert not padded_frames[1::2].any()


def test_pitch_and_energy(voice: tuple[object, torch.nn.Module]) -> None:
    session, network = voice
    row = random_rows([40])[0]
    wave = run_graph(session, [row], (0, 1, 0, 4.0, -6.0))[0][0]
    controls = {"pitch_shift": 4 * math.log(2) / 12, "energy_scale": 10 ** (-6 / 20)}
    np.testing.assert_allclose(wave, expected(network, row, **controls), atol=1e-5)
    plain = expected(network, row)
    assert np.abs(wave - plain).max() > 1e-3 * np.abs(plain).max()


def test_graph_is_one_file_of_plain_arithmetic(exported: Exported) -> None:
    import onnx

    for generator in GENERATORS:
        _, folder = exported(generator)
        model = onnx.load(str(folder / "voice.onnx"), load_external_data=False)
        assert not {node.op_type for node in model.graph.node} & {"Loop", "If", "Scan", "SequenceMap"}
        assert not any(tensor.external_data for tensor in model.graph.initializer)
        assert [value.name for value in model.graph.input] == ["input", "input_lengths", "scales"]
        assert [value.name for value in model.graph.output] == ["output", "durations"]
        shapes = {v.name: [d.dim_param or d.dim_value for d in v.type.tensor_type.shape.dim] for v in model.graph.input}
        assert shapes == {"input": ["batch", "tokens"], "input_lengths": ["batch"], "scales": ["scales"]}
        assert {opset.domain for opset in model.opset_import} == {""}
