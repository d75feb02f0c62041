"""Files: where they lie, how they are read, written as a whole or not at all, and held by one process at a time."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import secrets
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from utils.errors import UserError, disk_message

PROJECT_ROOT = Path(__file__).resolve().parents[1]
# The card of a packed voice, as the Hugging Face hub shows it, and as it was called before.
CARD, OLD_CARD = "README.md", "CARD.md"
_TEMPORARY = re.compile(r"\..+\.(\d+)\.tmp")
# A file that grew within this many seconds may belong to a process on another machine.
_YOUNG = 60.0


def project_path(path: str | os.PathLike[str]) -> Path:
    """Path of a config value: absolute ones and `~` stay, others are relative to the project's root."""
    expanded = Path(os.path.expanduser(path))  # unlike pathlib's, it takes a user who does not exist
    return expanded if expanded.is_absolute() else Path(os.path.normpath(PROJECT_ROOT / expanded))


def from_root(path: Path) -> str:
    """A path as a config says it: relative to the project's root where it lies below that."""
    absolute = Path(os.path.abspath(path))
    return str(absolute.relative_to(PROJECT_ROOT) if absolute.is_relative_to(PROJECT_ROOT) else absolute)


def shown(path: str | os.PathLike[str]) -> str:
    """Shortest way to write a path in a message: relative to the current folder where it lies below it."""
    try:
        return str(Path(path).absolute().relative_to(Path.cwd()))
    except (ValueError, OSError):
        return str(path)


def regular(path: Path) -> Path:
    """`path`, which may be missing or a folder; OSError for a pipe or a device, from which reading may never end."""
    if path.exists() and not path.is_file() and not path.is_dir():
        raise OSError(errno.EINVAL, "it is a pipe or a device, and a file is needed", str(path))
    return path


def card_of(folder: Path) -> Path | None:
    """The card that tells the folder of a packed voice from others, even when files of it are missing."""
    for path, begin in ((folder / CARD, "---\n"), (folder / OLD_CARD, "")):
        with suppress(OSError, UnicodeDecodeError):
            if path.is_file() and path.read_text(encoding="utf-8").startswith(begin):
                return path
    return None


def remedy(folder: Path, otherwise: str) -> str:
    """What to do about a folder that lacks files: `otherwise`, but no stage can make those of a packed voice again."""
    if card_of(folder) is None:
        return otherwise
    return "the folder of this packed voice is incomplete; get it again, by git checkout or from another copy"


def parse_json(text: str | bytes) -> Any:
    """Value of a JSON text; ValueError for anything else, even for brackets too deep for the parser."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("its brackets are nested too deeply") from None


def read_json(path: Path) -> Any:
    """Value of a JSON file in UTF-8; OSError where it cannot be read, ValueError where it is no JSON."""
    return parse_json(regular(path).read_text(encoding="utf-8"))


@contextmanager
def disk_errors(where: Path) -> Iterator[None]:
    """Raise UserError instead of OSError when the block runs into a full, read-only or forbidden disk."""
    try:
        yield
    except OSError as error:
        message = disk_message(error, where)
        if message is None:
            raise
        raise UserError(message) from error


def make_folder(folder: Path, flag: str) -> None:
    """Make the folder that a flag names, with its parents; UserError that says what is in the way."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(disk_message(error, folder) or f"{flag} {folder}: {_obstacle(folder, error)}") from error


def _obstacle(folder: Path, error: OSError) -> str:
    for path in (folder, *folder.parents):
        # Not the methods of Path, which fail themselves on a name that is too long.
        if os.path.islink(path) and not os.path.exists(path):
            target = os.readlink(path)
            return f"{path} is a symbolic link to {target}, which is not there; make that, or choose another folder"
        if os.path.exists(path) and not os.path.isdir(path):
            return f"{path} is a file, not a folder; choose another folder"
    return f"no folder can be made there ({os.strerror(error.errno or 0)}); choose another one"


def fsync_directory(directory: Path) -> None:
    """Make renames inside `directory` survive a power cut, where the system can."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def temporary_for(path: Path) -> Path:
    """Neighbour of `path` under which this process writes it, for a rename at the end."""
    return path.with_name(f".{path.name}.{os.getpid()}.tmp")


def remove_leftovers(folder: Path, alone: bool = False) -> None:
    """Remove the `temporary_for` files of killed processes from `folder`.

    A process counts as gone when this machine has none of its number and its file has not grown lately; with `alone`,
    because a lock keeps all others out, it is gone in any case.
    """
    for path in folder.glob(".*.tmp") if folder.is_dir() else ():
        match = _TEMPORARY.fullmatch(path.name)
        if match and (alone or _is_abandoned(path, int(match[1]))):
            path.unlink(missing_ok=True)


def _is_abandoned(path: Path, process: int) -> bool:
    try:
        if time.time() - path.stat().st_mtime >= _YOUNG:
            os.kill(process, 0)
    except PermissionError:
        return False
    except (FileNotFoundError, ProcessLookupError, OverflowError):
        return True
    return False


def write_bytes(path: Path, data: bytes) -> None:
    """Write `path` in one step: a temporary neighbour, then a rename."""
    temporary = temporary_for(path)
    try:
        with open(temporary, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text in one step."""
    write_bytes(path, text.encode("utf-8"))


def write_json(path: Path, value: object) -> None:
    """Write indented JSON in one step."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def write_json_lines(path: Path, rows: list[dict[str, object]]) -> None:
    """Write JSON Lines in one step."""
    write_text(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def replace_folder(folder: Path, out: Path) -> None:
    """Give a finished folder its name; an older one there makes room at the last moment."""
    old = folder.with_name(f"{folder.name}.old")
    if out.exists():
        os.rename(out, old)
    try:
        os.rename(folder, out)
    except OSError:
        if old.exists():
            os.rename(old, out)
        raise
    shutil.rmtree(old, ignore_errors=True)


@contextmanager
def whole_folder(out: Path, publish: Callable[[Path, Path], None] = replace_folder) -> Iterator[Path]:
    """A hidden neighbour of `out` to write into, which `publish` puts in its place when the block is done.

    :raises UserError: a full, read-only or forbidden disk.
    """
    # The name is chosen first, so that a request to stop right after the folder is made finds what to remove.
    folder = out.parent / f".{out.name}.{secrets.token_hex(8)}"
    with disk_errors(out):
        try:
            folder.mkdir(parents=True)
            yield folder
            publish(folder, out)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


class FileLock:
    """Holds the file `path` from `acquire` to `release` or inside a `with` block, if the file system has such locks.

    The lock on the open file counts: it ends with the process, so that a file which a killed one left is no obstacle.
    The content, a JSON object of host, pid and since, only tells who holds it.
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
                        since = datetime.now().astimezone().isoformat(timespec="seconds")
                        content = {"host": socket.gethostname(), "pid": os.getpid(), "since": since}
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
        with suppress(OSError):  # what lies there is nobody's
            if self._is_current(self._file):
                self.path.unlink()
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
        content = json.loads(os.pread(handle, 4096, 0))
        return f"process {content['pid']} on {content['host']}, since {content['since']}"
    except (ValueError, KeyError, TypeError, RecursionError):
        return "which has just begun"
