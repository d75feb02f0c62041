"""Folders that are complete or absent, and how a config that lies in one names its files."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from utils.files import PROJECT_ROOT, disk_errors


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


def from_root(path: Path) -> str:
    """A path as a config says it: relative to the project's root where it lies below that."""
    absolute = Path(os.path.abspath(path))
    return str(absolute.relative_to(PROJECT_ROOT) if absolute.is_relative_to(PROJECT_ROOT) else absolute)
