"""Do the fast paths learn what the plain one learns? Trains each variant with each seed and lays the curves over.

    python tests/benchmarks/loss_curves.py --config my.json --variants eager-fp32 graphs-bf16 --seeds 1 2 \\
        --steps 3000 --out curves --gpus 0 1

Needs the config's processed corpora (stage 1). A run that --out holds already is read, not made again. Writes
curves.png and table.md into --out and prints the table: for each loss the mean over the last tenth of the run, how far
the variants' means lie apart, and how far seeds of one variant do. Variants agree where the former is within the
latter's range.
"""

from __future__ import annotations

import argparse
import itertools
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

LOSSES = ("mel", "forward_sum", "binarisation", "duration", "pitch", "energy", "feature_matching", "adversarial")

Curve = tuple[list[int], list[float]]


def train(
    config: str, variant: str, seed: int, steps: int, out: Path, extra: list[str], gpus: queue.Queue[str]
) -> Path:
    """Run one training as a user would, on the next free GPU; its experiment folder. Raises when it fails."""
    name = f"{variant}-seed{seed}"
    if (out / name).is_dir() and max(read_curves(out / name)["mel"][0], default=0) >= steps:
        return out / name
    overrides = [
        f"log_dir={out}", f"train.random_seed={seed}", "train.steps_per_epoch=1000",
        f"train.max_epoch={-(-steps // 1000)}", "train.valid_samples=1", f"train.valid_interval={steps}",
        f"train.save_checkpoints_steps={steps}", *VARIANTS[variant], *extra,
    ]  # fmt: skip
    command = [sys.executable, str(ROOT / "bins/train.py"), "--config", config, "--name", name]
    command += [argument for override in overrides for argument in ("--set", override)]
    gpu = gpus.get()
    try:
        with (out / f"{name}.log").open("w") as log:
            environment = os.environ | {"OMP_NUM_THREADS": "2", "CUDA_VISIBLE_DEVICES": gpu}
            subprocess.run(command, check=True, stdout=log, stderr=subprocess.STDOUT, env=environment)
    finally:
        gpus.put(gpu)
    return out / name


def read_curves(expt_dir: Path) -> dict[str, Curve]:
    """Training curve of each loss."""
    events = EventAccumulator(str(expt_dir / "tensorboard"), size_guidance={"scalars": 0})
    events.Reload()
    curves = {}
    for name in LOSSES:
        points = events.Scalars(f"train/generator/{name}")
        curves[name] = ([p.step for p in points], [p.value for p in points])
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


def main() -> None:
    """Train, read, plot, print."""
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
    with ThreadPoolExecutor(len(arguments.gpus)) as pool:
        folders = list(
            pool.map(lambda key: train(arguments.config, *key, arguments.steps, out, arguments.overrides, gpus), keys)
        )
    runs = {key: read_curves(folder) for key, folder in zip(keys, folders)}
    plot(runs, arguments.variants, out / "curves.png")
    text = table(runs, arguments.variants, arguments.seeds)
    (out / "table.md").write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
