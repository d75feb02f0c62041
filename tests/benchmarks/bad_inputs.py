"""What a user sees after each of many mistakes: a Markdown table of real runs of run.sh, made anew.

    python tests/benchmarks/bad_inputs.py

Each row is a command in a folder of its own; the message is what it printed on standard error (for skipped recordings,
the reason in stage 1's report).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile

ROOT = Path(__file__).resolve().parents[2]
RUN = ROOT / "egs/tts/Jets/run.sh"
RATE = 22050


def speech(seconds: float = 1.5, level: float = 0.2) -> np.ndarray:
    """A buzz that passes for speech: mono samples."""
    t = np.arange(int(seconds * RATE)) / RATE
    return level * np.sign(np.sin(2 * np.pi * 150 * t)) * (0.6 + 0.4 * np.sin(2 * np.pi * 3 * t))


def corpus(folder: Path, lines: list[str] | None = None) -> Path:
    """A folder in LJSpeech's layout with four good recordings."""
    (folder / "wavs").mkdir(parents=True)
    names = ["a", "b", "c", "d"]
    for name in names:
        soundfile.write(folder / f"wavs/{name}.wav", speech(), RATE)
    lines = lines or [f"{name}|Good morning to you." for name in names]
    (folder / "metadata.csv").write_text("\n".join(lines) + "\n")
    return folder


def flag_cases(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """Mistakes in flags."""
    yield "unknown flag", ["--stage", "1", "--nmae", "x"]
    yield "flag without its value", ["--stage"]
    yield "no such stage", ["--stage", "7"]
    yield "training without a name", ["--stage", "2"]
    yield "single mode without a text", ["--stage", "3", "--infer_mode", "single", "--infer_expt_dir", "x"]
    yield "unknown mode", ["--stage", "3", "--infer_mode", "quick", "--infer_expt_dir", "x"]
    yield "unknown split", ["--stage", "3", "--infer_testing_set", "tests", "--infer_expt_dir", str(folder)]
    yield "no such experiment", ["--stage", "3", "--infer_expt_dir", "ckpts/none", "--infer_text", "Hello."]
    yield "folder that is no experiment", ["--stage", "3", "--infer_expt_dir", str(folder), "--infer_text", "Hello."]
    yield "speed that is no number", ["--stage", "3", "--infer_expt_dir", str(folder), "--infer_speed", "fast",
                                      "--infer_text", "Hello."]  # fmt: skip
    yield "more GPUs than there are", ["--stage", "2", "--name", "x", "--gpu", "0,1,2,3,4,5,6,7,8"]


def config_cases(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """Mistakes in configs."""

    def config(text: str) -> list[str]:
        path = folder / f"{abs(hash(text))}.json"
        path.write_text(text)
        return ["--stage", "1", "--config", str(path)]

    yield "no such config", ["--stage", "1", "--config", "none.json"]
    yield "config that is no JSON5", config('{"base_config": "config/jets.json", "train": {')
    yield "unknown key", config('{"base_config": "config/jets.json", "train": {"batchsize": 8}}')
    yield "wrong type", config('{"base_config": "config/jets.json", "train": {"batch_size": "many"}}')
    yield "value out of its limits", config('{"base_config": "config/jets.json", "train": {"batch_size": 0}}')
    yield "no such base config", config('{"base_config": "config/jet.json"}')
    yield "unknown model type", config('{"base_config": "config/jets.json", "model_type": "Vits"}')
    rates = '"model": {"generators": {"hifigan": {"upsample_rates": [8, 8, 2, 4]}}}'
    yield "rates that do not make the hop size", config('{"base_config": "config/jets.json", ' + rates + "}")
    short = '{"train": {"segment_size": 2}, "base_config": "config/jets.json"}'
    yield "segment shorter than a spectrum", config(short)
    yield "--set without a value", ["--stage", "1", "--set", "train.batch_size"]
    yield "--set of an unknown key", ["--stage", "1", "--set", "train.bath_size=4"]
    yield "corpus without a path", ["--stage", "1", "--set", 'dataset=["mine"]']


def corpus_cases(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """Mistakes in corpora."""

    def stage1(path: Path) -> list[str]:
        paths = json.dumps({"mine": str(path)})
        data = f"preprocess.processed_dir={folder / 'data' / path.name}"
        return ["--stage", "1", "--set", 'dataset=["mine"]', "--set", f"dataset_path={paths}", "--set", data]

    yield "no such corpus", stage1(folder / "nowhere")
    (folder / "empty").mkdir()
    yield "folder without metadata.csv", stage1(folder / "empty")
    yield "empty metadata", stage1(corpus(folder / "nothing", [""]))
    yield "identifier that leaves the folder", stage1(corpus(folder / "escape", ["../../etc/x|Good morning."]))
    bad = corpus(folder / "bad", [
        *(f"{name}|Good morning to you." for name in "abcd"), "a|Twice.", "gone|Not there.", "empty|",
        "short|Hi.", "silent|Nothing to hear here.", "clipped|Too loud by far.", "broken|No sound file.",
        f"much|{'far too many words ' * 20}", "signs|@@@ ### %%%", "nan|Not numbers.",
    ])  # fmt: skip
    wavs = bad / "wavs"
    for name in ("empty", "much", "signs"):
        soundfile.write(wavs / f"{name}.wav", speech(), RATE)
    soundfile.write(wavs / "short.wav", speech(0.1), RATE)
    soundfile.write(wavs / "silent.wav", 1e-5 * speech(), RATE)
    soundfile.write(wavs / "clipped.wav", np.clip(20 * speech(), -1, 1), RATE)
    soundfile.write(wavs / "nan.wav", np.full(RATE, np.nan), RATE, subtype="FLOAT")
    (wavs / "broken.wav").write_text("this is no sound")
    yield "REPORT", stage1(bad)
    yield "training without features", ["--stage", "2", "--name", "x", "--gpu", "cpu", "--set",
                                        f"preprocess.processed_dir={folder / 'none'}"]  # fmt: skip


def main() -> None:
    """Run all cases and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for cases in (flag_cases, config_cases, corpus_cases):
            for label, arguments in cases(folder):
                command = ["sh", str(RUN), *arguments]
                done = subprocess.run(command, capture_output=True, text=True, cwd=folder, stdin=subprocess.DEVNULL)
                if label == "REPORT":
                    skipped = (folder / "data/bad/mine/skipped.jsonl").read_text().splitlines()
                    rows += [(f"recording `{row['id']}`", 0, row["reason"]) for row in map(json.loads, skipped)]
                    continue
                said = [line for line in done.stderr.splitlines() if line.startswith("error")]
                rows.append((label, done.returncode, " / ".join(said) or done.stderr.strip()[-200:]))
        print("| mistake | status | message |\n| --- | --- | --- |")
        for label, status, text in rows:
            text = text.replace(str(folder), "<folder>").replace(str(ROOT), "<project>").replace("|", "\\|")
            print(f"| {label} | {status} | {text} |")
    print(f"\n{len(rows)} cases", file=sys.stderr)


if __name__ == "__main__":
    main()
