"""What a researcher adds goes through few places: a loss through two, a waveform generator through three."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Literal

import pytest
import torch
from pydantic import create_model
from torch import Tensor, nn

from config.schema import Size
from models.registry import load_config
from models.tts.jets import config as jets_config
from models.tts.jets import losses
from models.tts.jets.fast_step import FastStep
from models.tts.jets.gpu_inference import GpuNetwork
from models.tts.jets.losses import Term
from models.tts.jets.network import Batch, JetsNetwork
from models.tts.jets.step import TrainStep
from models.tts.pieces import generate_in_chunks
from models.vocoders.discriminators import Discriminators
from tests.models.tts.jets.conftest import N_TOKENS, NO_DROPOUT, SMALL

MakeBatch = Callable[..., Batch]


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def step_of(config: jets_config.JetsConfig, kind: type[TrainStep] = TrainStep) -> TrainStep:
    torch.manual_seed(1)
    network = JetsNetwork(config.model, N_TOKENS, config.preprocess.n_mel)
    return kind(network, Discriminators(**config.model.discriminator.model_dump()), config, "fp32")


def test_a_loss_is_a_row_of_a_table_and_a_key_of_the_config(
    make_batch: MakeBatch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # 1. models/tts/jets/losses.py
    monkeypatch.setitem(losses.WAVEFORM_TERMS, "loudness", Term(lambda made: made.fake.square().mean(), "loudness"))
    # 2. a config
    mine = '{base_config: "config/jets.json", train: {loss: {others: {loudness: 3.0}}}}'
    config = load_config(write(tmp_path / "mine.json", mine), SMALL)
    report = step_of(config)(make_batch([(5, 24)]))
    assert report["generator/loudness"] > 0
    torch.testing.assert_close(report["generator/loudness/weighted"], 3 * report["generator/loudness"])
    assert "generator/loudness" not in step_of(load_config("config/jets.json", SMALL))(make_batch([(5, 24)]))


class Combs(nn.Module):
    """A waveform generator: each frame is its own sound, plus what its neighbours add."""

    receptive_field = 1

    def __init__(self, in_channels: int, hop_size: int, gain: float) -> None:
        super().__init__()
        self.hop_size, self.gain = hop_size, gain
        self.conv = nn.Conv1d(in_channels, hop_size, 3, padding=1)

    def forward(self, frames: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Waveform (B, T * hop_size) of frames (B, T, C), zero behind lengths (B,)."""
        inside = 1.0
        if lengths is not None:
            inside = (torch.arange(frames.shape[1]) < lengths[:, None]).float().unsqueeze(2)
        return (self.gain * self.conv((frames * inside).transpose(1, 2)).transpose(1, 2) * inside).tanh().flatten(1)


def test_a_waveform_generator_is_a_module_a_class_of_its_settings_and_their_defaults(
    make_batch: MakeBatch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # 1. models/vocoders/combs.py
    monkeypatch.setitem(sys.modules, "models.vocoders.combs", SimpleNamespace(Combs=Combs))

    # 2. models/tts/jets/config.py: a class, and a line of GeneratorsConfig, which `generator` and the rest follow
    class CombsConfig(jets_config.GeneratorConfig):
        BUILDS = ("models.vocoders.combs", "Combs")
        hop_size: Size
        gain: float

    generators = create_model("GeneratorsConfig", __base__=jets_config.GeneratorsConfig, combs=(CombsConfig, ...))
    names = Literal[tuple(generators.model_fields)]  # type: ignore[valid-type]
    model = create_model(
        "JetsModelConfig", __base__=jets_config.JetsModelConfig, generators=(generators, ...), generator=(names, ...)
    )
    monkeypatch.setattr(
        jets_config, "JetsConfig", create_model("JetsConfig", __base__=jets_config.JetsConfig, model=(model, ...))
    )
    # 3. config/jets.json
    defaults = '{base_config: "config/jets.json", model: {generators: {combs: {hop_size: 256, gain: 0.5}}}}'
    path = write(tmp_path / "jets.json", defaults)

    config = load_config(path, [*SMALL, *NO_DROPOUT, "model.generator=combs", "model.generators.combs.gain=2"])
    batch, starts = make_batch([(5, 24), (4, 20)]), torch.tensor([3, 0])
    plain, fast = (step_of(config, kind) for kind in (TrainStep, FastStep))
    torch.testing.assert_close(fast(batch, 1.0, starts), plain(batch, 1.0, starts), rtol=1e-4, atol=1e-5)
    network = plain.network.eval()
    assert isinstance(network.generator, Combs) and network.generator.gain == 2
    assert network.generator.conv.weight.grad.abs().sum() > 0
    with torch.inference_mode():
        network.duration_predictor.out.bias += 2.0
        spoken = network.infer(batch.text, batch.text_lengths)
        alone = network.infer(batch.text[1:, :4], batch.text_lengths[1:])
        torch.testing.assert_close(spoken.waveform[1:, : alone.waveform.shape[1]], alone.waveform, atol=1e-5, rtol=0)
        pieces = torch.cat(list(generate_in_chunks(network.generator, alone.decoder_states, 2, 4)))
        torch.testing.assert_close(pieces, alone.waveform[0], atol=1e-6, rtol=0)
        on_gpu = GpuNetwork(network, None, graphs=False).generate(spoken.decoder_states, spoken.host_frame_lengths)
        torch.testing.assert_close(on_gpu, spoken.waveform, atol=1e-6, rtol=0)
