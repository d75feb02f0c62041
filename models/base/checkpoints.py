"""Checkpoints as folders that are complete or absent, without pickle: write, find, rank and delete them.

`<experiment>/checkpoints/step_00001000/` holds one safetensors file for each network (and the averaged weights),
training.pt (optimisers, random states, positions; loadable with weights_only) and state.json with step, metrics and
size and checksum of every other file, and of the token table that the weights go with. A packed voice has the network
that speaks, small, and no training.pt.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import zlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from pydantic import BaseModel, Field, FiniteFloat
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from models.base.compact import expand
from utils.errors import UserError, disk_message, one_line
from utils.files import (
    fsync_directory,
    read_json,
    regular,
    remedy,
    remove_leftovers,
    write_bytes,
    write_json,
)

FORMAT_VERSION = 1
FOLDER, STATE, TRAINING, BEST = "checkpoints", "state.json", "training.pt", "best.json"
NETWORK, AVERAGE = "network", "ema"
_NAME = re.compile(r"step_(\d{8,})")
# Folders under these names are being written or deleted, and never read.
_WRITING, _DELETING = ".writing-", ".deleting-"

log = logging.getLogger(__name__)


class BrokenCheckpoint(UserError):
    """A checkpoint whose files are missing, shortened or unreadable."""


Count = Annotated[int, Field(ge=0, lt=2**63)]


class State(BaseModel, strict=True):
    """state.json; `beside` are checksums of files that lie beside the checkpoints. Older ones know no checksums."""

    format_version: Count
    step: Count
    metrics: dict[str, FiniteFloat]
    files: dict[str, Count]  # sizes
    crc32: dict[str, Count] = {}
    beside: dict[str, Count] = {}
    complete: Literal[True]


@dataclass(frozen=True)
class Checkpoint:
    """One complete checkpoint folder."""

    path: Path
    step: int
    metrics: dict[str, float]

    @property
    def name(self) -> str:
        """The folder's name, as `inference.checkpoint` takes it."""
        return self.path.name


def save_checkpoint(
    expt_dir: Path,
    step: int,
    networks: Mapping[str, Mapping[str, Tensor]],
    training: dict[str, Any] | None,
    metrics: dict[str, float],
    beside: Mapping[str, int] | None = None,
) -> Checkpoint:
    """Write a checkpoint: afterwards it is there completely, or, whatever happened, not at all.

    `networks` are state dicts by file name, `training` goes to training.pt (None: there is none), and `beside` are
    checksums of files that lie beside the checkpoints. Raises UserError when the disk is full or not writable; older
    checkpoints are untouched.
    """
    parent = expt_dir / FOLDER
    final = parent / f"step_{step:08d}"
    temporary = parent / f"{_WRITING}{final.name}"
    try:
        parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir()
        for name, tensors in networks.items():
            # A copy each: parameters that share one buffer must not be written as one.
            plain = {key: value.detach().cpu().clone(memory_format=torch.contiguous_format)
                     for key, value in tensors.items()}  # fmt: skip
            write_bytes(temporary / f"{name}.safetensors", save(plain, {"format_version": str(FORMAT_VERSION)}))
        if training is not None:
            with open(temporary / TRAINING, "wb") as file:
                torch.save(training, file)
                file.flush()
                os.fsync(file.fileno())
        files = sorted(temporary.iterdir())
        sizes, checksums = {f.name: f.stat().st_size for f in files}, {f.name: crc32(f) for f in files}
        state = State(
            format_version=FORMAT_VERSION, step=step, metrics=metrics, files=sizes, crc32=checksums,
            beside=dict(beside or {}), complete=True,
        )  # fmt: skip
        write_bytes(temporary / STATE, (state.model_dump_json(indent=2) + "\n").encode())
        fsync_directory(temporary)
        if final.exists():
            _delete(final)
        os.rename(temporary, final)
        fsync_directory(parent)
    except BaseException as error:
        shutil.rmtree(temporary, ignore_errors=True)
        # torch.save reports a full disk as a RuntimeError of its zip writer.
        cause = error.__context__ if isinstance(error, RuntimeError) else error
        if isinstance(cause, OSError):
            message = disk_message(cause, parent) or f"cannot write the checkpoint {final}: {cause}"
            raise UserError(f"{message}; older checkpoints are intact, go on with --resume") from error
        raise
    return Checkpoint(final, step, metrics)


