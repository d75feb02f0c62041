"""What is done to a sentence's samples after they are made: soft ends, the volume that its text asks for, its level."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache

import numpy as np

from processors.text.prosody import Prosody

FADE_SECONDS = 0.003  # at both ends of a sentence, against clicks
_GAIN_RAMP_SECONDS = 0.01
CEILING_DB = -0.5  # peaks stay below this
_LIMITER_SECONDS = 0.005
# A line's floor is what is quiet among so many pieces of this length at its start; a louder one is no floor.
_FLOOR_PIECES, _FLOOR_SECONDS, _LOUDEST_FLOOR_DB = 4, 0.01, -50.0
_NOISE_SAMPLES = 1 << 14  # after which a pause repeats itself


def fade_edges(piece: np.ndarray, start: int, total: int, ramp: int) -> np.ndarray:
    """A piece (n,) from sample `start` of a wave of `total`, whose ends rise and fall over `ramp`, against clicks."""
    end = start + len(piece)
    if start >= ramp and end <= total - ramp:
        return piece
    faded = piece.astype(np.float32)
    for part in (slice(0, max(0, ramp - start)), slice(max(0, ramp - start, total - ramp - start), len(piece))):
        position = np.arange(start, end)[part] + 0.5
        faded[part] = piece[part] * np.clip(np.minimum(position, total - position) / ramp, 0, 1)
    return faded


def pause_like(wave: np.ndarray, seconds: float, rate: int) -> np.ndarray:
    """A pause (N,) float32 that sounds as a line (n,) does before its first word: noise of that level and spectrum.

    Digital silence between sentences would be heard as a switch. The same line always has the same pause, and its
    first 43 ms decide about it.
    """
    size, count = round(_FLOOR_SECONDS * rate), round(seconds * rate)
    head = wave[round(FADE_SECONDS * rate) :][: _FLOOR_PIECES * size]
    pieces = head[: len(head) // size * size].reshape(-1, size)
    levels = np.square(pieces, dtype=np.float64).mean(axis=1)
    level = levels.min(initial=math.inf)
    if count == 0 or not 0 < level < math.inf:
        return np.zeros(count, dtype=np.float32)
    # Not just the quietest piece: which one that is must not hang on the last bit of a sample.
    weights = (level / levels) ** 4
    power = weights @ np.square(np.abs(np.fft.rfft(pieces * np.hanning(size))))
    bins = np.linspace(0, len(power) - 1, _NOISE_SAMPLES // 2 + 1)
    noise = np.fft.irfft(np.sqrt(np.interp(bins, np.arange(len(power)), power)) * _phases())
    wanted = min(weights @ levels / weights.sum(), 10 ** (_LOUDEST_FLOOR_DB / 10))
    return np.resize(noise * np.sqrt(wanted / np.mean(np.square(noise))), count).astype(np.float32)


@cache
def _phases() -> np.ndarray:
    return np.exp(2j * np.pi * np.random.default_rng(0).random(_NOISE_SAMPLES // 2 + 1))


def gain_of(prosody: Sequence[Prosody], samples: np.ndarray, sample_rate: int) -> np.ndarray | None:
    """Amplitude factor of each sample (N,) of a line whose tokens last `samples` (T_text,); None where all are 1."""
    if all(p.gain_db == 0 for p in prosody):
        return None
    factors = [0.0 if p.gain_db == -math.inf else 10 ** (p.gain_db / 20) for p in prosody]
    steps = np.repeat(np.array(factors), samples[: len(factors)])
    # Ramps instead of steps, which would click.
    ramp = max(1, round(_GAIN_RAMP_SECONDS * sample_rate))
    padded_steps = np.pad(steps, (ramp // 2, ramp - 1 - ramp // 2), mode="edge")
    smooth = np.convolve(padded_steps, np.full(ramp, 1 / ramp), mode="valid")
    return smooth.astype(np.float32)


def limit_peaks(wave: np.ndarray, sample_rate: int) -> np.ndarray:
    """wave (N,) float32 with peaks above the ceiling turned down smoothly, from 5 ms before them."""
    ceiling = 10 ** (CEILING_DB / 20)
    if float(np.max(np.abs(wave), initial=0.0)) <= ceiling:
        return wave
    from scipy.ndimage import minimum_filter1d  # slow; most sentences do without

    reach = max(1, round(_LIMITER_SECONDS * sample_rate))
    needed = np.minimum(1.0, ceiling / np.maximum(np.abs(wave), 1e-9))
    # The smallest gain within reach, then its average over the same reach: nowhere above what is needed.
    held = minimum_filter1d(needed, 2 * reach + 1, mode="nearest")
    window = np.hanning(2 * reach + 3)[1:-1]
    gain = np.convolve(np.pad(held, reach, mode="edge"), window / window.sum(), mode="valid")
    return np.clip(wave * gain, -ceiling, ceiling).astype(np.float32)


def apply_gain(wave: np.ndarray, sample_rate: int, gain_db: float) -> np.ndarray:
    """wave (N,) float32 louder by `gain_db` dB, its peaks limited where a positive gain would clip them."""
    if gain_db == 0 or wave.size == 0:
        return wave
    scaled = (wave * np.float32(10 ** (gain_db / 20))).astype(np.float32)
    return limit_peaks(scaled, sample_rate) if gain_db > 0 else scaled


def to_level(wave: np.ndarray, sample_rate: int, target_db: float) -> np.ndarray:
    """wave (N,) float32 with its active speech at `target_db` dBFS, peaks limited; digital silence stays as it is."""
    from processors.audio.recording import active_level_db  # brings scipy

    level = active_level_db(wave, sample_rate) if wave.size else -math.inf
    return wave if level == -math.inf else apply_gain(wave, sample_rate, target_db - level)


def finished(wave: np.ndarray, gain: np.ndarray | None, target_level_db: float | None, rate: int) -> np.ndarray:
    """A copy of a wave (N,) with soft ends, its active speech at `target_level_db` dBFS if given, times `gain` (N,)."""
    wave = fade_edges(wave, 0, len(wave), round(FADE_SECONDS * rate))
    if (target_level_db is None and gain is None) or not np.isfinite(wave).all():
        return wave  # the caller says what becomes of numbers that are none
    if target_level_db is not None:
        wave = to_level(wave, rate, target_level_db)
    if gain is None:
        return wave
    # What gets no louder needs no limit, nor does a stream have one, which cannot look ahead.
    return limit_peaks(wave * gain, rate) if gain.max(initial=0) > 1 + 1e-4 else wave * gain
