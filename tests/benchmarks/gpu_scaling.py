"""How much faster several GPUs train than one, each with batches of the same size (weak scaling).

    python tests/benchmarks/gpu_scaling.py --config my.json --gpus 0 0,1 [--steps 600] [--out scaling]

Runs stage 2 as a user would, once for each list of GPUs, on the config's processed corpora (stage 1). Prints the
median steps a second over the second half of each run, utterances a second, and what they are of the first row's.
The logs stay in --out, numbered as the rows are.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from models.registry import load_config  # noqa: E402
from utils.errors import UserError  # noqa: E402


def train(config: str, name: str, gpus: str, steps: int, out: Path, overrides: list[str]) -> float:
    """Steps a second of one training. Raises SystemExit with the end of its log when it fails."""
    settings = [
        f"log_dir={out}", "train.max_epoch=1", f"train.steps_per_epoch={steps}", "train.log_interval=50",
        f"train.valid_interval={steps}", f"train.save_checkpoints_steps={steps}", "train.valid_samples=1", *overrides,
    ]  # fmt: skip
    command = [sys.executable, str(ROOT / "bins/train.py")]
    command += ["--config", config, "--name", name, *(word for text in settings for word in ("--set", text))]
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": gpus}
    output = out / f"{name}.log"
    with output.open("w") as log:
        done = subprocess.run(command, env=environment, stdout=log, stderr=subprocess.STDOUT)
    if done.returncode:
        raise SystemExit(f"training on {gpus} failed:\n{output.read_text()[-4000:]}")
    events = EventAccumulator(str(out / name / "tensorboard"))
    events.Reload()
    speeds = [event.value for event in events.Scalars("speed/steps_per_second") if event.step > steps // 2]
    return statistics.median(speeds)


def main() -> int:
    """Print a row for each list of GPUs; exit status 0, or 2 for what the user can mend."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", required=True)
    parser.add_argument("--gpus", nargs="+", default=["0", "0,1"])
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--out", type=Path, default=Path("gpu_scaling"), help="a new folder for logs and experiments")
    parser.add_argument("--set", dest="overrides", action="append", default=[], metavar="KEY=VALUE")
    args = parser.parse_args()
    out = args.out.resolve()
    try:
        size = load_config(Path(args.config), args.overrides).train.batch_size
        out.mkdir(parents=True)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except FileExistsError:
        print(f"error: --out {args.out} exists already: give a new folder, or remove this one", file=sys.stderr)
        return 2
    print("| GPUs | steps/s | utterances/s | times the first |\n| --- | --- | --- | --- |")
    first = None
    for number, gpus in enumerate(args.gpus, 1):
        name = f"{number}-gpus-{gpus.replace(',', '-')}"
        speed = train(args.config, name, gpus, args.steps, out, args.overrides)
        rate = speed * size * len(gpus.split(","))
        first = first or rate
        print(f"| {gpus} | {speed:.2f} | {rate:.0f} | {rate / first:.2f} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