def read_checkpoint(path: Path) -> Checkpoint:
    """Check that a checkpoint folder is complete; raise BrokenCheckpoint otherwise."""
    state = read_state(path)
    for name, size in state.files.items():
        file = path / name
        if not file.is_file() or file.stat().st_size != size:
            raise BrokenCheckpoint(f"checkpoint {path} is broken: {name} is missing or not {size} bytes long")
    return Checkpoint(path, state.step, state.metrics)


def read_state(path: Path) -> State:
    """What state.json of a checkpoint folder says; BrokenCheckpoint where that makes no sense."""
    try:
        state = State.model_validate_json(regular(path / STATE).read_bytes())
    except (OSError, ValueError) as error:
        raise BrokenCheckpoint(f"checkpoint {path} is broken: {STATE} makes no sense ({one_line(error)})") from error
    if state.format_version > FORMAT_VERSION:
        version = state.format_version
        raise UserError(f"checkpoint {path} has format version {version}; this program reads up to {FORMAT_VERSION}")
    return state


def checkpoint_folders(expt_dir: Path) -> list[Path]:
    """Checkpoint folders of an experiment, complete or broken, oldest first."""
    parent = expt_dir / FOLDER
    paths = [path for path in parent.iterdir() if _NAME.fullmatch(path.name)] if parent.is_dir() else []
    return sorted(paths, key=lambda path: int(path.name[len("step_") :]))


def list_checkpoints(expt_dir: Path) -> list[Checkpoint]:
    """Complete checkpoints of an experiment, oldest first; a broken one is left out with a warning."""
    found = []
    for path in checkpoint_folders(expt_dir):
        try:
            found.append(read_checkpoint(path))
        except BrokenCheckpoint as error:
            log.warning("%s; it is left out", error)
    return found


def latest_checkpoint(expt_dir: Path) -> Checkpoint | None:
    """The newest complete checkpoint, or None."""
    found = list_checkpoints(expt_dir)
    return found[-1] if found else None


def find_checkpoint(expt_dir: Path, which: str = "last") -> Checkpoint:
    """The checkpoint that "last", "best" or a folder's name means; UserError with the choices when there is none."""
    found = list_checkpoints(expt_dir)
    if not found:
        raise UserError(f"{expt_dir} holds no complete checkpoint: {remedy(expt_dir, 'train it first (stage 2)')}")
    if which == "last":
        return found[-1]
    names = {checkpoint.name: checkpoint for checkpoint in found}
    if which == "best":
        ranked = [name for name in best_names(expt_dir) if name in names]
        if not ranked:
            raise UserError(f"{expt_dir} has no best checkpoint yet (no validation so far): use last")
        return names[ranked[0]]
    if which not in names:
        raise UserError(f'{expt_dir} has no checkpoint {which}; choose "last", "best" or one of {", ".join(names)}')
    return names[which]


def load_weights(checkpoint: Path, prefer_ema: bool = True, name: str = NETWORK) -> dict[str, Tensor]:
    """State dict of a checkpoint's network on the CPU, averaged where it is and that is wanted. Raises UserError."""
    if not has_weights(checkpoint, name):
        raise UserError(f"{checkpoint} has no weights of the {name}: it was packed to speak; use the folder of stage 2")
    if name == NETWORK and prefer_ema and (checkpoint / f"{AVERAGE}.safetensors").is_file():
        name = AVERAGE
    return _checked(checkpoint / f"{name}.safetensors", lambda path: expand(load_file(path)))


def load_strictly(network: nn.Module, state: Mapping[str, Tensor], source: str) -> None:
    """Load a state dict; UserError that names what does not fit."""
    own = network.state_dict()
    odd = sorted(own.keys() ^ state.keys())
    odd += [name for name in own if name in state and own[name].shape != state[name].shape]
    if odd:
        raise UserError(f"{source} does not fit this model: {len(odd)} entries differ, the first is {odd[0]}")
    network.load_state_dict(state)


def has_weights(checkpoint: Path, name: str) -> bool:
    """Whether a checkpoint folder was written with this network; that its file is there now is another question."""
    return f"{name}.safetensors" in read_state(checkpoint).files


def check_networks(checkpoint: Path, networks: Collection[str]) -> None:
    """Raise UserError unless a run of these networks wrote the checkpoint: another would lose some, or lack them."""
    suffix = ".safetensors"
    files = [name.removesuffix(suffix) for name in read_state(checkpoint).files if name.endswith(suffix)]
    stored = set(files) - {AVERAGE}
    if stored != set(networks):
        differ = f"{' and '.join(sorted(stored))} there, {' and '.join(sorted(networks))} here"
        advice = "put train.finetune_only back, or train under another --name with --finetune_from"
        raise UserError(f"cannot go on with {checkpoint}, of which other networks are trained ({differ}): {advice}")


