"""One process at a time: a lock that the system itself takes back when its holder dies."""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path
from types import TracebackType

from utils.errors import UserError

try:
    import fcntl
except ImportError:  # Windows: no lock there, two runs at once are the user's care
    fcntl = None

_UNSUPPORTED = {errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL}


class FolderLock:
    """Context manager that holds `path` for this process; UserError `busy` with the holder's name when it is taken.

    A lock file that a killed process left behind is no obstacle: the lock is the open file, not the file's presence.
    """

    def __init__(self, path: Path, busy: str) -> None:
        self._path = path
        self._busy = busy
        self._file: int | None = None

    def __enter__(self) -> None:
        while True:
            handle = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
            try:
                self._acquire(handle)
            except BaseException:
                os.close(handle)
                raise
            # The last holder may have removed the file between our opening and locking it: then we hold nothing.
            if self._is_current(handle):
                break
            os.close(handle)
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"process {os.getpid()} on {socket.gethostname()}".encode(), 0)
        self._file = handle

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._file is not None:
            self._path.unlink(missing_ok=True)
            os.close(self._file)
            self._file = None

    def _acquire(self, handle: int) -> None:
        if fcntl is None:
            return
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in _UNSUPPORTED:
                return
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                raise
            holder = os.pread(handle, 200, 0).decode("utf-8", errors="replace") or "another process"
            raise UserError(f"{self._busy}: {holder} is at it; wait for it, or end it") from error

    def _is_current(self, handle: int) -> bool:
        try:
            return os.path.samestat(os.fstat(handle), os.stat(self._path))
        except FileNotFoundError:
            return False
