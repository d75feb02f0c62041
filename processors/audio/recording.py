"""Recordings as the model wants them: mono, one rate, no offset, whole frames, 16 bit."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from math import gcd
from pathlib import Path

import numpy as np
import scipy.fft
import soundfile
from numpy.lib.stride_tricks import sliding_window_view

from config.schema import PreprocessConfig
from processors.audio.wav import to_pcm16
from utils.errors import one_line
from utils.files import regular

Array = np.ndarray
Note = Callable[[str], None]  # is told, as "kind: details", what was done to use a recording
FULL_SCALE = 0.9999  # what reaches it counts as clipped
ABSURD_PEAK = 10.0  # floating-point files may exceed full scale a little; this is damage
ENERGY_FLOOR = 1e-10  # as in processors/audio/mel.py
PEAK_LIMIT = 0.99  # a gain never lifts a peak above it
# A recording this many times longer than max_seconds is not even decoded: trimming cannot save it.
DECODE_LIMIT = 10
# Beyond these a header lies, and resampling would need any amount of memory.
LOWEST_RATE, HIGHEST_RATE = 2000, 1_000_000
LARGEST_IN_MEMORY = 1 << 30  # bytes of a file without a length in its header


class AudioProblem(Exception):
    """A recording that cannot be used: `kind` for counting, the message for reading."""

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(reason)
        self.kind = kind


def load_recording(path: Path, config: PreprocessConfig, note: Note = lambda note: None) -> Array:
    """Recording as int16 samples (N,) at config.sample_rate, N a multiple of config.hop_size; or AudioProblem."""
    channels, rate = read_channels(path, DECODE_LIMIT * config.max_seconds, note)
    check_samples(channels, config.max_clipped_fraction)
    audio = resample(mixed(channels, note), rate, config.sample_rate)
    if config.remove_dc:
        audio = audio - audio.mean(dtype=np.float64).astype(np.float32)
    if config.highpass_hz is not None:
        audio = highpass(audio, config.sample_rate, config.highpass_hz)
    level = active_level_db(audio, config.sample_rate)
    if level < config.silence_level_db:
        limit = config.silence_level_db
        raise AudioProblem("silent", f"its level, {level:.1f} dBFS, lies below silence_level_db ({limit:g})")
    if config.trim_silence:
        audio = trim_silence(audio, config.sample_rate, config.trim_top_db, config.trim_margin)
    seconds = len(audio) / config.sample_rate
    if seconds < config.min_seconds:
        raise AudioProblem("too short", f"{seconds:.2f} s lies below min_seconds ({config.min_seconds:g})")
    if seconds > config.max_seconds:
        raise AudioProblem("too long", f"{seconds:.2f} s lies above max_seconds ({config.max_seconds:g})")
    if config.target_level_db is not None:
        audio = with_gain(audio, config.target_level_db - level)
    # Less than a frame is lost, and no digital silence is added.
    return to_pcm16(audio[: len(audio) // config.hop_size * config.hop_size])


def read_channels(path: Path, max_seconds: float, note: Note = lambda note: None) -> tuple[Array, int]:
    """Samples (N, channels), float32, and the rate in Hz of any file that libsndfile reads; or AudioProblem.

    Floating-point samples that go a little beyond full scale are not clipped: all are scaled down to it.
    """
    source = checked_wav(path)
    try:
        with soundfile.SoundFile(source) as file:
            frames, rate = file.frames, file.samplerate
            if not LOWEST_RATE <= rate <= HIGHEST_RATE:
                raise AudioProblem("unreadable", f"{path.name} claims {rate} samples per second")
            if frames / rate > max_seconds:
                raise AudioProblem("too long", f"{frames / rate:.1f} s is far above max_seconds")
            audio = file.read(dtype="float32", always_2d=True)
            peak = float(np.abs(audio).max(initial=0)) if file.subtype in ("FLOAT", "DOUBLE") else 0.0
            # Many MP3 files have no more than an estimate of their length, from the bit rate.
            least = frames - max(0.02 * frames, 0.1 * rate) if file.format == "MP3" else frames
    except (soundfile.SoundFileError, OSError, RuntimeError, ValueError, TypeError) as error:
        raise AudioProblem("unreadable", f"{path.name} cannot be read: {one_line(error)}") from error
    if len(audio) < least:
        raise AudioProblem("truncated", f"{path.name} has {len(audio)} samples, its header says {frames}")
    if len(audio) == 0:
        raise AudioProblem("too short", f"{path.name} has no samples")
    if 1 < peak <= ABSURD_PEAK:
        audio /= np.float32(peak)
        note(f"scaled down: its peak, {peak:.3g}, lay beyond full scale (1.0)")
    return audio, rate


def mixed(channels: Array, note: Note = lambda note: None) -> Array:
    """Samples (N,) of a recording (N, channels): the mean, or the strongest channel where the mean loses over 3 dB."""
    if channels.shape[1] == 1:
        return channels[:, 0]
    mean = channels.mean(axis=1)
    powers = channels.var(axis=0, dtype=np.float64)
    ratio = powers.max() / max(mean.var(dtype=np.float64), 1e-12)
    if ratio <= 2:
        return mean
    note(f"one channel taken: the mean of all {channels.shape[1]} is {10 * np.log10(ratio):.1f} dB weaker")
    return channels[:, powers.argmax()]


def checked_wav(path: Path) -> Path | io.BytesIO:
    """What libsndfile shall read for a file: itself, or a RIFF/WAVE file's content with the length that it has.

    A recorder that was killed leaves 0 for the length of the samples, and libsndfile finds none; and it reads a file
    that ends before its header says without a word, as if it were shorter: for that AudioProblem is raised.
    """
    try:
        size = regular(path).stat().st_size
        with open(path, "rb") as file:
            head = file.read(12)
            if head[:4] != b"RIFF" or head[8:12] != b"WAVE":
                return path
            while len(chunk := file.read(8)) == 8:
                name, length = struct.unpack("<4sI", chunk)
                if name != b"data":
                    file.seek(length + (length & 1), 1)
                    continue
                begin, there = file.tell(), size - file.tell()
                # Writers to a pipe leave the largest values: then the file's end counts.
                if there < length < 0x7FFFFF00:
                    raise AudioProblem("truncated", f"{path.name} ends {length - there} bytes before its header says")
                if length == 0 and 0 < there < LARGEST_IN_MEMORY:
                    content = path.read_bytes()
                    return io.BytesIO(content[: begin - 4] + struct.pack("<I", there) + content[begin:])
                return path
    except OSError as error:
        raise AudioProblem("unreadable", f"{path.name} cannot be read: {error.strerror or error}") from error
    return path


def check_samples(channels: Array, max_clipped_fraction: float) -> None:
    """Raise AudioProblem when samples (N, channels) hold NaN or infinity, or too many lie at full scale."""
    peak = float(max(channels.max(), -channels.min()))
    if peak < FULL_SCALE:
        return
    if count := int((~np.isfinite(channels)).sum()):
        raise AudioProblem("not finite", f"{count} samples are NaN or infinite")
    if peak > ABSURD_PEAK:
        raise AudioProblem("clipped", f"its peak, {peak:.3g}, lies far beyond full scale (1.0)")
    clipped = float((np.abs(channels) >= FULL_SCALE).mean())
    if clipped > max_clipped_fraction:
        limit = f"max_clipped_fraction is {max_clipped_fraction:g}"
        raise AudioProblem("clipped", f"{clipped:.1%} of the samples lie at full scale, {limit}")


def resample(audio: Array, rate: int, target: int) -> Array:
    """Audio (N,) float32 at `target` Hz: Fourier transform, linear phase, flat up to 95 % of the lower half rate."""
    if rate == target:
        return audio.astype(np.float32, copy=False)
    divisor = gcd(rate, target)
    up, down = target // divisor, rate // divisor
    # Zeros around the signal keep one end's ringing out of the other; their number maps to whole output samples.
    margin = -(-(rate // 50) // down)
    blocks = scipy.fft.next_fast_len(-(-len(audio) // down) + 2 * margin, real=True)
    size, new_size = down * blocks, up * blocks
    padded = np.zeros(size)
    padded[margin * down : margin * down + len(audio)] = audio
    half = min(size, new_size) / 2
    spectrum = scipy.fft.rfft(padded, overwrite_x=True)[: int(half) + 1]
    begin = int(0.95 * half)
    edge = np.clip((np.arange(begin, len(spectrum)) / half - 0.95) / 0.05, 0, 1)
    spectrum[begin:] *= np.cos(0.5 * np.pi * edge) ** 2
    result = scipy.fft.irfft(spectrum, new_size, overwrite_x=True)[margin * up :][: round(len(audio) * target / rate)]
    return (result * (new_size / size)).astype(np.float32)


def highpass(audio: Array, sample_rate: int, cutoff: float) -> Array:
    """Audio (N,) without what lies below `cutoff` Hz: Butterworth of order 4, forward and backward (zero phase)."""
    from scipy.signal import butter, sosfiltfilt  # a slow import that few configs need

    if not 0 < cutoff < sample_rate / 2:
        raise ValueError(f"cutoff {cutoff} Hz must lie between 0 and {sample_rate / 2} Hz")
    # The filter's memory is about a period of the cutoff; the padding covers a few.
    pad = min(len(audio) - 1, int(4 * sample_rate / cutoff))
    filtered = sosfiltfilt(butter(4, cutoff, "highpass", fs=sample_rate, output="sos"), audio, padlen=pad)
    return filtered.astype(np.float32)


def active_level_db(audio: Array, sample_rate: int) -> float:
    """Level of audio (N,) in dBFS without pauses, the 20 ms that lie 25 dB below the loud ones; -inf for zeros."""
    size = min(max(1, int(sample_rate * 0.02)), max(1, len(audio)))
    blocks = audio[: len(audio) // size * size].reshape(-1, size).astype(np.float64)
    powers = np.einsum("ij,ij->i", blocks, blocks) / size if len(audio) else np.zeros(1)
    loud = np.quantile(powers, 0.95)
    active = powers[powers >= loud * 10**-2.5]
    mean = float(active.mean())
    return 10 * float(np.log10(mean)) if mean > 0 else float("-inf")


def frame_energy(audio: np.ndarray, n_fft: int, win_size: int, hop_size: int) -> np.ndarray:
    """Norm of the STFT magnitude over frequency (T,), float32, of audio (N,) in [-1, 1]; T = N // hop_size.

    Equals `MelSpectrogram.energy`, without torch and without a transform: by Parseval's theorem the sum over the
    n_fft // 2 + 1 bins follows from the windowed samples' squares and from the two bins that have no mirror image.
    """
    frames = len(audio) // hop_size
    if frames == 0:
        return np.zeros(0, np.float32)
    audio = audio.astype(np.float32, copy=False)
    padded = np.pad(audio, n_fft // 2, mode="reflect" if len(audio) > n_fft // 2 else "constant")
    left = (n_fft - win_size) // 2
    window = np.zeros(n_fft)
    window[left : left + win_size] = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(win_size) / win_size)

    chunks = sliding_window_view(padded, n_fft)[::hop_size][:frames]
    squares = sliding_window_view(padded * padded, n_fft)[::hop_size][:frames]
    total = n_fft * (squares @ (window**2).astype(np.float32)).astype(np.float64)
    single = [window] if n_fft % 2 else [window, window * (-1.0) ** np.arange(n_fft)]
    edges = (chunks @ np.stack(single, axis=1).astype(np.float32)).astype(np.float64)
    power = 0.5 * (total + np.square(edges).sum(axis=1))
    return np.sqrt(np.maximum(power, ENERGY_FLOOR)).astype(np.float32)


def trim_silence(audio: Array, sample_rate: int, top_db: float, margin: float) -> Array:
    """Audio (N,) without the ends that lie `top_db` below its loudest 20 ms, except for `margin` seconds each."""
    step = max(1, int(sample_rate * 0.005))
    whole = len(audio) // step
    if whole < 4:
        return audio
    blocks = np.square(audio[: whole * step].reshape(whole, step), dtype=np.float64).mean(axis=1)
    powers = np.convolve(blocks, np.full(4, 0.25), mode="valid")  # 20 ms every 5 ms
    loud = np.flatnonzero(powers > powers.max() * 10 ** (-top_db / 10))
    if not len(loud):
        return audio
    keep = int(margin * sample_rate)
    return audio[max(0, loud[0] * step - keep) : (loud[-1] + 4) * step + keep]


def with_gain(audio: Array, gain_db: float) -> Array:
    """Audio (N,) louder by `gain_db`, or by as much as keeps its peak at PEAK_LIMIT (never quieter for that)."""
    peak = float(np.abs(audio).max(initial=0.0))
    gain = 10 ** (gain_db / 20)
    if gain > 1 and peak > 0:
        gain = max(1.0, min(gain, PEAK_LIMIT / peak))
    return (audio * np.float32(gain)).astype(np.float32)
