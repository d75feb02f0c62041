"""F0 of our tracker against librosa.pyin on recordings: `python tests/benchmarks/pitch_accuracy.py FOLDER [CLIPS]`.

Prints voicing agreement, gross errors (more than 20 % off where both are voiced), fine error in cents (the others), and
the time that both take. FOLDER is a corpus in LJSpeech's layout.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import librosa
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from preprocessors.ljspeech import read_corpus
from processors.audio import read_channels, resample
from processors.pitch import extract_f0

SAMPLE_RATE, HOP, F0_MIN, F0_MAX = 22050, 256, 71.0, 500.0
GROSS = 0.2


def compare(f0: np.ndarray, reference: np.ndarray) -> dict[str, float]:
    """Agreement of two F0 tracks (T,) in Hz, 0 where unvoiced."""
    both = (f0 > 0) & (reference > 0)
    ratio = f0[both] / reference[both]
    gross = np.abs(ratio - 1) > GROSS
    cents = 1200 * np.log2(ratio[~gross])
    return {
        "voicing agreement": float(((f0 > 0) == (reference > 0)).mean()),
        "voiced here, unvoiced there": float(((f0 > 0) & (reference == 0)).mean()),
        "unvoiced here, voiced there": float(((f0 == 0) & (reference > 0)).mean()),
        "gross errors": float(gross.mean()),
        "gross errors, too low": float((ratio < 1 - GROSS).mean()),
        "fine error in cents (RMS)": float(np.sqrt(np.mean(cents**2))),
        "fine error in cents (median)": float(np.median(np.abs(cents))),
        "bias in cents": float(np.mean(cents)),
    }


def reference_f0(audio: np.ndarray) -> np.ndarray:
    """F0 (T,) in Hz by probabilistic YIN, 0 where unvoiced, on the same frames."""
    f0, voiced, _ = librosa.pyin(audio, fmin=F0_MIN, fmax=F0_MAX, sr=SAMPLE_RATE, hop_length=HOP)
    return np.where(voiced, f0, 0)[: len(audio) // HOP]


def main() -> None:
    """Compare on clips spread evenly over the corpus."""
    folder, clips = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 20
    utterances, _ = read_corpus(folder, folder.name)
    chosen = utterances[:: max(1, len(utterances) // clips)][:clips]
    ours, theirs, seconds, spent = [], [], 0.0, np.zeros(2)
    for utterance in chosen:
        channels, rate = read_channels(utterance.audio_path, 600)
        audio = resample(channels.mean(axis=1), rate, SAMPLE_RATE)
        marks = [time.process_time()]
        ours.append(extract_f0(audio, SAMPLE_RATE, HOP, F0_MIN, F0_MAX))
        marks.append(time.process_time())
        theirs.append(reference_f0(audio))
        marks.append(time.process_time())
        spent += np.diff(marks)
        seconds += len(audio) / SAMPLE_RATE
    print(f"{len(chosen)} clips, {seconds:.1f} s of {folder}")
    for name, value in compare(np.concatenate(ours), np.concatenate(theirs)).items():
        print(f"{name:<30}{value:>8.2f}" if "cents" in name else f"{name:<30}{value:>8.2%}")
    print(f"CPU seconds for a second of audio: here {spent[0] / seconds:.4f}, pyin {spent[1] / seconds:.4f}")


if __name__ == "__main__":
    main()
