"""DNSMOS and the recogniser, where their packages are installed; without them, an ImportError to be told."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from models.evaluation.measures import asr, dnsmos


def test_absent_packages_are_import_errors(monkeypatch):
    dnsmos._model.cache_clear()
    for name in ("speechmos", "speechmos.dnsmos", "faster_whisper"):
        monkeypatch.setitem(sys.modules, name, None)
    assert not dnsmos.available()
    with pytest.raises(ImportError):
        dnsmos.dnsmos(np.ones(16000, np.float32) * 0.1, 16000, -26.0)
    with pytest.raises(ImportError):
        asr.Recogniser("base", "en", "cpu", "int8", 5)


def test_dnsmos_hears_noise_and_not_the_level(speak):
    pytest.importorskip("speechmos", reason="speechmos is an optional package")
    voice = speak()
    noise = np.random.default_rng(0).standard_normal(len(voice)).astype(np.float32)
    clean = dnsmos.dnsmos(voice, 22050, -26.0)
    noisy = dnsmos.dnsmos(voice + 0.1 * noise, 22050, -26.0)
    assert set(clean) == {"dnsmos_sig", "dnsmos_bak", "dnsmos_ovrl", "dnsmos_p808"}
    assert noisy["dnsmos_bak"] < clean["dnsmos_bak"] - 0.5
    quiet = dnsmos.dnsmos(0.1 * voice, 22050, -26.0)
    assert quiet == pytest.approx(clean, abs=0.01)
    with pytest.raises(ValueError, match="silence"):
        dnsmos.dnsmos(np.zeros(16000, np.float32), 16000, -26.0)
