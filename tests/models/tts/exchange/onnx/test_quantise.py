"""Voices in 8 bits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from models.tts.exchange.onnx_check import compare, open_session, run_graph
from models.tts.jets.synthesizer import Synthesizer
from tests.models.tts.exchange.onnx.test_graph import random_rows

Exported = Callable[..., tuple[Path, Path]]


@pytest.mark.parametrize("generator", ["hifigan", "istft"])
def test_same_timing_and_little_noise(exported: Exported, generator: str) -> None:
    experiment, folder = exported(generator, "lexicon", "int8")
    network = Synthesizer.from_experiment(experiment, "cpu").network
    session = open_session(folder / "voice.onnx", 1)
    agreement = compare(session, network, random_rows([30, 12, 50, 7, 41]))
    # Durations come from the encoder, which is not quantised: equal to the last frame, always.
    assert agreement.other_durations == 0
    # A random voice has little more than noise to say, which hides less of it than speech does.
    assert 20 < agreement.snr_db < 90


def test_what_is_quantised(exported: Exported) -> None:
    import onnx

    _, folder = exported("istft", "lexicon", "int8")
    model = onnx.load(str(folder / "voice.onnx"))
    exact = {node.name for node in model.graph.node if node.op_type == "MatMul"}
    integer = {node.name.removesuffix("_quant") for node in model.graph.node if node.op_type == "MatMulInteger"}
    assert {"/generator/head/MatMul", "/generator/MatMul", "/encoder/blocks.0/ffn/conv1/MatMul"} <= exact
    assert {"/decoder/blocks.0/ffn/conv1/MatMul", "/generator/blocks.0/expand/MatMul"} <= integer
    assert not any("/encoder/" in name or "predictor" in name for name in integer)


def test_an_utterance_alone_and_in_a_batch_is_nearly_the_same(exported: Exported) -> None:
    """One scale serves a whole batch, so that in 8 bits neighbours can be heard, faintly."""
    _, folder = exported("istft", "lexicon", "int8")
    session = open_session(folder / "voice.onnx", 1)
    rows = random_rows([50, 9])
    (together, durations), (alone, _) = run_graph(session, rows), run_graph(session, rows[1:])
    assert durations[1].sum() * 256 == alone.shape[1]
    difference = together[1, : alone.shape[1]] - alone[0]
    assert np.square(difference).mean() < 10**-2.5 * np.square(alone).mean()
