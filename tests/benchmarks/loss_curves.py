"""Do the fast paths learn what the plain one learns? Trains each variant with each seed and lays the curves over.

    python tests/benchmarks/loss_curves.py --config my.json --variants eager-fp32 graphs-bf16 --seeds 1 2 \\
        --steps 3000 --out curves --gpus 0 1

Needs the config's processed corpora (stage 1). A run that --out holds already is read up to --steps, not made again,
or gone on with where it is shorter. Writes curves.png and table.md into --out and prints the table: for each loss the
mean over the last tenth of the run, how far the variants' means lie apart, and how far seeds of one variant do.
Variants agree where the former is within the latter's range.
"""

from __future__ import annotations

import argparse
import itertools
import math
import os
import queue
import statistics
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
sys.path.insert(0, str(ROOT / "tests" / "benchmarks"))

from train_step import VARIANTS  # noqa: E402

from config.schema import config_to_dict  # noqa: E402
from models.base.experiment import CONFIG, changed_keys  # noqa: E402
from models.registry import load_config  # noqa: E402
from utils.errors import UserError, one_line  # noqa: E402
from utils.files import read_json  # noqa: E402

LOSSES = ("mel", "forward_sum", "binarisation", "duration", "pitch", "energy", "feature_matching", "adversarial")

Curve = tuple[list[int], list[float]]


def settings(variant: str, seed: int, steps: int, out: Path, extra: list[str]) -> list[str]:
    """Overrides of the config that make it one of the runs."""
    return [
        f"log_dir={out}", f"train.random_seed={seed}", "train.steps_per_epoch=1000",
        f"train.max_epoch={-(-steps // 1000)}", "train.valid_samples=1", f"train.valid_interval={steps}",
        "train.save_checkpoints_steps=1000", *VARIANTS[variant], *extra,
    ]  # fmt: skip


def check_earlier_run(config: str, overrides: list[str], folder: Path) -> None:
    """Raise UserError when a run that the folder holds already learnt with other settings than these."""
    wanted = load_config(config, overrides)
    if not (folder / CONFIG).is_file() and not any(read_curves(folder)["mel"]):
        return
    try:
        before = read_json(folder / CONFIG)
        changes = changed_keys(before, config_to_dict(wanted))
    except (OSError, ValueError, AttributeError) as error:
        raise UserError(f"{folder / CONFIG} cannot be read ({one_line(error)}): remove {folder}") from error
    # How long a run is does not change its first steps, unless it cools down towards the end.
    free = {"train.valid_interval", "train.save_checkpoints_steps"}
    free |= set() if wanted.train.lr_cooldown_steps else {"train.max_epoch"}
    other = [
        f"{key} was {old!r}, now {new!r}" for key, (old, new) in changes.items()
        if key.startswith(("train.", "model.")) and key not in free
    ]  # fmt: skip
    if other:
        details = "; ".join(other[:5])
        raise UserError(f"{folder} holds a run with other settings ({details}): remove it, or give another --out")


def train(config: str, overrides: list[str], folder: Path, steps: int, gpus: queue.Queue[str]) -> None:
    """Run one training as a user would, on the next free GPU, or its rest. Raises when it fails."""
    if max(read_curves(folder)["mel"][0], default=0) >= steps:
        return
    command = [sys.executable, str(ROOT / "bins/train.py"), "--config", config, "--name", folder.name]
    command += ["--resume"] if folder.is_dir() else []
    command += [argument for override in overrides for argument in ("--set", override)]
    gpu = gpus.get()
    try:
        with folder.with_name(f"{folder.name}.log").open("a") as log:
            environment = os.environ | {"OMP_NUM_THREADS": "2", "CUDA_VISIBLE_DEVICES": gpu}
            subprocess.run(command, check=True, stdout=log, stderr=subprocess.STDOUT, env=environment)
    finally:
        gpus.put(gpu)


def read_curves(expt_dir: Path, steps: float = math.inf) -> dict[str, Curve]:
    """Training curve of each loss over the first steps; empty where there is none."""
    curves: dict[str, Curve] = {name: ([], []) for name in LOSSES}
    if not (expt_dir / "tensorboard").is_dir():
        return curves
    events = EventAccumulator(str(expt_dir / "tensorboard"), size_guidance={"scalars": 0})
    events.Reload()
    for name in LOSSES:
        if (tag := f"train/generator/{name}") in events.Tags()["scalars"]:
            points = [point for point in events.Scalars(tag) if point.step <= steps]
            curves[name] = ([p.step for p in points], [p.value for p in points])
    return curves


