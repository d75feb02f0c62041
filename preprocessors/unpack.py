"""Unpack a corpus archive so that nothing lands outside its folder and no half-unpacked folder stays."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import shutil
import stat
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from tqdm import tqdm

from utils.config.paths import shown
from utils.errors import UserError

_OPENERS = {".bz2": bz2.open, ".gz": gzip.open, ".tgz": gzip.open, ".xz": lzma.open, ".tar": open}
_BROKEN = (tarfile.TarError, zipfile.BadZipFile, lzma.LZMAError, zlib.error, EOFError, gzip.BadGzipFile)


def unpack_archive(archive: Path, target: Path, is_wanted: Callable[[Path], bool]) -> None:
    """Unpack a .tar (also .gz, .bz2, .xz) or .zip, and move the folder in it that `is_wanted` to `target`.

    Raises UserError for a broken archive, for one without such a folder, and for entries that would leave the folder.
    """
    with tempfile.TemporaryDirectory(prefix=".unpack-", dir=target.parent) as name:
        temporary = Path(name)
        try:
            if archive.suffix == ".zip":
                _unzip(archive, temporary)
            elif archive.suffix in _OPENERS:
                _untar(archive, temporary)
            else:
                raise UserError(f"{shown(archive)}: unknown kind of archive; .tar, .tar.gz, .tar.bz2, .tar.xz or .zip")
        except _BROKEN as error:
            raise UserError(f"{shown(archive)}: broken archive ({error})") from None
        except OSError as error:
            if error.errno is None:  # bz2 reports broken data this way
                raise UserError(f"{shown(archive)}: broken archive ({error})") from None
            raise
        folders = [temporary, *sorted(path for path in temporary.iterdir() if path.is_dir())]
        wanted = [folder for folder in folders if is_wanted(folder)]
        if not wanted:
            raise UserError(f"{shown(archive)}: there is no corpus in it (no folder with metadata.csv and wavs/)")
        if target.is_dir():
            target.rmdir()  # Only ever an empty folder.
        if wanted[0] == temporary:
            inner = temporary / ".corpus"
            inner.mkdir()
            for path in list(temporary.iterdir()):
                if path != inner:
                    shutil.move(path, inner)
            wanted[0] = inner
        os.replace(wanted[0], target)


def _checked(name: str, archive: Path) -> PurePosixPath:
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or ":" in name.split("/")[0]:
        raise UserError(f"{shown(archive)}: refused, its entry {name!r} would be written outside the folder")
    return path


def _untar(archive: Path, folder: Path) -> None:
    """Plain files and folders only: a corpus needs no links and no devices."""
    size = archive.stat().st_size
    with archive.open("rb") as raw, tqdm(total=size, unit="B", unit_scale=True, desc="unpacking", leave=False) as bar:
        with _OPENERS[archive.suffix](raw if archive.suffix != ".tar" else archive, "rb") as plain:
            with tarfile.open(fileobj=plain, mode="r|") as tar:
                for member in tar:
                    path = _checked(member.name, archive)
                    if member.isdir():
                        (folder / path).mkdir(parents=True, exist_ok=True)
                    elif member.isfile():
                        source = tar.extractfile(member)
                        assert source is not None
                        _write(source, folder / path)
                    else:
                        raise UserError(f"{shown(archive)}: refused, its entry {member.name!r} is a link or a device")
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


def _write(source: object, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as file:
        shutil.copyfileobj(source, file, 1 << 20)
