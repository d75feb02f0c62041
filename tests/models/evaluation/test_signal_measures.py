"""Measures against the recording, on signals whose distance is known."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile

from models.evaluation.signal_measures import (
    analyse,
    f0_distance,
    load_audio,
    measure_against,
    measure_copy,
    mel_cepstral_distortion,
    pitch_range,
    warp,
)
from processors.audio.recording import AudioProblem

RATE = 22050
EVEN = np.full(5, 0.35)  # seconds of the five vowels


def share(value: tuple[float, float]) -> float:
    return value[0] / value[1]


def test_identical_audio_has_no_distance_and_full_correlation(voice, preprocess):
    values = measure_against(voice, voice, preprocess)[0] | measure_copy(voice, voice, preprocess)
    for key, value in values.items():
        if key == "duration_ratio":
            assert share(value) == 1
        elif "correlation" in key:
            assert value == pytest.approx(1.0, abs=1e-9)
        else:
            assert value == pytest.approx(0.0, abs=1e-9), key


def test_shifted_and_stretched_copy_survives_warping(voice, speak, preprocess):
    lengths = EVEN * np.array([1.3, 0.8, 1.5, 1.2, 0.9])
    shifted = np.concatenate([1e-4 * np.random.default_rng(1).standard_normal(RATE // 5), speak(lengths)])
    other = analyse(shifted.astype(np.float32), preprocess)
    values, _ = measure_against(voice, other, preprocess)
    # The same frames one after another, as a measure without warping would compare them.
    frames = np.repeat(np.arange(min(len(voice.f0), len(other.f0)))[:, None], 2, axis=1)
    assert values["mcd"] < 0.5 * mel_cepstral_distortion(voice.cepstrum, other.cepstrum, frames)
    assert values["log_f0_rmse"] < 0.03 and values["log_f0_correlation"] > 0.95
    assert values["energy_correlation"] > 0.9
    assert share(values["duration_ratio"]) == pytest.approx((lengths.sum() + 0.4) / (EVEN.sum() + 0.4), rel=0.03)


def test_other_words_are_further_away_than_another_take_and_a_level_is_not(voice, speak, preprocess):
    sounds = (0.25 * voice.audio, speak(seed=3), np.roll(speak(), -RATE), np.zeros(RATE, np.float32))
    quieter, take, other, silence = (measure_against(voice, analyse(x, preprocess), preprocess)[0] for x in sounds)
    assert quieter["mcd"] < 0.1 < take["mcd"] < other["mcd"] and np.isfinite(silence["mcd"])
    assert quieter["energy_correlation"] > 0.999
    assert share(quieter["duration_ratio"]) == pytest.approx(1, abs=0.01)
    assert np.isnan(silence["log_f0_rmse"]) and np.isnan(silence["energy_correlation"])


@pytest.mark.parametrize("sizes", [(1, 1), (1, 5), (5, 1), (30, 41)])
def test_warping_goes_from_end_to_end_step_by_step(sizes):
    generator = np.random.default_rng(sum(sizes))
    path = warp(generator.standard_normal((sizes[0], 2)), generator.standard_normal((sizes[1], 2)))
    steps = np.diff(path, axis=0)
    assert path[0].tolist() == [0, 0] and path[-1].tolist() == [sizes[0] - 1, sizes[1] - 1]
    assert ((steps >= 0) & (steps <= 1)).all() and (steps.sum(1) >= 1).all()


def test_what_cannot_be_judged_is_an_audio_problem(voice, tmp_path, preprocess):
    (tmp_path / "text.wav").write_text("not audio")
    soundfile.write(tmp_path / "nan.wav", np.full(1000, np.nan, np.float32), RATE, subtype="FLOAT")
    for judge, message in (
        (lambda: analyse(np.zeros(100, np.float32), preprocess), "shorter than one frame"),
        (lambda: warp(np.zeros((20000, 1)), np.zeros((20000, 1))), "too long"),
        (lambda: measure_copy(voice, analyse(voice.audio[:RATE], preprocess), preprocess), "not the same timing"),
        (lambda: load_audio(tmp_path / "text.wav", RATE), "text.wav"),
        (lambda: load_audio(tmp_path / "nan.wav", RATE), "NaN"),
    ):
        with pytest.raises(AudioProblem, match=message):
            judge()


def test_known_curves():
    path = np.repeat(np.arange(40)[:, None], 2, axis=1)
    f0 = np.full(40, 200.0)
    f0[20:] = 0
    other = f0 * 2 ** (2 / 12)
    other[30:] = 150
    result = f0_distance(f0, other, path)
    assert result["log_f0_rmse"] == pytest.approx(2 * np.log(2) / 12)
    assert result["voicing_error"] == pytest.approx(0.25)
    assert np.isnan(result["log_f0_correlation"])  # a flat curve has none
    assert np.isnan(f0_distance(f0, np.zeros(40), path)["log_f0_rmse"])
    assert pitch_range(np.array([100.0, 200.0] * 20)) == pytest.approx(6.0)
    assert np.isnan(pitch_range(np.zeros(40)))
