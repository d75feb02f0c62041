"""Loading and cleaning of recordings."""

from __future__ import annotations

import re
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from config.schema import PreprocessConfig
from processors.audio import recording as audio
from processors.audio.mel import MelSpectrogram
from processors.audio.recording import AudioProblem

RATE = 22050


def voice(seconds: float = 1.0, rate: int = RATE, level: float = 0.1, frequency: float = 180.0) -> np.ndarray:
    time = np.arange(int(seconds * rate)) / rate
    signal = sum(np.sin(2 * np.pi * frequency * n * time + n) / n for n in range(1, 12))
    return (level * signal / np.sqrt(np.mean(np.square(signal)))).astype(np.float32)


def settings(config: PreprocessConfig, **changes: object) -> PreprocessConfig:
    return config.model_copy(update=changes)


# --- any format and rate -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "suffix, subtype",
    [
        *((".wav", subtype) for subtype in ("PCM_16", "PCM_24", "PCM_32", "PCM_U8", "FLOAT", "DOUBLE", "ULAW")),
        *((".flac", "PCM_16"), (".flac", "PCM_24"), (".ogg", "VORBIS"), (".mp3", "MPEG_LAYER_III")),
        (".aiff", "PCM_16"),
    ],
)
def test_formats(tmp_path: Path, preprocess: PreprocessConfig, suffix: str, subtype: str) -> None:
    path = tmp_path / f"a{suffix}"
    soundfile.write(path, voice(), RATE, subtype=subtype)
    result = audio.load_recording(path, preprocess)
    assert result.dtype == np.int16 and len(result) % preprocess.hop_size == 0
    assert abs(len(result) / RATE - 1) < 0.15  # lossy formats pad
    assert abs(audio.active_level_db(result / 32768, RATE) + 20) < 0.5


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 22050, 24000, 44100, 48000, 96000, 192000])
@pytest.mark.parametrize("channels", [1, 2, 8])
def test_rates_and_channels(tmp_path: Path, preprocess: PreprocessConfig, rate: int, channels: int) -> None:
    tone = 0.3 * np.sin(2 * np.pi * 1000 * np.arange(rate) / rate)
    path = tmp_path / "a.wav"
    soundfile.write(path, np.repeat(tone[:, None], channels, axis=1), rate, subtype="FLOAT")
    result = audio.load_recording(path, preprocess) / 32768
    expected = 0.3 * np.sin(2 * np.pi * 1000 * np.arange(len(result)) / RATE)
    assert len(result) == RATE // preprocess.hop_size * preprocess.hop_size
    assert np.abs(result - expected)[500:-500].max() < 1e-4


@pytest.mark.parametrize("left, right, noted", [(1, 1, 0), (1, 0.6, 0), (1, 0.3, 1), (0, 1, 1), (1, -1, 1)])
def test_two_channels_lose_no_level(
    tmp_path: Path, preprocess: PreprocessConfig, left: float, right: float, noted: int
) -> None:
    """One that is silent, or upside down, made the mean 6 dB weaker, or nothing at all."""
    soundfile.write(tmp_path / "a.wav", np.stack([left * voice(), right * voice()], axis=1), RATE)
    notes: list[str] = []
    result = audio.load_recording(tmp_path / "a.wav", preprocess, notes.append) / 32768
    assert audio.active_level_db(result, RATE) == pytest.approx(-20, abs=2 if right == 0.6 else 0.1)
    assert [note.partition(":")[0] for note in notes] == ["one channel taken"] * noted


