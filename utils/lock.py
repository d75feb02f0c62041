"""One process at a time: a lock file that names its holder and ends with it, however that dies."""

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


class FileLock:
    """Holds the file `path` from `acquire` to `release`, or inside a `with` block.

    The operating system's lock on the open file counts: it ends with the process, so that a file which a killed one
    left behind is no obstacle. The content, a JSON object of host, pid, boot and since, only tells who holds it. Where
    the file system has no such locks, a process that is alive on the same machine counts.
    """

    def __init__(self, path: Path, busy: str, advice: str = "wait for it, or stop it") -> None:
        """`busy` and `advice` are the beginning and the end of the sentence for whoever comes second."""
        self.path = path
        self._busy = busy
        self._advice = advice
        self._file: int | None = None

    def acquire(self) -> None:
        """Take the lock; UserError that names the holder when another process has it, or that the disk is full."""
        with disk_errors(self.path.parent):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            while True:
                handle = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
                try:
                    self._lock(handle)
                    # The last holder may have removed the file since it was opened: then nothing is held.
                    if self._is_current(handle):
                        self._sign(handle)
                        break
                except BaseException:
                    os.close(handle)
                    raise
                os.close(handle)
        self._file = handle

    @property
    def held(self) -> bool:
        """Whether this object holds the lock."""
        return self._file is not None

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

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.release()

    def _lock(self, handle: int) -> None:
        if fcntl is not None:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except OSError as error:
                if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
                    raise self._refusal(handle) from None
                # The file system has no locks: go by the content.
        if _alive(_read(handle)):
            raise self._refusal(handle)

    def _sign(self, handle: int) -> None:
        content = {"host": socket.gethostname(), "pid": os.getpid(), "boot": _boot_id(),
                   "since": datetime.now().astimezone().isoformat(timespec="seconds")}  # fmt: skip
        os.ftruncate(handle, 0)
        os.pwrite(handle, (json.dumps(content) + "\n").encode(), 0)

    def _refusal(self, handle: int) -> UserError:
        content, holder = _read(handle), "which has just begun"
        if content:
            holder = f"process {content.get('pid')} on {content.get('host')}, since {content.get('since')}"
        return UserError(f"{self._busy} ({holder}): {self._advice}")

    def _is_current(self, handle: int) -> bool:
        try:
            return os.path.samestat(os.fstat(handle), os.stat(self.path))
        except FileNotFoundError:
            return False


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
    except (ProcessLookupError, ValueError, OverflowError):
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
