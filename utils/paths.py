"""Where things lie: paths of a config start at the project's root, whatever the current folder is."""

from __future__ import annotations

import errno
import os
from pathlib import Path

PROJECT_ROOT = Path(__file__).resolve().parents[1]
CARD = "CARD.md"  # tells the folder of a packed voice from others, even when files of it are missing


def project_path(path: str | os.PathLike[str]) -> Path:
    """Path of a config value: absolute ones and `~` stay, others are relative to the project's root."""
    expanded = Path(os.path.expanduser(path))  # unlike pathlib's, it takes a user who does not exist
    return expanded if expanded.is_absolute() else Path(os.path.normpath(PROJECT_ROOT / expanded))


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


def remedy(folder: Path, otherwise: str) -> str:
    """What to do about a folder that lacks files: `otherwise`, but no stage can make those of a packed voice again."""
    if not (folder / CARD).is_file():
        return otherwise
    return "the folder of this packed voice is incomplete; get it again, by git checkout or from another copy"
