"""Measures against the recording, on signals whose distance is known."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile
import torch

from models.evaluation.measures.dtw import pairwise_distance, warp
from models.evaluation.measures.energy import energy_correlation
from models.evaluation.measures.f0 import f0_distance, pitch_range
from models.evaluation.measures.rate import speech_seconds, spoken_characters
from models.evaluation.measures.stft_distance import stft_distance
from models.evaluation.measures.utterance import analyse, load_audio, measure_against, measure_alone, measure_copy
from processors.audio.recording import AudioProblem

RATE = 22050
EVEN = np.full(5, 0.35)  # seconds of the five vowels


def share(value: tuple[float, float]) -> float:
    return value[0] / value[1]


def test_identical_audio_has_no_distance_and_full_correlation(voice, preprocess):
    values = measure_against(voice, voice, preprocess).values | measure_copy(voice, voice, preprocess)
    for key, value in values.items():
        if key == "duration_ratio":
            assert share(value) == 1
        elif "correlation" in key:
            assert value == pytest.approx(1.0, abs=1e-9)
        else:
            assert value == pytest.approx(0.0, abs=1e-9), key


def test_two_semitones_are_0_1155(voice, speak, preprocess):
    higher = analyse(speak(base_f0=180 * 2 ** (2 / 12)), preprocess)
    values = measure_against(voice, higher, preprocess).values
    assert values["log_f0_rmse"] == pytest.approx(2 * np.log(2) / 12, rel=0.05)
    assert values["log_f0_correlation"] > 0.97
    assert values["voicing_error"] < 0.05


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


def test_shifted_and_stretched_copy_survives_warping(voice, speak, preprocess):
    stretched = speak(EVEN * np.array([1.3, 0.8, 1.5, 1.2, 0.9]))
    shifted = np.concatenate([1e-4 * np.random.default_rng(1).standard_normal(RATE // 5), stretched])
    other = analyse(shifted.astype(np.float32), preprocess)
    values = measure_against(voice, other, preprocess).values
    # The same frames one after another, as a measure without warping would compare them.
    frames = min(len(voice.cepstrum), len(other.cepstrum))
    unwarped = np.linalg.norm(voice.cepstrum[:frames, 1:] - other.cepstrum[:frames, 1:], axis=1).mean()
    unwarped *= 10 / np.log(10) * np.sqrt(2)
    assert values["mcd"] < 0.5 * unwarped
    assert values["log_f0_rmse"] < 0.03
    assert values["log_f0_correlation"] > 0.95
    assert values["energy_correlation"] > 0.9
    voiced = EVEN * np.array([1.3, 0.8, 1.5, 1.2, 0.9])
    assert share(values["duration_ratio"]) == pytest.approx((voiced.sum() + 0.4) / (EVEN.sum() + 0.4), rel=0.03)


def test_another_voice_is_further_away_than_another_take(voice, speak, preprocess):
    take = analyse(speak(seed=3), preprocess)
    wrong_words = analyse(np.concatenate([speak()[RATE:], speak()[:RATE]]), preprocess)
    close, far = (measure_against(voice, other, preprocess).values["mcd"] for other in (take, wrong_words))
    assert 0 < close < far


def test_level_does_not_matter_to_warped_measures(voice, preprocess):
    quieter = analyse(0.25 * voice.audio, preprocess)
    values = measure_against(voice, quieter, preprocess).values
    assert values["mcd"] < 0.1
    assert values["energy_correlation"] > 0.999
    assert share(values["duration_ratio"]) == pytest.approx(1, abs=0.01)


def test_noise_moves_the_stft_distance_monotonically(voice, preprocess):
    noise = np.random.default_rng(0).standard_normal(len(voice.audio)).astype(np.float32)
    noise *= np.sqrt(np.mean(voice.audio**2) / np.mean(noise**2))
    previous = None
    for snr_db in (40, 30, 20, 10, 0):
        noisy = analyse(voice.audio + noise * np.float32(10 ** (-snr_db / 20)), preprocess)
        values = measure_copy(voice, noisy, preprocess)
        current = [values[f"copy_{key}"] for key in ("stft_convergence", "stft_log_magnitude", "stft_distance", "mcd")]
        if previous is not None:
            assert all(now > before for now, before in zip(current, previous)), snr_db
        previous = current


def test_stft_distance_of_a_gain_is_known():
    audio = torch.from_numpy(np.random.default_rng(0).standard_normal((2, 20000)).astype(np.float32)) * 0.1
    result = stft_distance(audio, torch.stack([audio[0] * 0.5, audio[1] * 2]))
    assert result["stft_convergence"].tolist() == pytest.approx([0.5, 1.0], rel=1e-4)
    assert result["stft_log_magnitude"].tolist() == pytest.approx([np.log(2)] * 2, rel=1e-3)
    with pytest.raises(ValueError, match="not aligned"):
        stft_distance(audio, audio[:, :-1])


def test_copy_of_another_length_is_refused(voice, preprocess):
    with pytest.raises(ValueError, match="not the same timing"):
        measure_copy(voice, analyse(voice.audio[: RATE // 2], preprocess), preprocess)


def test_energy_correlation_knows_emphasis():
    path = np.repeat(np.arange(30)[:, None], 2, axis=1)
    rise = np.linspace(1, 30, 30)
    assert energy_correlation(rise, rise * 7, path) == pytest.approx(1)
    assert energy_correlation(rise, rise[::-1], path) < -0.5
    # What lies more than 50 dB below the loudest frame is room noise, whatever its level.
    room = np.where(np.arange(30) < 10, 1e-4, rise)
    quieter_room = np.where(np.arange(30) < 10, 1e-7, rise)
    assert energy_correlation(room, quieter_room, path) == pytest.approx(1)


def test_speaking_rate_leaves_silent_ends_out(speak, preprocess):
    audio = speak()
    padded = np.concatenate([np.zeros(RATE, np.float32), audio, np.zeros(2 * RATE, np.float32)])
    assert speech_seconds(padded, RATE) == pytest.approx(speech_seconds(audio, RATE), abs=0.01)
    assert spoken_characters("  two\n words ") == 9
    values = measure_alone(analyse(audio, preprocess), "ten chars.", preprocess)
    assert share(values["characters_per_second"]) == pytest.approx(10 / (EVEN.sum() + 0.4), rel=0.05)


def brute_force(cost: np.ndarray) -> float:
    """Least sum over all monotone paths, by recursion."""
    i, j = cost.shape[0] - 1, cost.shape[1] - 1
    if i == 0 and j == 0:
        return float(cost[0, 0])
    options = []
    if i:
        options.append(brute_force(cost[:-1]))
    if j:
        options.append(brute_force(cost[:, :-1]))
    if i and j:
        options.append(brute_force(cost[:-1, :-1]))
    return float(cost[i, j]) + min(options)


@pytest.mark.parametrize("sizes", [(1, 1), (1, 5), (5, 1), (4, 6), (6, 5)])
def test_warping_finds_the_cheapest_path(sizes):
    for seed in range(5):
        generator = np.random.default_rng(seed)
        first, second = generator.standard_normal((sizes[0], 2)), generator.standard_normal((sizes[1], 2))
        path = warp(first, second)
        cost = pairwise_distance(first, second)
        assert cost[path[:, 0], path[:, 1]].sum() == pytest.approx(brute_force(cost), rel=1e-5)
        steps = np.diff(path, axis=0)
        assert path[0].tolist() == [0, 0] and path[-1].tolist() == [sizes[0] - 1, sizes[1] - 1]
        assert ((steps >= 0) & (steps <= 1)).all() and (steps.sum(1) >= 1).all()


def test_warping_refuses_what_it_cannot_do():
    with pytest.raises(ValueError, match="no frames"):
        warp(np.zeros((0, 2)), np.zeros((3, 2)))
    with pytest.raises(ValueError, match="too long"):
        warp(np.zeros((20000, 1)), np.zeros((20000, 1)))


def test_too_short_and_bad_files(tmp_path, preprocess):
    with pytest.raises(ValueError, match="shorter than one frame"):
        analyse(np.zeros(100, np.float32), preprocess)
    (tmp_path / "text.wav").write_text("not audio")
    with pytest.raises(AudioProblem):
        load_audio(tmp_path / "text.wav", RATE)
    soundfile.write(tmp_path / "nan.wav", np.full(1000, np.nan, np.float32), RATE, subtype="FLOAT")
    with pytest.raises(AudioProblem, match="NaN"):
        load_audio(tmp_path / "nan.wav", RATE)


def test_silence_is_measured_without_a_crash(voice, preprocess):
    silence = analyse(np.zeros(RATE, np.float32), preprocess)
    values = measure_against(voice, silence, preprocess).values
    assert np.isfinite(values["mcd"]) and np.isnan(values["log_f0_rmse"]) and np.isnan(values["energy_correlation"])
