"""What a training leaves, to compare one with another."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from models.base.checkpoints import Checkpoint, load_training


def events(folder: Path) -> EventAccumulator:
    """TensorBoard's reading of an experiment, with every point."""
    found = EventAccumulator(str(folder / "tensorboard"), size_guidance={"scalars": 0})
    found.Reload()
    return found


def curves(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """Every curve but those of speed, as TensorBoard shows them."""
    found = events(folder)
    tags = [tag for tag in found.Tags()["scalars"] if not tag.startswith("speed/")]
    return {tag: [(event.step, event.value) for event in found.Scalars(tag)] for tag in tags}


def state(checkpoint: Checkpoint) -> tuple[Any, ...]:
    """All that a checkpoint holds: weights, optimisers, random states, metrics."""
    weights = {path.name: path.read_bytes() for path in checkpoint.path.glob("*.safetensors")}
    return checkpoint.step, weights, _comparable(load_training(checkpoint.path)), checkpoint.metrics


def _comparable(tree: Any) -> Any:
    """A tree of plain values and tensors with a digest for each tensor."""
    if isinstance(tree, dict):
        return {key: _comparable(value) for key, value in tree.items()}
    if isinstance(tree, (list, tuple)):
        return [_comparable(value) for value in tree]
    if isinstance(tree, torch.Tensor):
        return tree.dtype, tree.shape, hashlib.sha256(tree.numpy().tobytes()).hexdigest()
    return tree
