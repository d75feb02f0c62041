"""DNSMOS and Distill-MOS, where their packages are installed; without them, or with broken ones, a note."""

from __future__ import annotations

import sys
from types import ModuleType

import numpy as np
import pytest
import torch

from config.schema import EvaluateConfig
from models.evaluation.listening import QualityNetworks
from processors.audio.recording import AudioProblem


def settings(config, **changes: bool) -> EvaluateConfig:
    return config.evaluate.model_copy(update=changes)


def test_absent_packages_are_notes(config, monkeypatch):
    for name in ("speechmos", "onnxruntime", "distillmos"):
        monkeypatch.setitem(sys.modules, name, None)
    networks = QualityNetworks(settings(config, dnsmos=True, distillmos=True))
    assert networks(np.ones(16000, np.float32), 16000) == networks.settings == {}
    assert [note.split()[0] for note in networks.notes] == ["DNSMOS", "Distill-MOS"]
    assert networks.notes[1] == "Distill-MOS was left out: the package distillmos is not installed."
    assert QualityNetworks(settings(config)).notes == []


def test_distillmos_hears_16_khz_and_needs_no_torchaudio(config, monkeypatch, capsys):
    heard = []

    class Model(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            print("weights loaded")

        def forward(self, audio: torch.Tensor) -> torch.Tensor:
            heard.append(audio)
            return torch.tensor([[3.5]])

    package = ModuleType("distillmos")
    package.ConvTransformerSQAModel = Model
    monkeypatch.setitem(sys.modules, "distillmos", package)
    networks = QualityNetworks(settings(config, distillmos=True))
    assert "torchaudio" not in sys.modules and capsys.readouterr().out == ""
    assert networks(np.full(22050, 0.1, np.float32), 22050) == {"distillmos": 3.5}
    assert heard[0].shape == (1, 16000)
    with pytest.raises(AudioProblem, match="silence"):
        networks(np.zeros(16000, np.float32), 16000)
