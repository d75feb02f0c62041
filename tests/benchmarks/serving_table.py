"""What a voice without torch promises, in one run: start, first sound, many clients, the same of piper-tts, and times.

usage: python tests/benchmarks/serving_table.py [--seconds 120] [--piper PYTHON] [--install] [--json FILE]
    --piper as in serving_load.py; --install measures a fresh environment, which needs a package index
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.benchmarks.serving_load import RATE, TEXTS, TWELVE_WORDS, ask, load, memory, servers, started

TIMED = (
    "Good morning, everyone, and welcome back.",
    "The lamp by the window hums, the evening grows cold, and nobody speaks.",
    "It costs $5, or $7 with a hat; children, however, pay nothing.",
    "First we measured the bridge, then we wrote down the numbers, and then it fell.",
    "Several boxes, all of them large, were shipped to the wrong address.",
    "On Thursday the weather turned, rain fell for hours, and the street was empty.",
    "Yes, of course, but not before ten.",
    "My uncle, who was a sailor, keeps a pair of oars above the fireplace.",
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=120.0, help="of eight clients (default: 120)")
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--piper", metavar="PYTHON")
    parser.add_argument("--install", action="store_true")
    parser.add_argument("--json", type=Path, help="file for all figures")
    args = parser.parse_args()
    told = {"machine": f"{os.cpu_count()} cores, {platform.machine()}", "load_before": os.getloadavg()}
    table: dict[str, object] = {**told, "start_s": spread([start() for _ in range(args.repeats)])}
    print(json.dumps(table), flush=True)
    for name, command, port, path in servers(args.piper):
        with started(command, port) as process:
            asyncio.run(ask(port, path, TEXTS[TWELVE_WORDS]))
            first = [asyncio.run(ask(port, path, TEXTS[TWELVE_WORDS]))[0] for _ in range(args.repeats)]
            table[f"{name}_first_s"] = spread(first)
            table[f"{name}_8_clients"] = asyncio.run(load(port, path, 8, args.seconds, process.pid))
            table[f"{name}_mb"] = round(memory(process.pid))
        print(json.dumps(table), flush=True)
    table["timestamps_ms"] = spread([1000 * error for error in edge_errors()])
    if args.install:
        table["install_mb"] = installed()
    table["load_behind"] = os.getloadavg()
    print(json.dumps(table, indent=1))
    if args.json:
        args.json.write_text(json.dumps(table, indent=1) + "\n")
    return 0


def start() -> float:
    """Seconds from a shell's prompt to the first sample of a sentence of 12 words in a file."""
    with tempfile.TemporaryFile() as out:
        began = time.perf_counter()
        command = [sys.executable, "-m", "jets", "say", TEXTS[TWELVE_WORDS], "--stream"]
        process = subprocess.Popen(command, cwd=ROOT, stdout=out)
        while os.fstat(out.fileno()).st_size == 0 and process.poll() is None:
            time.sleep(0.002)
        spent = time.perf_counter() - began
        if process.wait() != 0:
            raise SystemExit("jets say failed")
        return spent


def edge_errors() -> Iterator[float]:
    """Seconds between where a word begins or ends beside a pause, as is told, and where samples get loud or quiet."""
    from jets import Voice  # type: ignore[attr-defined]

    voice = Voice()
    for text in TIMED:
        wave, timeline = voice.timed(text)
        size = round(0.01 * RATE)
        window = np.hanning(size) / np.hanning(size).sum()
        level = 10 * np.log10(np.convolve(np.square(wave), window, "same") + 1e-12)
        loud = level > np.percentile(level, 90) - 30
        edges = np.flatnonzero(np.diff(loud.astype(np.int8), prepend=0, append=0)) / RATE
        begins, ends = edges[::2], edges[1::2]
        # Silences of at least 50 ms.
        pauses = np.flatnonzero(begins[1:] - ends[:-1] > 0.05)
        words = timeline.words
        starts, stops = begins[[0, *(pauses + 1)]], ends[[*pauses, -1]]
        for heard, told in ((starts, [word.start for word in words]), (stops, [word.end for word in words])):
            for time_heard in heard:
                nearest = min(abs(time_heard - one) for one in told)
                # Within a word there are silences, too: those before a stop.
                if nearest < 0.2:
                    yield nearest


def installed() -> float:
    """MB of what the runtime brings into an environment of its own."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        (packages,) = Path(folder).glob("lib/python*/site-packages")
        before, source = size_of(packages), f"{folder}/source"
        subprocess.run(["git", "clone", "-q", "--depth=1", f"file://{ROOT}", source], check=True)  # pip leaves traces
        pip = [f"{folder}/bin/pip", "install", "-q", "--disable-pip-version-check", "--no-compile", source]
        subprocess.run(pip, check=True)
        return round(size_of(packages) - before, 1)


def size_of(folder: Path) -> float:
    """MB of a folder's files."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


def spread(values: list[float]) -> dict[str, float]:
    """Median, largest and number."""
    return {"median": round(statistics.median(values), 4), "largest": round(max(values), 4), "count": len(values)}


if __name__ == "__main__":
    sys.exit(main())
