"""Unpack a corpus archive so that nothing lands outside its folder and no half-unpacked folder stays."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import IO

from tqdm import tqdm

from utils.errors import UserError, one_line
from utils.paths import shown


def unpack_archive(archive: Path, target: Path, is_wanted: Callable[[Path], bool]) -> None:
    """Unpack a .tar (also .gz, .bz2, .xz) or .zip, and move the folder in it that `is_wanted` to `target`.

    Raises UserError for a broken archive, for one without such a folder, and for entries that would leave the folder.
    """
    temporary = target.parent / f".unpack-{target.name}"
    shutil.rmtree(temporary, ignore_errors=True)  # What a killed attempt left.
    # One level deeper, so that an archive without a folder of its own can be moved as a whole.
    inside = temporary / "archive"
    inside.mkdir(parents=True)
    try:
        _unpack(archive, inside)
        wanted = next((path for path in [inside, *sorted(inside.iterdir())] if path.is_dir() and is_wanted(path)), None)
        if wanted is None:
            raise UserError(f"{shown(archive)}: there is no corpus in it (no folder with metadata.csv and wavs/)")
        if target.is_dir():
            target.rmdir()  # Succeeds for an empty folder only.
        os.replace(wanted, target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _unpack(archive: Path, folder: Path) -> None:
    try:
        if archive.suffix.lower() == ".zip":
            _unzip(archive, folder)
        else:
            _untar(archive, folder)
    except UserError:
        raise
    except OSError as error:
        # How bz2 reports broken data, and how a zip file does whose table names places that do not exist.
        if error.errno not in (None, errno.EINVAL):
            raise
        raise UserError(f"{shown(archive)}: broken ({one_line(error)})") from None
    except Exception as error:  # broken data makes tarfile and zipfile stumble in many ways
        kinds = ".tar, .tar.gz, .tar.bz2, .tar.xz or .zip"
        raise UserError(f"{shown(archive)}: broken, or no {kinds} ({one_line(error)})") from None


def _checked(name: str, archive: Path) -> PurePosixPath:
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or ":" in name.split("/")[0]:
        raise UserError(f"{shown(archive)}: refused, its entry {name!r} would be written outside the folder")
    return path


def _untar(archive: Path, folder: Path) -> None:
    """Plain files and folders only: a corpus needs no links and no devices."""
    size = archive.stat().st_size
    with (
        archive.open("rb") as raw,
        tqdm(total=size, unit="B", unit_scale=True, desc="unpacking", leave=False) as bar,
        tarfile.open(fileobj=raw, mode="r|*") as tar,
    ):
        for member in tar:
            path = _checked(member.name, archive)
            if member.isdir():
                (folder / path).mkdir(parents=True, exist_ok=True)
                continue
            source = tar.extractfile(member) if member.isfile() else None
            if source is None:
                raise UserError(f"{shown(archive)}: refused, its entry {member.name!r} is a link or a device")
            _write(source, folder / path)
            bar.update(raw.tell() - bar.n)


def _unzip(archive: Path, folder: Path) -> None:
    with zipfile.ZipFile(archive) as zipped:
        for member in tqdm(zipped.infolist(), desc="unpacking", leave=False):
            path = _checked(member.filename, archive)
            if stat.S_ISLNK(member.external_attr >> 16):
                raise UserError(f"{shown(archive)}: refused, its entry {member.filename!r} is a link")
            if member.is_dir():
                (folder / path).mkdir(parents=True, exist_ok=True)
            else:
                with zipped.open(member) as source:
                    _write(source, folder / path)


def _write(source: IO[bytes], target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as file:
        shutil.copyfileobj(source, file, 1 << 20)