@pytest.mark.parametrize("subtype", ["FLOAT", "DOUBLE"])
def test_floating_point_beyond_full_scale_is_scaled(tmp_path: Path, preprocess: PreprocessConfig, subtype: str) -> None:
    loud = voice() * np.linspace(0.5, 1, RATE)
    loud *= 1.5 / np.abs(loud).max()
    soundfile.write(tmp_path / "a.wav", loud, RATE, subtype=subtype)
    notes: list[str] = []
    result = audio.load_recording(tmp_path / "a.wav", preprocess, notes.append) / 32768
    assert notes == ["scaled down: its peak, 1.5, lay beyond full scale (1.0)"]
    np.testing.assert_allclose(result, loud[: len(result)] / 1.5, atol=2e-3)
    soundfile.write(tmp_path / "a.wav", np.clip(loud, -0.3, 0.3) * 5, RATE, subtype=subtype)
    assert refuse(tmp_path / "a.wav", preprocess)[0] == "clipped"


# --- what is refused, and why --------------------------------------------------------------------------------------


def refuse(path: Path, config: PreprocessConfig) -> tuple[str, str]:
    with pytest.raises(AudioProblem) as caught:
        audio.load_recording(path, config)
    return caught.value.kind, str(caught.value)


def test_samples_and_lengths_that_are_refused(tmp_path: Path, preprocess: PreprocessConfig) -> None:
    bad = [voice() for _ in range(4)]
    for samples, value in zip(bad, (np.nan, np.inf, -np.inf, 1e30)):
        samples[100:103] = value
    cases = [
        ("not finite", bad[0]), ("not finite", bad[1]), ("not finite", bad[2]), ("clipped", bad[3]),
        ("too short", voice(0.3)), ("too short", np.zeros(0)), ("too long", voice(20.5)),
        ("silent", np.zeros(RATE, np.float32)), ("silent", 1e-4 * voice(level=1)),
        ("clipped", np.clip(20 * voice(), -1, 1)),
    ]  # fmt: skip
    reasons = []
    for kind, samples in cases:
        soundfile.write(tmp_path / "a.wav", samples, RATE, subtype="FLOAT")
        found, reason = refuse(tmp_path / "a.wav", preprocess)
        assert found == kind
        reasons.append(reason)
    assert "3 samples" in reasons[0] and reasons[8] == "its level, -80.0 dBFS, lies below silence_level_db (-55)"


def test_mp3_whose_length_is_an_estimate(tmp_path: Path, preprocess: PreprocessConfig) -> None:
    """Streams of a constant rate have no table of their frames, and a tag at the end counts as sound."""
    path = tmp_path / "a.mp3"
    soundfile.write(path, voice(2.0), RATE, format="MP3", bitrate_mode="CONSTANT", compression_level=0.5)
    content = re.sub(b"Info|Xing", bytes(4), path.read_bytes(), count=1)
    for extra in (b"", b"TAG" + bytes(125)):
        path.write_bytes(content + extra)
        assert abs(len(audio.load_recording(path, preprocess)) / RATE - 2) < 0.15


@pytest.mark.parametrize("length", [0, 0x7FFFFFF0, 0xFFFFFFFF])
def test_headers_without_a_length(tmp_path: Path, preprocess: PreprocessConfig, length: int) -> None:
    """Programs that write to a pipe cannot know it, and killed ones have not come to write it."""
    path = tmp_path / "a.wav"
    soundfile.write(path, voice(), RATE)
    whole = audio.load_recording(path, preprocess)
    content = bytearray(path.read_bytes())
    at = content.index(b"data") + 4
    content[at : at + 4] = struct.pack("<I", length)
    path.write_bytes(content)
    np.testing.assert_array_equal(audio.load_recording(path, preprocess), whole)


# --- the steps -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [8000, 16000, 44100, 48000, 22051])
def test_resampling_keeps_what_fits_and_drops_the_rest(rate: int) -> None:
    time = np.arange(2 * rate) / rate
    low = min(rate, RATE) / 2
    window = np.hanning(len(time))
    kept, dropped = 0.5 * np.sin(2 * np.pi * 0.9 * low * time), np.sin(2 * np.pi * min(1.05 * low, rate / 2) * time)
    out = np.arange(round(len(time) * RATE / rate)) / RATE
    result = audio.resample((window * kept).astype(np.float32), rate, RATE)
    expected = np.interp(out, time, window) * 0.5 * np.sin(2 * np.pi * 0.9 * low * out)
    assert result.dtype == np.float32 and len(result) == len(out)
    assert np.abs(result - expected).max() < 2e-3
    if rate > RATE:
        aliased = audio.resample((window * dropped).astype(np.float32), rate, RATE)
        assert np.abs(aliased).max() < 1e-4