def all_curves(folder: Path, steps: int) -> dict[str, Curve]:
    """Training curve of every loss; UserError where one is missing."""
    curves = read_curves(folder, steps)
    missing = [name for name, (at, _) in curves.items() if not at]
    if missing:
        raise UserError(f"{folder} has no curve of {', '.join(missing)}: this script is for models with these losses")
    return curves


def final_value(curve: Curve) -> float:
    """Mean over the last tenth of the steps."""
    steps, values = curve
    return statistics.fmean(v for s, v in zip(steps, values) if s > 0.9 * steps[-1])


def table(runs: dict[tuple[str, int], dict[str, Curve]], variants: list[str], seeds: list[int]) -> str:
    """Markdown: losses at the end, difference of variants, difference of seeds."""
    lines = ["| loss | " + " | ".join(f"{v}, seed {s}" for v in variants for s in seeds) + " | variants | seeds |"]
    lines.append("| --- " * (len(variants) * len(seeds) + 3) + "|")
    for loss in LOSSES:
        finals = {key: final_value(curves[loss]) for key, curves in runs.items()}
        means = [statistics.fmean(finals[v, s] for s in seeds) for v in variants]
        pairs = [(finals[v, a], finals[v, b]) for v in variants for a, b in itertools.combinations(seeds, 2)]
        among_seeds = max((abs(a - b) for a, b in pairs), default=0.0)
        cells = [f"{finals[v, s]:.4f}" for v in variants for s in seeds]
        lines.append(f"| {loss} | {' | '.join(cells)} | {max(means) - min(means):.4f} | {among_seeds:.4f} |")
    return "\n".join(lines)


def plot(runs: dict[tuple[str, int], dict[str, Curve]], variants: list[str], path: Path) -> None:
    """All curves of each loss in one panel, a colour for each variant."""
    figure, axes = plt.subplots(2, 4, figsize=(18, 8), constrained_layout=True)
    for axis, loss in zip(axes.flat, LOSSES):
        for (variant, seed), curves in runs.items():
            axis.plot(*curves[loss], color=f"C{variants.index(variant)}", alpha=0.7, linewidth=0.9,
                      label=f"{variant}, seed {seed}")  # fmt: skip
        axis.set_title(loss)
        axis.set_xlabel("step")
        axis.set_yscale("log")
    axes.flat[0].legend(fontsize=7)
    figure.savefig(path, dpi=90)


def main() -> int:
    """Train, read, plot, print; exit status 0, or 2 for what the user can mend."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", required=True)
    parser.add_argument("--variants", nargs="+", default=["eager-fp32", "graphs-bf16-nhwc"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--steps", type=int, default=3000, help="a multiple of 1,000")
    parser.add_argument("--out", type=Path, default=Path("loss_curves"))
    parser.add_argument("--gpus", nargs="+", default=["0"], help="one training at a time on each; a GPU may come twice")
    parser.add_argument("--set", dest="overrides", action="append", default=[], metavar="KEY=VALUE")
    arguments = parser.parse_args()
    out = arguments.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    keys = list(itertools.product(arguments.variants, arguments.seeds))
    gpus: queue.Queue[str] = queue.Queue()
    for gpu in arguments.gpus:
        gpus.put(gpu)
    folders = [out / f"{variant}-seed{seed}" for variant, seed in keys]
    overrides = [settings(*key, arguments.steps, out, arguments.overrides) for key in keys]
    try:
        for given, folder in zip(overrides, folders):  # all of them, before hours of training
            check_earlier_run(arguments.config, given, folder)
        with ThreadPoolExecutor(len(arguments.gpus)) as pool:
            jobs = zip(overrides, folders)
            list(pool.map(lambda job: train(arguments.config, *job, arguments.steps, gpus), jobs))
        runs = {key: all_curves(folder, arguments.steps) for key, folder in zip(keys, folders)}
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    plot(runs, arguments.variants, out / "curves.png")
    text = table(runs, arguments.variants, arguments.seeds)
    (out / "table.md").write_text(text + "\n")
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
