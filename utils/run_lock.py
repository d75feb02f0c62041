"""One run per experiment folder."""

from __future__ import annotations

import errno
import json
import os
import socket
from datetime import datetime
from pathlib import Path
from types import TracebackType

from utils.atomic import disk_errors
from utils.errors import UserError
from utils.json_text import parse_json

try:
    import fcntl
except ImportError:  # not on Windows
    fcntl = None  # type: ignore[assignment]


LOCK = ".lock"


class RunLock:
    """Holds `<folder>/.lock` while the process lives.

    The operating system's file lock counts, which ends with the process however that dies; the file's content only
    tells who holds it. Where the file system has no such locks, a live process on the same machine counts.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / LOCK
        self._file: int | None = None

    def acquire(self) -> None:
        """Take the lock; UserError that names its holder when another run has it."""
        with disk_errors(self.path.parent):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            if not self._lock(handle):
                raise UserError(
                    f"{self.path.parent} is in use by another run ({self._holder(handle)}): wait for it, stop it, "
                    "or choose another --name"
                )
            content = {"host": socket.gethostname(), "pid": os.getpid(), "boot": _boot_id(),
                       "since": datetime.now().astimezone().isoformat(timespec="seconds")}  # fmt: skip
            with disk_errors(self.path.parent):
                os.ftruncate(handle, 0)
                os.pwrite(handle, (json.dumps(content) + "\n").encode(), 0)
        except BaseException:
            os.close(handle)
            raise
        self._file = handle

    @property
    def held(self) -> bool:
        """Whether this object holds the lock."""
        return self._file is not None

    def release(self) -> None:
        """Give the lock back; the file stays, empty."""
        if self._file is not None:
            os.ftruncate(self._file, 0)
            os.close(self._file)
            self._file = None

    def __enter__(self) -> RunLock:
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def _lock(self, handle: int) -> bool:
        if fcntl is not None:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return True
            except OSError as error:
                if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
                    return False
                # The file system has no locks: go by the content.
        return not _alive(_read(handle))

    def _holder(self, handle: int) -> str:
        content = _read(handle)
        if not content:
            return "which has just begun"
        return f"process {content.get('pid')} on {content.get('host')}, since {content.get('since')}"


def _read(handle: int) -> dict[str, object]:
    try:
        content = parse_json(os.pread(handle, 4096, 0))
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def _alive(content: dict[str, object]) -> bool:
    """Whether the process that wrote `content` still runs; on another machine nobody can tell, so it does."""
    if not content:
        return False
    if content.get("host") != socket.gethostname():
        return True
    if content.get("boot") != _boot_id():
        return False
    try:
        os.kill(int(str(content.get("pid"))), 0)
    except (ProcessLookupError, ValueError):
        return False
    except PermissionError:
        return True
    return True


def _boot_id() -> str:
    """What distinguishes this start of the machine from the one before: process ids begin anew."""
    path = Path("/proc/sys/kernel/random/boot_id")
    try:
        return path.read_text().strip()
    except OSError:
        return ""
