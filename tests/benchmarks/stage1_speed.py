"""Stage 1 from nothing and again: `python tests/benchmarks/stage1_speed.py FOLDER [WORKERS] [--set KEY=VALUE]`.

Runs bins/preprocess.py as a user does, everything included (start, imports, plots), into a temporary folder, then once
more with nothing changed; prints wall-clock and CPU time, and how many times real time that is, for a free core, too.
FOLDER is a corpus in LJSpeech's layout. The operating system
may have the recordings in memory: drop its caches before, where that matters.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from processors.corpus import ProcessedCorpus


def run(config: Path, overrides: list[str]) -> tuple[float, float]:
    """Wall-clock and CPU seconds of one run of stage 1, worker processes included."""
    before, start = os.times(), time.monotonic()
    command = [sys.executable, ROOT / "bins/preprocess.py", "--config", config]
    command += [f"--set={override}" for override in overrides]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after = os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return time.monotonic() - start, cpu


def main() -> None:
    """Measure a cold run and a repeated one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("workers", type=int, nargs="?", default=0, metavar="WORKERS", help="default: all cores")
    parser.add_argument("--set", dest="overrides", action="append", default=[], metavar="KEY=VALUE")
    arguments = parser.parse_args()
    folder, workers = arguments.folder.resolve(), arguments.workers
    with tempfile.TemporaryDirectory() as temporary:
        config = Path(temporary) / "config.json"
        content = {
            "base_config": "config/jets.json",
            "dataset": ["corpus"],
            "dataset_path": {"corpus": str(folder)},
            "preprocess": {"processed_dir": temporary, "num_workers": workers},
        }
        config.write_text(json.dumps(content))
        cold, again = (run(config, arguments.overrides) for _ in range(2))
        corpus = ProcessedCorpus.open(Path(temporary) / "corpus")
        seconds = int(corpus.frames.sum()) * corpus.hop_size / corpus.sample_rate
    print(f"{len(corpus)} utterances, {seconds / 60:.1f} min, {workers or 'all'} workers")
    for name, (wall, cpu) in {"from nothing": cold, "nothing to do": again}.items():
        print(
            f"{name:<15}{wall:>8.1f} s wall ({seconds / wall:.0f} x real time), {cpu:.1f} s CPU ({seconds / cpu:.0f} x)"
        )


if __name__ == "__main__":
    main()
