"""Whether a voice does what it is asked to: pitch in semitones, speed; measured on what it says.

    python tests/benchmarks/control_accuracy.py ckpts/tts/NAME [--checkpoint best] [--sentences 12] [--device cpu]
        [--semitones -6 -3 0 3 6] [--speeds 0.5 0.75 1.5 2] [--calibrate] [--wavs DIR]

F0 is compared frame by frame with the unchanged sentence; "thirds" are the frames of each sentence's lowest, middle and
highest tokens. A pitch_response.json in the folder is used; --calibrate measures one first and keeps it in memory.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from models.evaluation.signal_measures import speech_seconds
from models.tts.jets.synthesizer import Synthesizer
from models.tts.pitch_shifts import frame_shifts, measure
from processors.audio.pitch import extract_f0_batch
from processors.audio.wav import write_wav

# Others than those that a response is measured on.
SENTENCES = (
    "The quick brown fox jumps over the lazy dog near the river.",
    "She had never seen so many boats in the harbour at once.",
    "It was the first letter that he had written in a year.",
    "Nobody in the village could say who had built the bridge.",
    "The old clock on the wall struck nine, and the room fell silent.",
    "There was no reason to believe that the road would be open.",
    "A small dog followed them all the way down to the station.",
    "They found the papers under a pile of yellow magazines.",
    "The doctor smiled, closed the bag, and walked out into the rain.",
    "In the morning the valley was white with snow.",
    "I will give you the money when the work is done.",
    "Her brother had left the country long before the war began.",
)


def thirds(voice: Synthesizer, ids: list[tuple[int, ...]], shifts: list[np.ndarray]) -> list[np.ndarray]:
    """Shifts (N,) of the frames of the lowest, middle and highest tokens of each utterance."""
    parts: list[list[np.ndarray]] = [[], [], []]
    lines = [line for text in SENTENCES[: len(ids)] for line in voice.script.lines(text, voice.config.inference)]
    for line, frames in zip(lines, shifts):
        with voice._computing():
            planned = voice.plan([line], voice.config.inference)
        values = np.repeat(planned.log_f0[0].cpu().numpy(), planned.durations[0].cpu().numpy())[: len(frames)]
        low, high = np.quantile(values, [1 / 3, 2 / 3])
        for part, inside in zip(parts, (values < low, (values >= low) & (values <= high), values > high)):
            part.append(frames[: len(values)][inside])
    return [np.concatenate(part) for part in parts]


def middle(values: np.ndarray) -> float:
    """Median of what is known."""
    values = values[np.isfinite(values)]
    return float(np.median(values)) if len(values) else float("nan")


def print_table(rows: list[dict[str, object]]) -> None:
    """As Markdown."""
    print("| " + " | ".join(rows[0]) + " |")
    print("| " + " | ".join("---" for _ in rows[0]) + " |")
    for row in rows:
        print("| " + " | ".join(str(value) for value in row.values()) + " |", flush=True)
    print()


def main() -> None:
    """Print a table for pitch and one for speed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("expt_dir")
    parser.add_argument("--checkpoint")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--sentences", type=int, default=len(SENTENCES))
    parser.add_argument("--semitones", type=float, nargs="+", default=[-6, -3, 0, 3, 6])
    parser.add_argument("--speeds", type=float, nargs="+", default=[0.5, 0.75, 1.5, 2.0])
    parser.add_argument("--calibrate", action="store_true")
    parser.add_argument("--wavs", type=Path, help="folder to keep what was said in")
    arguments = parser.parse_args()
    voice = Synthesizer.from_experiment(arguments.expt_dir, arguments.device, arguments.checkpoint)
    if arguments.calibrate:
        voice.pitch_response = None
        started = time.perf_counter()
        voice.pitch_response = measure(voice, "")
        print(f"{voice.pitch_response} in {time.perf_counter() - started:.1f} s")
    texts = SENTENCES[: arguments.sentences]
    ids = [line.ids for text in texts for line in voice.script.lines(text, voice.config.inference)]
    plain = voice.synthesize_ids(ids)
    rate = voice.sample_rate

    def keep(name: str, waves: list[np.ndarray]) -> None:
        if arguments.wavs:
            arguments.wavs.mkdir(parents=True, exist_ok=True)
            for number, wave in enumerate(waves, 1):
                write_wav(arguments.wavs / f"{number:02d}-{name}.wav", wave, rate)

    rows: list[dict[str, object]] = []
    for semitones in arguments.semitones:
        moved = voice.synthesize_ids(ids, pitch=semitones)
        keep(f"pitch{semitones:+g}", moved)
        shifts = frame_shifts(voice, plain, moved)
        frames = np.concatenate(shifts)
        known = frames[np.isfinite(frames)]
        each = [middle(one) for one in shifts]
        rows.append({
            "pitch asked": f"{semitones:+g}",
            "measured": f"{middle(frames):+.2f}",
            "error": f"{middle(frames) - semitones:+.2f}",
            "sentences": f"{min(each):+.2f} to {max(each):+.2f}",
            "10 % and 90 % of frames": "{:+.2f}, {:+.2f}".format(*np.quantile(known, [0.1, 0.9])) if len(known) else "",
            "thirds low, middle, high": ", ".join(f"{middle(part):+.2f}" for part in thirds(voice, ids, shifts)),
            "frames voiced in both": len(known),
            "same length": all(len(a) == len(b) for a, b in zip(plain, moved)),
        })  # fmt: skip
    print_table(rows)
    rows = []
    length, speech = (sum(map(of, plain)) for of in (len, lambda wave: speech_seconds(wave, rate)))
    for speed in arguments.speeds:
        changed = voice.synthesize_ids(ids, speed=speed)
        keep(f"speed{speed:g}", changed)
        rows.append({
            "speed asked": f"{speed:g}",
            "of the whole": f"{length / sum(map(len, changed)):.3f}",
            "of the speech, without ends": f"{speech / sum(speech_seconds(wave, rate) for wave in changed):.3f}",
            "median F0 shift, semitones": f"{median_shift(voice, plain, changed):+.2f}",
        })  # fmt: skip
    print_table(rows)


def median_shift(voice: Synthesizer, plain: list[np.ndarray], changed: list[np.ndarray]) -> float:
    """Semitones between the medians of F0 of two readings of other lengths."""
    preprocess = voice.config.preprocess
    f0 = extract_f0_batch([*plain, *changed], voice.sample_rate, voice.hop_size, preprocess.f0_min, preprocess.f0_max)
    before, after = (np.concatenate(part) for part in (f0[: len(plain)], f0[len(plain) :]))
    if not (before > 0).any() or not (after > 0).any():
        return float("nan")
    return float(12 * np.log2(np.median(after[after > 0]) / np.median(before[before > 0])))


if __name__ == "__main__":
    main()
