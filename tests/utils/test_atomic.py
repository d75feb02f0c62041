"""Atomic writes, disk errors and the folder lock."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from utils import atomic
from utils.config import PROJECT_ROOT
from utils.errors import UserError
from utils.lock import FolderLock


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


HOLDER = """
import sys, time
from pathlib import Path
from utils.lock import FolderLock
with FolderLock(Path(sys.argv[1]), "busy"):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_lock_names_its_holder_and_dies_with_it(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], cwd=PROJECT_ROOT, stdout=subprocess.PIPE, text=True
    )
    try:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(UserError, match=rf"^busy: process {holder.pid} on \S+ is at it"), FolderLock(path, "busy"):
            pass
    finally:
        holder.kill()
        holder.communicate()
    assert path.exists()
    with FolderLock(path, "busy"):
        assert f"process {os.getpid()} " in path.read_text()
    assert not path.exists()
