"""One run per folder, whatever became of the one before."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from utils import run_lock
from utils.errors import UserError
from utils.run_lock import RunLock

HOLD = """
import sys, time
from pathlib import Path
from utils.run_lock import RunLock
RunLock(Path(sys.argv[1])).acquire()
print("locked", flush=True)
time.sleep(60)
"""
ROOT = Path(__file__).resolve().parents[2]


def test_second_run_learns_who_holds_the_folder(tmp_path: Path) -> None:
    with RunLock(tmp_path):
        with pytest.raises(UserError, match=rf"process {os.getpid()} on {socket.gethostname()}, since 20\d\d-"):
            RunLock(tmp_path).acquire()
    with RunLock(tmp_path):
        pass


def test_a_killed_run_leaves_the_folder_free(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, cwd=ROOT)
    assert process.stdout is not None and process.stdout.readline() == b"locked\n"
    with pytest.raises(UserError, match=f"process {process.pid}"):
        RunLock(tmp_path).acquire()
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert json.loads((tmp_path / ".lock").read_text())["pid"] == process.pid
    with RunLock(tmp_path):
        pass


@pytest.fixture
def no_file_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system without locks."""
    monkeypatch.setattr(run_lock, "fcntl", None)


@pytest.mark.parametrize(
    ("content", "free"),
    [
        ("", True),
        ("{broken", True),
        ('{"host": "HERE", "boot": "BOOT", "pid": LIVE}', False),
        ('{"host": "HERE", "boot": "BOOT", "pid": DEAD}', True),
        ('{"host": "HERE", "boot": "another", "pid": LIVE}', True),
        ('{"host": "elsewhere", "boot": "x", "pid": 1}', False),
    ],
)
def test_without_file_locks_a_live_process_counts(
    tmp_path: Path, no_file_locks: None, content: str, free: bool
) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    for word, value in {
        "HERE": socket.gethostname(), "BOOT": run_lock._boot_id(), "LIVE": str(os.getppid()), "DEAD": str(gone.pid)
    }.items():  # fmt: skip
        content = content.replace(word, value)
    (tmp_path / ".lock").write_text(content)
    if free:
        with RunLock(tmp_path):
            time.sleep(0)
    else:
        with pytest.raises(UserError, match="in use by another run"):
            RunLock(tmp_path).acquire()
