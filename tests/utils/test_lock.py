"""One process at a time, whatever became of the one before."""

from __future__ import annotations

import errno
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from utils import files
from utils.errors import UserError
from utils.files import FileLock

ROOT = Path(__file__).resolve().parents[2]
HOLD = """
import sys, time
from pathlib import Path
from utils.files import FileLock
with FileLock(Path(sys.argv[1]), "busy"):
    print("locked", flush=True)
    time.sleep(60)
"""


def lock_in(folder: Path) -> FileLock:
    return FileLock(folder / ".lock", f"{folder} is busy", "choose another")


def test_the_second_learns_who_holds_it_and_a_release_leaves_no_file(tmp_path: Path) -> None:
    with lock_in(tmp_path) as held:
        assert held.held
        sentence = rf"is busy \(process {os.getpid()} on {socket.gethostname()}, since 20\d\d-\S+\): choose another$"
        with pytest.raises(UserError, match=sentence):
            lock_in(tmp_path).acquire()
    assert not held.held and list(tmp_path.iterdir()) == []
    with lock_in(tmp_path):
        pass


def test_a_killed_holder_leaves_it_free(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path / ".lock")], stdout=subprocess.PIPE, cwd=ROOT)
    assert process.stdout is not None and process.stdout.readline() == b"locked\n"
    with pytest.raises(UserError, match=f"process {process.pid}"):
        lock_in(tmp_path).acquire()
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert json.loads((tmp_path / ".lock").read_text())["pid"] == process.pid
    with lock_in(tmp_path):
        assert json.loads((tmp_path / ".lock").read_text())["pid"] == os.getpid()


def test_the_lock_of_another_is_not_removed(tmp_path: Path) -> None:
    """Stage 1 removes the folder with its lock in it before the release; another may lock a new one meanwhile."""
    first, second = lock_in(tmp_path), lock_in(tmp_path)
    first.acquire()
    (tmp_path / ".lock").unlink()
    second.acquire()
    first.release()
    assert (tmp_path / ".lock").exists()
    with pytest.raises(UserError):
        lock_in(tmp_path).acquire()
    second.release()
    assert not (tmp_path / ".lock").exists()


def test_a_file_system_without_locks_keeps_nobody_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_locks(*_: object) -> None:
        raise OSError(errno.ENOLCK, "no locks available")

    monkeypatch.setattr(files.fcntl, "flock", no_locks)
    with lock_in(tmp_path), lock_in(tmp_path):
        assert (tmp_path / ".lock").exists()