def test_dc_is_removed(tmp_path: Path, preprocess: PreprocessConfig) -> None:
    soundfile.write(tmp_path / "a.wav", voice() + 0.05, RATE)
    assert abs(audio.load_recording(tmp_path / "a.wav", preprocess).mean()) < 40
    kept = audio.load_recording(tmp_path / "a.wav", settings(preprocess, remove_dc=False))
    assert kept.mean() == pytest.approx(0.05 * 32768, rel=0.05)


def test_highpass_takes_hum_and_leaves_the_voice_in_place(tmp_path: Path, preprocess: PreprocessConfig) -> None:
    clean = voice(frequency=220)
    hum = (0.05 * np.sin(2 * np.pi * 30 * np.arange(RATE) / RATE)).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", clean + hum, RATE, subtype="FLOAT")
    result = audio.load_recording(tmp_path / "a.wav", settings(preprocess, highpass_hz=70.0)) / 32768
    error = (result - clean[: len(result)])[4000:-4000]
    assert np.sqrt(np.mean(error**2)) < 0.002
    assert len(audio.highpass(clean[:50], RATE, 70.0)) == 50


def test_trim_keeps_the_voice_and_the_margin() -> None:
    noise = np.random.default_rng(0).normal(0, 1e-4, 3 * RATE).astype(np.float32)
    noise[RATE : 2 * RATE] += voice()
    result = audio.trim_silence(noise, RATE, 40, 0.05)
    assert len(result) / RATE == pytest.approx(1.1, abs=0.05)
    assert np.array_equal(audio.trim_silence(voice(), RATE, 40, 0.05), voice())
    assert len(audio.trim_silence(np.zeros(RATE, np.float32), RATE, 40, 0.05)) == RATE


def test_gain_reaches_the_target_or_stops_at_the_peak(tmp_path: Path, preprocess: PreprocessConfig) -> None:
    soundfile.write(tmp_path / "a.wav", voice(level=0.02), RATE, subtype="FLOAT")
    result = audio.load_recording(tmp_path / "a.wav", settings(preprocess, target_level_db=-22.0)) / 32768
    assert audio.active_level_db(result, RATE) == pytest.approx(-22, abs=0.1)
    loudest = audio.load_recording(tmp_path / "a.wav", settings(preprocess, target_level_db=-1.0)) / 32768
    assert np.abs(loudest).max() == pytest.approx(audio.PEAK_LIMIT, abs=1e-3)
    np.testing.assert_array_equal(audio.with_gain(np.float32([0.995, 0]), 6.0), np.float32([0.995, 0]))


@pytest.mark.parametrize(
    "n_fft, win_size, hop", [(1024, 1024, 256), (1024, 800, 200), (512, 400, 160), (2048, 1200, 300)]
)
@pytest.mark.parametrize("samples", [30000, 4096, 700, 256, 100])
def test_energy_without_torch_equals_trainings(n_fft: int, win_size: int, hop: int, samples: int) -> None:
    generator = np.random.default_rng(samples)
    noise = (generator.normal(0, 0.1, samples) * np.linspace(0, 1, samples) + 0.01).astype(np.float32)
    noise[: samples // 3] = 0
    module = MelSpectrogram(22050, n_fft, win_size, hop, 80)
    expected = module(torch.from_numpy(noise)[None])[1][0].numpy()
    result = audio.frame_energy(noise, n_fft, win_size, hop)
    assert result.dtype == np.float32 and result.shape == (samples // hop,)
    np.testing.assert_allclose(result, expected, rtol=1e-4)