def load_training(checkpoint: Path) -> dict[str, Any]:
    """Contents of training.pt on the CPU, none of which can run code; empty for weights alone. Or BrokenCheckpoint."""
    if TRAINING not in read_state(checkpoint).files:
        return {}
    return _checked(checkpoint / TRAINING, load_plain)


def load_plain(path: Path) -> Any:
    """Plain data that torch.save wrote, on the CPU; nothing in it can run code. Raises OSError or ValueError."""
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except OSError:
        raise
    except Exception as error:  # a damaged pickle can make torch's reader fail in any way
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(first) from error


def _checked(path: Path, read: Callable[[Path], Any]) -> Any:
    """Read a checkpoint's file; BrokenCheckpoint when it cannot be read or is not, to the bit, what was written."""
    expected = read_state(path.parent).crc32.get(path.name)
    broken = f"checkpoint {path.parent} is broken: {path.name}"
    try:
        if expected is not None and crc32(path) != expected:
            raise BrokenCheckpoint(f"{broken} has changed since it was written")
        return read(path)
    except (OSError, ValueError, SafetensorError) as error:
        raise BrokenCheckpoint(f"{broken} cannot be read ({one_line(error)})") from error


def crc32(path: Path) -> int:
    """Checksum of a file."""
    value = 0
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            value = zlib.crc32(block, value)
    return value


def best_names(expt_dir: Path) -> list[str]:
    """Names of the best checkpoints, best first; empty when none is recorded."""
    path = expt_dir / FOLDER / BEST
    try:
        return [str(entry["name"]) for entry in read_json(path)["best"]]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = one_line(error)
        log.warning("%s cannot be read (%s); the best checkpoint is found anew at the next validation", path, reason)
        return []


class Retention:
    """Keeps the newest and the best checkpoints and deletes the others."""

    def __init__(self, expt_dir: Path, keep_last: int, keep_best: int, metric: str) -> None:
        self.expt_dir, self.keep_last, self.keep_best, self.metric = expt_dir, keep_last, keep_best, metric

    def is_better(self, value: float) -> bool:
        """Whether a checkpoint with this value of the metric (lower is better) would be among the best."""
        ranked = self._ranked(list_checkpoints(self.expt_dir))
        return self.keep_best > 0 and (len(ranked) < self.keep_best or value < ranked[-1].metrics[self.metric])

    def apply(self) -> None:
        """Record the best checkpoints, then delete what is neither new nor among them."""
        found = list_checkpoints(self.expt_dir)
        best = self._ranked(found)
        if best:
            entries = [{"name": c.name, "step": c.step, "value": c.metrics[self.metric]} for c in best]
            write_json(self.expt_dir / FOLDER / BEST, {"format_version": 1, "metric": self.metric, "best": entries})
        kept = {checkpoint.name for checkpoint in found[-self.keep_last :] + best}
        for checkpoint in found:
            if checkpoint.name not in kept:
                _delete(checkpoint.path)

    def _ranked(self, found: list[Checkpoint]) -> list[Checkpoint]:
        measured = [checkpoint for checkpoint in found if self.metric in checkpoint.metrics]
        return sorted(measured, key=lambda checkpoint: checkpoint.metrics[self.metric])[: self.keep_best]


def set_aside(path: Path) -> None:
    """Rename a broken checkpoint to `broken-...`: it takes no part in finding, ranking and deleting any more."""
    target = path.with_name(f"broken-{path.name}")
    shutil.rmtree(target, ignore_errors=True)
    os.rename(path, target)


def clean_leftovers(expt_dir: Path) -> None:
    """Remove what an interrupted run was writing or deleting; the caller holds the folder's lock."""
    parent = expt_dir / FOLDER
    remove_leftovers(expt_dir, alone=True)
    remove_leftovers(parent, alone=True)
    for path in list(parent.iterdir()) if parent.is_dir() else []:
        if path.name.startswith((_WRITING, _DELETING)):
            shutil.rmtree(path, ignore_errors=True)


def _delete(path: Path) -> None:
    # Renamed first: a deletion that is cut short must not leave a folder that looks like a checkpoint.
    condemned = path.with_name(f"{_DELETING}{path.name}")
    shutil.rmtree(condemned, ignore_errors=True)
    os.rename(path, condemned)
    shutil.rmtree(condemned, ignore_errors=True)
