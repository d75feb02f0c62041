"""Files that are either old or new, never half-written, and disk errors said in one sentence."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from utils.errors import UserError, disk_message

_TEMPORARY = re.compile(r"\..+\.(\d+)\.tmp")
# A file that grew within this many seconds may belong to a process on another machine.
_YOUNG = 60.0


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
        if time.time() - path.stat().st_mtime < _YOUNG:
            return False
        os.kill(process, 0)
    except (FileNotFoundError, ProcessLookupError, OverflowError):
        return True
    except PermissionError:
        return False
    return False


def write_bytes(path: Path, data: bytes, durable: bool = True) -> None:
    """Write `path` in one step: a temporary neighbour, then a rename. `durable` waits for the disk."""
    temporary = temporary_for(path)
    try:
        with open(temporary, "wb") as file:
            file.write(data)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_text(path: Path, text: str, durable: bool = True) -> None:
    """Write UTF-8 text in one step."""
    write_bytes(path, text.encode("utf-8"), durable)


def write_json(path: Path, value: object, durable: bool = True) -> None:
    """Write indented JSON in one step."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n", durable)


def write_json_lines(path: Path, rows: list[dict[str, object]], durable: bool = True) -> None:
    """Write JSON Lines in one step."""
    write_text(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), durable)
