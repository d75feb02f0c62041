"""Host memory over a long training: it must stay flat.

    python tests/benchmarks/training_memory.py [--steps 20000] [--every 1000] [--device_corpus]

A tiny network on a tiny corpus, on the CPU, with everything on that might keep something: averaged weights, a line and
curves every 10 steps, and every 1,000 steps validation with pictures and sounds, and a checkpoint. Utterances are read
from the packed files by a thread, or with `--device_corpus` once at the start. Resident memory is read every 1,000
steps; the growth is told from the second reading on, because caches fill in the first.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).resolve().parent)]
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import torch  # noqa: E402

from models.base.experiment import Experiment  # noqa: E402
from models.registry import load_experiment_config  # noqa: E402
from models.tts.jets.trainer import Trainer  # noqa: E402
from tests.faults.stages import FIXTURE  # noqa: E402


def memory_megabytes(kind: str) -> float:
    """A figure of /proc/self/status in MB: VmRSS, or RssAnon, which leaves out mapped files."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(f"{kind}:")) / 1024


class Watched(Trainer):
    """Tells memory every so many steps."""

    every = 1000

    def _check_steps(self) -> None:
        super()._check_steps()
        if self.step % self.every == 0 and self.step > readings[-1][0]:
            resident, own = memory_megabytes("VmRSS"), memory_megabytes("RssAnon")
            readings.append((self.step, resident))
            print(
                f"| {self.step} | {resident:.1f} | {own:.1f} | {len(gc.get_objects())} | {threading.active_count()} | "
                f"{len(os.listdir('/proc/self/fd'))} | {time.monotonic() - started:.0f} |",
                flush=True,
            )


readings: list[tuple[int, float]] = [(0, memory_megabytes("VmRSS"))]
started = time.monotonic()


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=20_000)
    parser.add_argument("--every", type=int, default=1000, help="steps between two readings")
    parser.add_argument("--device_corpus", action="store_true", help="corpus on the device instead of on the disk")
    arguments = parser.parse_args()
    Watched.every = arguments.every
    torch.backends.mkldnn.enabled = False  # its set-up of a call takes longer than such small convolutions
    with tempfile.TemporaryDirectory() as folder:
        overrides = [
            f"log_dir={folder}",
            f"preprocess.processed_dir={FIXTURE / 'data'}",
            "evaluate.during_training=false",
            f"train.corpus_on_device={'always' if arguments.device_corpus else 'never'}",
            f"train.steps_per_epoch={arguments.steps // 10}",
            "train.max_epoch=10",
            "train.log_interval=10",
            "train.valid_interval=1000",
            "train.valid_samples=2",
            "train.save_checkpoints_steps=1000",
        ]
        config = load_experiment_config(FIXTURE / "voice", overrides)
        print("| step | resident MB | of that not files | Python objects | threads | open files | seconds |")
        print("| --- | --- | --- | --- | --- | --- | --- |", flush=True)
        Watched(config, Experiment.named("memory", config)).run()
    steps = [step for step, _ in readings[2:]]
    values = [resident for _, resident in readings[2:]]
    if len(values) > 1:
        middle, mean = sum(steps) / len(steps), sum(values) / len(values)
        spread = sum((step - middle) ** 2 for step in steps)
        slope = sum((step - middle) * (value - mean) for step, value in zip(steps, values)) / spread
        print(f"growth from step {steps[0]} to {steps[-1]}: {values[-1] - values[0]:+.1f} MB, ", end="")
        print(f"fitted {1000 * slope:+.2f} MB for 1,000 steps")


if __name__ == "__main__":
    main()
