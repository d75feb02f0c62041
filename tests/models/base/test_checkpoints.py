"""Checkpoints are complete or absent, and found, ranked and deleted as promised."""

from __future__ import annotations

import errno
import json
import os
import pickle
from pathlib import Path

import pytest
import torch

from models.base import checkpoints
from models.base.checkpoints import (
    BrokenCheckpoint,
    Retention,
    find_checkpoint,
    latest_checkpoint,
    list_checkpoints,
    load_training,
    load_weights,
    save_checkpoint,
)
from utils.errors import UserError


def save(folder: Path, step: int, value: float | None = None, ema: bool = False) -> None:
    networks = {"network": {"w": torch.full((3,), float(step))}, "discriminator": {"v": torch.ones(2)}}
    if ema:
        networks["ema"] = {"w": torch.full((3,), step + 0.5)}
    metrics = {} if value is None else {"loss": value}
    save_checkpoint(folder, step, networks, {"numbers": [1, 2.5, "x"], "tensor": torch.arange(3)}, metrics)


def names(folder: Path) -> list[str]:
    return [checkpoint.name for checkpoint in list_checkpoints(folder)]


def test_what_is_saved_comes_back(tmp_path: Path) -> None:
    base = torch.arange(6.0)
    weights = {"a": base[:3], "b": base[3:].view(3, 1), "c": torch.ones(2, 3, 4).transpose(0, 2)}
    saved = save_checkpoint(tmp_path, 7, {"network": weights}, {"x": (1, None)}, {"loss": 0.5})
    assert saved.path.name == "step_00000007"
    found = latest_checkpoint(tmp_path)
    assert found is not None and (found.step, found.metrics) == (7, {"loss": 0.5})
    loaded = load_weights(found.path)
    assert loaded.keys() == weights.keys() and all(torch.equal(loaded[k], weights[k]) for k in weights)
    assert load_training(found.path) == {"x": (1, None)}
    state = json.loads((found.path / "state.json").read_text())
    assert state["complete"] is True and state["format_version"] == 1


def test_retention_keeps_the_newest_and_the_best(tmp_path: Path) -> None:
    retention = Retention(tmp_path, keep_last=2, keep_best=1, metric="loss")
    kept = {}
    for step, value in enumerate([0.9, 0.3, 0.7, None, 0.5, 0.4], 1):
        save(tmp_path, step, value)
        retention.apply()
        kept[step] = [int(name[-2:]) for name in names(tmp_path)]
    assert kept == {1: [1], 2: [1, 2], 3: [2, 3], 4: [2, 3, 4], 5: [2, 4, 5], 6: [2, 5, 6]}
    assert find_checkpoint(tmp_path, "best").step == 2
    assert find_checkpoint(tmp_path, "last").step == 6
    assert find_checkpoint(tmp_path, "step_00000005").step == 5
    assert retention.is_better(0.29) and not retention.is_better(0.3)
    record = json.loads((tmp_path / "checkpoints/best.json").read_text())
    assert record["metric"] == "loss" and record["best"] == [{"name": "step_00000002", "step": 2, "value": 0.3}]


def test_without_best_nothing_is_ranked(tmp_path: Path) -> None:
    retention = Retention(tmp_path, keep_last=1, keep_best=0, metric="loss")
    for step in (1, 2):
        save(tmp_path, step, 1.0 / step)
        retention.apply()
    assert names(tmp_path) == ["step_00000002"] and not retention.is_better(0.0)
    with pytest.raises(UserError, match="no best checkpoint yet"):
        find_checkpoint(tmp_path, "best")
    with pytest.raises(UserError, match='choose "last", "best" or one of step_00000002'):
        find_checkpoint(tmp_path, "step_1")
    with pytest.raises(UserError, match="no complete checkpoint"):
        find_checkpoint(tmp_path / "nothing")


@pytest.mark.parametrize("damage", ["shorten", "remove", "state", "incomplete"])
def test_a_broken_checkpoint_is_left_out_with_a_warning(tmp_path: Path, damage: str, caplog) -> None:
    save(tmp_path, 1)
    save(tmp_path, 2)
    folder = tmp_path / "checkpoints/step_00000002"
    if damage == "shorten":
        os.truncate(folder / "training.pt", 100)
    elif damage == "remove":
        (folder / "network.safetensors").unlink()
    elif damage == "state":
        (folder / "state.json").write_text("{")
    else:
        (folder / "state.json").write_text((folder / "state.json").read_text().replace("true", "false"))
    found = latest_checkpoint(tmp_path)
    assert found is not None and found.step == 1
    assert "step_00000002 is broken" in caplog.text


def test_a_pickle_in_place_of_training_state_does_not_run(tmp_path: Path) -> None:
    class Hostile:
        def __reduce__(self) -> tuple:
            return os.mkdir, (str(tmp_path / "ran"),)

    save(tmp_path, 1)
    folder = tmp_path / "checkpoints/step_00000001"
    torch.save({"engine": Hostile()}, folder / "training.pt")
    with pytest.raises(BrokenCheckpoint):
        load_training(folder)
    (folder / "training.pt").write_bytes(pickle.dumps(Hostile()))
    with pytest.raises(BrokenCheckpoint):
        load_training(folder)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("stage", ["weights", "training", "state", "rename"])
@pytest.mark.parametrize(("number", "words"), [(errno.ENOSPC, "disk is full"), (errno.EROFS, "read-only")])
def test_a_disk_error_leaves_older_checkpoints_and_no_rubbish(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str, number: int, words: str
) -> None:
    save(tmp_path, 1)

    def fail(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    if stage in ("weights", "state"):
        write = checkpoints.write_bytes
        wanted = "state.json" if stage == "state" else "network.safetensors"

        def write_or_fail(path: Path, data: bytes) -> None:
            (fail if path.name == wanted else write)(path, data)

        monkeypatch.setattr(checkpoints, "write_bytes", write_or_fail)
    elif stage == "training":
        monkeypatch.setattr(torch, "save", fail)
    else:
        monkeypatch.setattr(checkpoints.os, "rename", fail)
    with pytest.raises(UserError, match=f"{words}.*older checkpoints are intact"):
        save(tmp_path, 2)
    assert sorted(path.name for path in (tmp_path / "checkpoints").iterdir()) == ["step_00000001"]


@pytest.mark.parametrize("name", ["network.safetensors", "training.pt"])
def test_one_changed_bit_is_noticed(tmp_path: Path, name: str) -> None:
    save(tmp_path, 1)
    file = tmp_path / "checkpoints/step_00000001" / name
    data = bytearray(file.read_bytes())
    data[-3] ^= 1
    file.write_bytes(data)
    with pytest.raises(BrokenCheckpoint, match=f"{name} has changed since it was written"):
        load_weights(file.parent) if name.endswith("safetensors") else load_training(file.parent)
