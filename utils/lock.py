"""One process at a time: a lock file that names its holder and ends with it, however that dies."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import socket
from datetime import datetime
from pathlib import Path

from utils.atomic import disk_errors
from utils.errors import UserError
from utils.json_text import parse_json


class FileLock:
    """Holds the file `path` from `acquire` to `release`, or inside a `with` block.

    The operating system's lock on the open file counts: it ends with the process, so that a file which a killed one
    left behind is no obstacle. The content, a JSON object of host, pid and since, only tells who holds it. Where the
    file system has no such locks, nobody is kept out.
    """

    def __init__(self, path: Path, busy: str, advice: str = "wait for it, or stop it") -> None:
        """`busy` and `advice` are the beginning and the end of the sentence for whoever comes second."""
        self.path, self._busy, self._advice = path, busy, advice
        self._file: int | None = None

    @property
    def held(self) -> bool:
        """Whether this object holds the lock."""
        return self._file is not None

    def acquire(self) -> None:
        """Take the lock; UserError that names the holder when another process has it, or that the disk is full."""
        with disk_errors(self.path.parent):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            while self._file is None:
                handle = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
                try:
                    self._lock(handle)
                    # The last holder may have removed the file since it was opened: then nothing is held.
                    if self._is_current(handle):
                        content = {"host": socket.gethostname(), "pid": os.getpid(), "since": _now()}
                        os.ftruncate(handle, 0)
                        os.pwrite(handle, (json.dumps(content) + "\n").encode(), 0)
                        self._file = handle
                finally:
                    if self._file is None:
                        os.close(handle)

    def release(self) -> None:
        """Give the lock back and remove its file, unless someone else has removed it and it is another's by now."""
        if self._file is None:
            return
        try:
            if self._is_current(self._file):
                self.path.unlink()
        except OSError:
            pass  # what lies there is nobody's
        finally:
            os.close(self._file)
            self._file = None

    def __enter__(self) -> FileLock:
        self.acquire()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def _lock(self, handle: int) -> None:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
                raise UserError(f"{self._busy} ({_holder(handle)}): {self._advice}") from None

    def _is_current(self, handle: int) -> bool:
        try:
            return os.path.samestat(os.fstat(handle), os.stat(self.path))
        except FileNotFoundError:
            return False


def _holder(handle: int) -> str:
    try:
        content = parse_json(os.pread(handle, 4096, 0))
        return f"process {content['pid']} on {content['host']}, since {content['since']}"
    except (ValueError, KeyError, TypeError):
        return "which has just begun"


def _now() -> str:
    return datetime.now().astimezone().isoformat(timespec="seconds")
