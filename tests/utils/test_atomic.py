"""Atomic writes and disk errors."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from utils import atomic
from utils.errors import UserError


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.json"
    atomic.write_json(path, {"a": "ä"})
    assert path.read_text(encoding="utf-8") == '{\n  "a": "ä"\n}\n'

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError):
        atomic.write_json(path, {"b": 2})
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"] and '"a"' in path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "number, words", [(errno.ENOSPC, "disk is full"), (errno.EROFS, "read-only"), (errno.EACCES, "permission denied")]
)
def test_disk_errors_become_a_sentence(number: int, words: str) -> None:
    with pytest.raises(UserError, match=f"cannot write to .*data: .*{words}"), atomic.disk_errors(Path("data")):
        raise OSError(number, "x")


def test_other_errors_stay_what_they_are() -> None:
    with pytest.raises(FileNotFoundError), atomic.disk_errors(Path("data")):
        raise FileNotFoundError(errno.ENOENT, "x")
