"""A tiny corpus to train on, and what two runs must share."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from models.base.checkpoints import best_names, checkpoint_folders, list_checkpoints, load_training
from models.registry import load_config
from tests.models.conftest import TINY, write_corpus
from utils.files import PROJECT_ROOT

CONFIG = PROJECT_ROOT / "config/jets.json"
FRAMES = [3, 12, 13, 15, 16, 18, 20, 21, 14, 16, 17]
SPLITS = ["train"] * 8 + ["valid"] * 2 + ["test"]
# Small enough for ten steps a second, with everything on that has a state.
SMALL = [
    *TINY,
    "preprocess.hop_size=64",
    "preprocess.win_size=256",
    "preprocess.n_fft=256",
    "model.generators.hifigan.upsample_rates=[4, 4, 4]",
    "model.generators.hifigan.upsample_kernel_sizes=[8, 8, 8]",
    "model.generators.istft.hop_size=64",
    "model.generators.istft.n_fft=256",
    "model.generators.hifigan_light.upsample_rates=[4, 4, 4]",
    "model.generators.hifigan_light.upsample_kernel_sizes=[8, 8, 8]",
    "train.batch_size=2",
    "train.ema_decay=0.9",
    "train.lr_warmup_steps=3",
    "train.log_interval=1",
    "train.valid_interval=3",
    "train.save_checkpoints_steps=2",
    "train.keep_last=2",
]


def tiny_overrides(folder: Path) -> list[str]:
    """Overrides of config/jets.json for the corpus of `tiny_corpus`."""
    return [
        *SMALL,
        'dataset=["tiny"]',
        f'dataset_path={{"tiny": "{folder}"}}',
        f"preprocess.processed_dir={folder / 'data'}",
        f"log_dir={folder / 'runs'}",
    ]


def tiny_corpus(folder: Path) -> list[str]:
    """Write a processed corpus of eleven utterances; the overrides to train on it."""
    overrides = tiny_overrides(folder)
    write_corpus(folder / "data" / "tiny", load_config(CONFIG, overrides).preprocess, FRAMES, SPLITS)
    return overrides


def curves(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """Every TensorBoard curve of an experiment but those of speed, as TensorBoard shows it."""
    events = EventAccumulator(str(folder / "tensorboard"), size_guidance={"scalars": 0})
    events.Reload()
    tags = [tag for tag in events.Tags()["scalars"] if not tag.startswith("speed/")]
    return {tag: [(event.step, event.value) for event in events.Scalars(tag)] for tag in tags}


def contents(folder: Path) -> dict[str, Any]:
    """Everything that a finished run leaves, except for times: weights, optimisers, random states, ranking."""
    found: dict[str, Any] = {"best": best_names(folder), "config": json.loads((folder / "config.json").read_text())}
    found["config"]["log_dir"] = None
    for checkpoint in list_checkpoints(folder):
        found[checkpoint.name] = {
            **{path.name: load_file(path) for path in sorted(checkpoint.path.glob("*.safetensors"))},
            "training": load_training(checkpoint.path),
            "metrics": checkpoint.metrics,
        }
    assert len(list_checkpoints(folder)) == len(checkpoint_folders(folder)), "a broken checkpoint is left"
    return found


def difference(one: Any, other: Any, at: str = "") -> str:
    """Where two trees of tensors and plain values differ; empty when they are the same bit by bit."""
    if isinstance(one, dict) and isinstance(other, dict):
        if one.keys() != other.keys():
            return f"{at}: keys {sorted(one.keys() ^ other.keys())}"
        return next(filter(None, (difference(one[key], other[key], f"{at}/{key}") for key in one)), "")
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        if len(one) != len(other):
            return f"{at}: {len(one)} and {len(other)} entries"
        pairs = enumerate(zip(one, other))
        return next(filter(None, (difference(a, b, f"{at}/{number}") for number, (a, b) in pairs)), "")
    if isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor):
        return "" if one.dtype == other.dtype and torch.equal(one, other) else f"{at}: tensors differ"
    return "" if one == other else f"{at}: {one!r} and {other!r}"


def leftovers(folder: Path) -> list[str]:
    """Files and folders below `folder` that a killed process did not finish."""
    marks = (".writing-", ".deleting-", ".new", ".old", ".work", ".tmp")
    return sorted(
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.name.startswith(marks[:2]) or path.name.startswith(".") and path.name.endswith(marks[2:])
        or path.name.endswith(".tmp")
    )  # fmt: skip
