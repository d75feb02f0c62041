"""A second model of a few lines: it registers and speaks through the parts that models share."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Literal

import numpy as np
import pytest
import soundfile
import torch
from torch import Tensor, nn

from config.schema import ExperimentConfig, InferenceConfig
from models import registry
from models.base.checkpoints import save_checkpoint
from models.base.experiment import Experiment
from models.tts import pitch_shifts
from models.tts.pieces import padded
from models.tts.voice import Voice
from processors.cast import Cast
from processors.pitch_response import PitchResponse
from processors.script import Line
from processors.text.frontend import TextFrontEnd
from tests.scripts import load_script

HOP, FRAMES = 256, 4  # samples of a frame, frames of a token


class ToyConfig(ExperimentConfig):
    """Only the keys that every model has."""

    model_type: Literal["Toy"]


class ToyNetwork(nn.Module):
    """Every token is a sound of its own, learned by heart."""

    hop_size, receptive_field = HOP, 0

    def __init__(self, n_tokens: int) -> None:
        super().__init__()
        self.sounds = nn.Embedding(n_tokens, HOP, padding_idx=0)

    def forward(self, frames: Tensor) -> Tensor:
        """Waveform (B, T * HOP) of frames (B, T, HOP)."""
        return frames.flatten(1).tanh()


class ToyVoice(Voice):
    """Lines -> plan -> waveform: all that a model has to say."""

    MODEL_TYPE = "Toy"
    network: ToyNetwork
    mean_f0 = 200.0

    @staticmethod
    def build(config: ExperimentConfig, n_tokens: int, cast: Cast) -> ToyNetwork:
        return ToyNetwork(n_tokens)

    @property
    def generator(self) -> ToyNetwork:
        return self.network

    def plan(self, lines: list[Line], settings: InferenceConfig) -> SimpleNamespace:
        ids = padded([line.ids for line in lines], 0, torch.long, self.device)
        durations = torch.where(ids > 0, round(FRAMES / settings.speed), 0)
        rows = [row.repeat_interleave(frames, 0) for row, frames in zip(self.network.sounds(ids), durations)]
        states = nn.utils.rnn.pad_sequence(rows, batch_first=True)
        return SimpleNamespace(
            durations=durations, decoder_states=states, host_frame_lengths=tuple(durations.sum(1).tolist())
        )

    def generate(self, states: Tensor, frame_lengths: Sequence[int]) -> Tensor:
        return self.network(states)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with the defaults of the toy, which is registered."""
    module = SimpleNamespace(ToyConfig=ToyConfig, Synthesizer=ToyVoice)
    for name in ("config", "synthesizer"):
        monkeypatch.setitem(sys.modules, f"toy.{name}", module)
    monkeypatch.setitem(registry.MODEL_PACKAGES, "Toy", "toy")
    (tmp_path / "config").mkdir()
    (tmp_path / "config/toy.json").write_text('{"base_config": "config/tts.json", "model_type": "Toy"}')
    monkeypatch.setattr(registry, "PROJECT_ROOT", tmp_path)
    yield tmp_path


def test_it_speaks_in_every_way(
    project: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    config = registry.load_config(project / "config/toy.json", [f"log_dir={project / 'runs'}"])
    tokens = TextFrontEnd.from_config(config.preprocess).tokens
    folder = project / "runs/toy"
    Experiment(folder, config).write(tokens)
    save_checkpoint(folder, 1, {"network": ToyNetwork(len(tokens)).state_dict()}, {}, {})

    voice = ToyVoice.from_experiment(folder, "cpu")
    text = '<speak>Hello <prosody volume="-6dB">there</prosody>.<break time="1s"/> Bye.</speak>'
    wave, rate = voice.tts(text, speed=2.0, leading_silence=0.1)
    assert rate == 22050 and len(wave) > 1.1 * rate and np.abs(wave).max() > 0.1
    pieces = list(voice.stream(text, speed=2.0, leading_silence=0.1))
    np.testing.assert_allclose(np.concatenate(pieces), wave, atol=1e-6)
    one, two = voice.tts_batch(["Hello.", "A longer sentence."])
    np.testing.assert_allclose(one, voice.tts("Hello.")[0], atol=1e-6)
    assert len(one) % HOP == 0 and len(two) > len(one)

    script = load_script("inference")
    monkeypatch.setattr(script.signal, "signal", lambda *_: None)
    (project / "list.txt").write_text("a|Hello.\nb|Bye.\n")
    flags = [f"--expt_dir={folder}", "--device=cpu", f"--text_file={project / 'list.txt'}", "--speed=2"]
    monkeypatch.setattr(sys, "argv", ["inference.py", *flags])
    assert script.main() == 0 and b"2 utterances" in capfdbinary.readouterr().out
    assert soundfile.info(folder / "result/b.wav").frames > HOP

    monkeypatch.setattr(pitch_shifts, "measure", lambda voice, name: PitchResponse(name, (0.0,), (0.0,)))
    monkeypatch.setattr(sys, "argv", ["calibrate.py", f"--expt_dir={folder}", "--device=cpu"])
    assert load_script("calibrate").main() == 0 and (folder / "pitch_response.json").is_file()
