"""F0 of our tracker against librosa.pyin on recordings: `python tests/benchmarks/pitch_accuracy.py FOLDER [CLIPS]`.

Prints voicing agreement, gross errors (more than 20 % off where both are voiced), fine error in cents (the others), and
the time that both take. FOLDER is a corpus in LJSpeech's layout. pyin's own window of 2,048 samples (93 ms) smears the
edges of voicing and the contour; one of 1,024 is closer to what the spectrogram shows, so both are compared, and with
each other, which says how much agreement can be expected.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import librosa
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from preprocessors.readers.layouts import read_corpus
from processors.audio.pitch import extract_f0
from processors.audio.recording import read_channels, resample

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
        "voiced only in the first": float(((f0 > 0) & (reference == 0)).mean()),
        "voiced only in the second": float(((f0 == 0) & (reference > 0)).mean()),
        "gross errors": float(gross.mean()),
        "gross errors, too low": float((ratio < 1 - GROSS).mean()),
        "fine error in cents (RMS)": float(np.sqrt(np.mean(cents**2))),
        "fine error in cents (median)": float(np.median(np.abs(cents))),
        "bias in cents": float(np.mean(cents)),
    }


def reference_f0(audio: np.ndarray, window: int) -> np.ndarray:
    """F0 (T,) in Hz by probabilistic YIN, 0 where unvoiced, on the same frames; `window` in samples."""
    f0, voiced, _ = librosa.pyin(audio, fmin=F0_MIN, fmax=F0_MAX, sr=SAMPLE_RATE, hop_length=HOP, frame_length=window)
    return np.where(voiced, f0, 0)[: len(audio) // HOP]


def main() -> None:
    """Compare on clips spread evenly over the corpus."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("clips", type=int, nargs="?", default=20, metavar="CLIPS", help="default: 20")
    arguments = parser.parse_args()
    folder, clips = arguments.folder, arguments.clips
    utterances = [row for row in read_corpus(folder, folder.name) if not row.kind]
    chosen = utterances[:: max(1, len(utterances) // clips)][:clips]
    trackers = {
        "here": lambda audio: extract_f0(audio, SAMPLE_RATE, HOP, F0_MIN, F0_MAX),
        "pyin 1024": lambda audio: reference_f0(audio, 1024),
        "pyin 2048": lambda audio: reference_f0(audio, 2048),
    }
    for track in trackers.values():
        track(np.zeros(SAMPLE_RATE, np.float32))  # compile and plan before the clock runs
    tracks: dict[str, list[np.ndarray]] = {name: [] for name in trackers}
    spent = dict.fromkeys(trackers, 0.0)
    seconds = 0.0
    for utterance in chosen:
        channels, rate = read_channels(utterance.audio, 600)
        audio = resample(channels.mean(axis=1), rate, SAMPLE_RATE)
        seconds += len(audio) / SAMPLE_RATE
        for name, track in trackers.items():
            start = time.process_time()
            tracks[name].append(track(audio))
            spent[name] += time.process_time() - start
    joined = {name: np.concatenate(parts) for name, parts in tracks.items()}
    print(f"{len(chosen)} clips, {seconds:.1f} s of {folder}")
    pairs = [("here", "pyin 1024"), ("here", "pyin 2048"), ("pyin 1024", "pyin 2048")]
    results = [compare(joined[one], joined[other]) for one, other in pairs]
    print(f"{'':<30}" + "".join(f"{one + ' / ' + other:>24}" for one, other in pairs))
    for name in results[0]:
        cells = [f"{result[name]:.1f}" if "cents" in name else f"{result[name]:.2%}" for result in results]
        print(f"{name:<30}" + "".join(f"{cell:>24}" for cell in cells))
    print("CPU seconds for a second of audio: " + ", ".join(f"{n} {s / seconds:.4f}" for n, s in spent.items()))


if __name__ == "__main__":
    main()
