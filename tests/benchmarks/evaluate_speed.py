"""Seconds that a report takes, for utterances of a voice that this script makes: every measure but the recogniser's.

usage: python tests/benchmarks/evaluate_speed.py [--count 100] [--seconds 3] [--set KEY=VALUE ...]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np

from models.evaluation.judge import evaluate
from models.evaluation.report import AlignmentRecord, Item, Report
from models.evaluation.stage import write_report
from models.registry import load_config
from processors.audio.wav import write_wav
from utils.files import PROJECT_ROOT

RATE, HOP = 22050, 256


def speech(seconds: float, seed: int) -> np.ndarray:
    """Syllables of a gliding voice in a little noise (N,)."""
    generator = np.random.default_rng(seed)
    instants = np.arange(int(seconds * RATE)) / RATE
    phase = 2 * np.pi * np.cumsum(170 * 2 ** (0.3 * np.sin(2 * instants + seed))) / RATE
    voice = sum(np.sin(n * phase) / n for n in range(1, 20)) * np.clip(np.sin(12 * instants + seed), 0, 1)
    return (0.07 * voice + 0.001 * generator.standard_normal(len(instants))).astype(np.float32)


def make_items(folder: Path, count: int, seconds: float) -> list[Item]:
    """Utterances with recording, synthesis, copy synthesis and an alignment."""
    items = []
    for number in range(count):
        files = [folder / f"{kind}{number}.wav" for kind in ("synthesis", "recording", "copy")]
        for file, seed in zip(files, (2 * number, 2 * number + 1, 2 * number + 1)):
            write_wav(file, speech(seconds, seed), RATE)
        frames, tokens = int(seconds * RATE) // HOP, max(2, int(11 * seconds))
        path = np.arange(frames) * tokens // frames
        scores = np.random.default_rng(number).normal(size=(frames, tokens)) + 5 * np.eye(tokens)[path]
        log_p_attn = scores - np.log(np.exp(scores).sum(1, keepdims=True))
        alignment = AlignmentRecord(("AH0",) * tokens, np.bincount(path), log_p_attn, path)
        items.append(Item(f"u{number}", "A text of about the usual length.", *files, alignment=alignment))
    return items


def timed(name: str, work: Callable[[], object]) -> object:
    """Run `work`; print its seconds on the wall and on the processor."""
    wall, processor = time.perf_counter(), time.process_time()
    result = work()
    print(f"{name}: {time.perf_counter() - wall:.1f} s, {time.process_time() - processor:.1f} s of processor time")
    return result


def main() -> None:
    """Time `evaluate` and the writing of the report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=100, help="utterances")
    parser.add_argument("--seconds", type=float, default=3.0, help="length of each")
    parser.add_argument("--set", action="append", default=[], dest="overrides", metavar="KEY=VALUE", help="override")
    args = parser.parse_args()
    config = load_config(PROJECT_ROOT / "config/jets.json", ["evaluate.asr_model=null", *args.overrides])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        items = make_items(folder, args.count, args.seconds)
        report = Report("benchmark")
        media = timed("measures", lambda: evaluate(items, config, report, folder))
        timed("report files", lambda: write_report(report, media, config, folder, []))
        print(f"report.html: {(folder / 'report.html').stat().st_size / 2**20:.1f} MiB")


if __name__ == "__main__":
    main()
