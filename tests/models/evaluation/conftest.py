"""A synthetic voice with known pitch, timing and level."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy.signal import lfilter

from config.schema import ExperimentConfig, PreprocessConfig
from models.evaluation.signal_measures import Signal, analyse
from models.registry import load_config
from utils.files import PROJECT_ROOT

RATE = 22050
# Formants (Hz) of a sequence of vowels, and their bandwidths.
VOWELS = ((700, 1200, 2600), (300, 2300, 3000), (400, 900, 2300), (500, 1800, 2500), (300, 800, 2200))
BANDWIDTHS = (80, 110, 160)
EVEN = np.full(5, 0.35)


@pytest.fixture(scope="session")
def config() -> ExperimentConfig:
    """The defaults, with few resamplings and no networks."""
    networks = [f"evaluate.{name}=false" for name in ("dnsmos", "distillmos", "speaker_similarity")]
    quick = [*networks, "evaluate.bootstrap_samples=500"]
    return load_config(PROJECT_ROOT / "config/jets.json", quick)


@pytest.fixture(scope="session")
def preprocess(config: ExperimentConfig) -> PreprocessConfig:
    return config.preprocess


def synthetic_voice(seconds: np.ndarray = EVEN, base_f0: float = 180.0, seed: int = 0) -> np.ndarray:
    """A voice of five vowels with the given durations (5,), a falling, wavering melody, and noise bursts between."""
    generator = np.random.default_rng(seed)
    pieces, position = [], 0.0
    for duration, formants in zip(seconds, VOWELS):
        size = int(duration * RATE)
        place = position + np.linspace(0, 1, size, endpoint=False)
        f0 = base_f0 * 2 ** (-place / 12 + 0.15 * np.sin(2.1 * place))
        phase = np.cumsum(f0) / RATE
        pulses = np.diff(np.floor(phase), prepend=0.0)
        voice = lfilter([1], [1, -0.97], pulses)
        for formant, bandwidth in zip(formants, BANDWIDTHS):
            radius = np.exp(-np.pi * bandwidth / RATE)
            voice = lfilter([1 - radius], [1, -2 * radius * np.cos(2 * np.pi * formant / RATE), radius**2], voice)
        voice *= np.hanning(size) ** 0.3 / np.abs(voice).max()
        burst = generator.standard_normal(int(0.08 * RATE)) * np.hanning(int(0.08 * RATE)) * 0.15
        pieces += [0.4 * voice, burst]
        position += 1
    audio = np.concatenate([np.zeros(RATE // 10), *pieces, np.zeros(RATE // 10)])
    return (audio + 1e-4 * generator.standard_normal(len(audio))).astype(np.float32)


@pytest.fixture(scope="session")
def speak() -> Callable[..., np.ndarray]:
    return synthetic_voice


@pytest.fixture(scope="session")
def voice(preprocess: PreprocessConfig) -> Signal:
    return analyse(synthetic_voice(), preprocess)
