"""Wav files: whole or absent, right samples, no clipping wrap-around."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import soundfile

from processors.audio import wav
from processors.audio.wav import WavWriter, to_pcm16, write_wav
from utils.errors import UserError


def test_samples_come_back(tmp_path: Path) -> None:
    wave = np.linspace(-1, 0.99, 5000).astype(np.float32)
    write_wav(tmp_path / "a.wav", wave, 22050)
    read, rate = soundfile.read(tmp_path / "a.wav", dtype="float32")
    assert rate == 22050 and read.shape == wave.shape
    assert np.abs(read - wave).max() <= 0.5 / 32768 + 1e-7
    assert soundfile.info(tmp_path / "a.wav").subtype == "PCM_16"


def test_pieces_make_the_same_file_in_constant_memory(tmp_path: Path) -> None:
    piece = np.random.default_rng(0).uniform(-1, 1, 22050).astype(np.float32)
    with WavWriter(tmp_path / "pieces.wav", 22050) as writer:
        tracemalloc.start()
        for _ in range(60):
            writer.write(piece)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert writer.seconds == 60.0
    assert peak < 20 * piece.nbytes
    write_wav(tmp_path / "whole.wav", np.tile(piece, 60), 22050)
    assert (tmp_path / "pieces.wav").read_bytes() == (tmp_path / "whole.wav").read_bytes()


def test_what_a_wav_cannot_hold_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wav, "MAX_SAMPLES", 100)
    with pytest.raises(UserError, match="4 GiB"), WavWriter(tmp_path / "a.wav", 22050) as writer:
        writer.write(np.zeros(101, np.float32))
    assert not list(tmp_path.iterdir())


def test_what_is_out_of_range_is_clipped_and_what_is_no_number_is_silent() -> None:
    strange = np.array([2.0, -2.0, np.nan, np.inf, -np.inf, 1.0])
    assert to_pcm16(strange).tolist() == [32767, -32768, 0, 32767, -32768, 32767]
