"""The F0 tracker on signals whose F0 is known."""

from __future__ import annotations

import numpy as np
import pytest

from processors.audio.pitch import continuous_log_f0, extract_f0, extract_f0_batch

RATE, HOP, LOW, HIGH = 22050, 256, 71.0, 500.0
EDGE = 4  # frames whose window reaches beyond the signal


def cents(f0: np.ndarray, truth: np.ndarray | float) -> np.ndarray:
    return 1200 * np.log2(f0 / truth)


def track(audio: np.ndarray, rate: int = RATE, hop: int = HOP, low: float = LOW, high: float = HIGH) -> np.ndarray:
    return extract_f0(audio.astype(np.float32), rate, hop, low, high)


def harmonics(frequency: np.ndarray, rate: int = RATE, tilt_db: float = 6.0, seed: int = 0) -> np.ndarray:
    """Voice-like sum of harmonics of a frequency contour (N,) in Hz, RMS 0.1."""
    phases = np.random.default_rng(seed).uniform(0, 2 * np.pi, 40)
    phase = 2 * np.pi * np.cumsum(frequency) / rate
    signal = np.zeros(len(frequency))
    for number in range(1, 41):
        audible = number * frequency < 0.45 * rate
        signal += audible * 10 ** (-tilt_db * np.log2(number) / 20) * np.sin(number * phase + phases[number - 1])
    return 0.1 * signal / np.sqrt(np.mean(signal**2))


def at_frames(contour: np.ndarray, hop: int = HOP) -> np.ndarray:
    return contour[::hop][: len(contour) // hop]


@pytest.mark.parametrize("frequency", [75.0, 98.7, 131.0, 220.0, 349.2, 440.0, 490.0])
@pytest.mark.parametrize("kind", ["sine", "harmonics"])
def test_constant_tones_are_found_within_two_cents(frequency: float, kind: str) -> None:
    time = np.arange(RATE) / RATE
    audio = 0.2 * np.sin(2 * np.pi * frequency * time) if kind == "sine" else harmonics(np.full(RATE, frequency))
    f0 = track(audio)
    assert f0.shape == (RATE // HOP,)
    assert (f0[EDGE:-EDGE] > 0).all()
    # The low cut rings for a while after a tone near it has begun.
    assert np.abs(cents(f0[EDGE:-EDGE], frequency)).max() < 10
    assert np.abs(cents(f0[10:-10], frequency)).max() < 2


TIME = np.arange(2 * RATE) / RATE
CONTOURS = {
    "up": np.geomspace(100.0, 200.0, 2 * RATE),
    "down": np.geomspace(300.0, 150.0, 2 * RATE),
    "far": np.geomspace(90.0, 400.0, 2 * RATE),
    "vibrato": 200 * 2 ** (np.sin(2 * np.pi * 5 * TIME) / 12),
}


@pytest.mark.parametrize("name", CONTOURS)
def test_movement_is_followed_without_delay(name: str) -> None:
    contour, inner = CONTOURS[name], slice(EDGE, -EDGE)
    f0, truth = track(harmonics(contour)), at_frames(contour)
    assert (f0[inner] > 0).all()
    error = cents(f0[inner], truth[inner])
    if name == "vibrato":
        assert np.sqrt(np.mean(error**2)) < 20
        return
    assert np.abs(error).max() < 25
    # A delay of a quarter frame would show as a mean error of a quarter of the step from frame to frame.
    assert np.abs(error.mean()) < 0.25 * np.abs(cents(truth[1], truth[0]))


@pytest.mark.parametrize(
    "frequency, weights",
    [
        pytest.param(150, dict.fromkeys((3, 4, 5, 6, 7), 0.05), id="a missing fundamental is heard"),
        pytest.param(120, {1: 0.02, 2: 0.3, 3: 0.1, 4: 0.1}, id="a weak one does not double"),
        pytest.param(400, {1: 0.3}, id="a pure tone is not halved, though multiples of its period fit as well"),
    ],
)
def test_no_octave_is_missed(frequency: float, weights: dict[int, float]) -> None:
    audio = sum(weight * np.sin(2 * np.pi * frequency * n * TIME + n) for n, weight in weights.items())
    assert np.abs(cents(track(audio)[EDGE:-EDGE], frequency)).max() < 3


def test_a_quiet_voice_in_mains_hum() -> None:
    """A voice at -40 dBFS, hum at 60 Hz as loud as the voice: the voice is found, the pauses stay unvoiced."""
    voice = harmonics(np.geomspace(180, 220, RATE)) * 0.1
    audio = np.concatenate([np.zeros(RATE // 2), voice, np.zeros(RATE // 2)])
    time = np.arange(len(audio)) / RATE
    audio += 0.01 * np.sqrt(2) * np.sin(2 * np.pi * 60 * time)
    audio += np.random.default_rng(3).normal(0, 3e-5, len(time))
    f0 = track(audio)
    spoken = (np.arange(len(f0)) * HOP >= RATE // 2) & (np.arange(len(f0)) * HOP < RATE // 2 + RATE)
    assert ((f0 > 0) == spoken).mean() > 0.95
    inside = f0[spoken][EDGE:-EDGE]
    assert inside.min() > 170 and inside.max() < 230


@pytest.mark.parametrize("samples", [0, 1, 255, 256, 600, 5000])
def test_short_and_empty_signals(samples: int) -> None:
    assert track(np.zeros(samples)).shape == (samples // HOP,)
    assert not track(np.zeros(samples)).any()
    f0 = track(np.random.default_rng(5).normal(0, 0.1, samples))
    assert np.isfinite(f0).all() and f0.shape == (samples // HOP,)


def test_a_batch_gives_what_each_gives_alone() -> None:
    generator = np.random.default_rng(6)
    audios = [
        (harmonics(np.geomspace(100, 300, n)) + generator.normal(0, 0.03, n)).astype(np.float32)
        for n in (RATE, 300, 3 * RATE, 7777, HOP)
    ]
    audios.insert(2, np.zeros(0, np.float32))
    together = extract_f0_batch(audios, RATE, HOP, LOW, HIGH)
    for audio, f0 in zip(audios, together):
        np.testing.assert_array_equal(f0, extract_f0(audio, RATE, HOP, LOW, HIGH))
    assert extract_f0_batch([], RATE, HOP, LOW, HIGH) == []


def test_continuous_log_f0() -> None:
    result = continuous_log_f0(np.array([0, 100, 0, 0, 400, 0], np.float32))
    expected = np.log([100, 100, 100 * 4 ** (1 / 3), 100 * 4 ** (2 / 3), 400, 400])
    np.testing.assert_allclose(result, expected, rtol=1e-6)
    assert result.dtype == np.float32
    with pytest.raises(ValueError, match="no frame is voiced"):
        continuous_log_f0(np.zeros(5))
