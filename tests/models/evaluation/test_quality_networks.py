"""DNSMOS and Distill-MOS, where their packages are installed; without them, or with broken ones, a note."""

from __future__ import annotations

import sys

import numpy as np

from config.schema import EvaluateConfig
from models.evaluation.listening import QualityNetworks


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
