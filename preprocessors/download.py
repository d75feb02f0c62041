"""Stage 0: a corpus archive from its public home into `dataset_path`, complete and verified, or not at all."""

from __future__ import annotations

import errno
import hashlib
import http.client
import os
import shutil
import ssl
import tarfile
import urllib.error
import urllib.request
import zipfile
from pathlib import Path, PurePosixPath
from typing import Any, NoReturn
from urllib.parse import urlsplit

from tqdm import tqdm

from config.schema import DownloadConfig, ExperimentConfig
from preprocessors.readers.layouts import layout_of
from utils.errors import UserError, one_line
from utils.files import disk_errors, project_path, regular, shown

_BLOCK = 1 << 20
_TIMEOUT = 60.0
_ATTEMPTS = 5
_BAR: dict[str, Any] = {"unit": "B", "unit_scale": True, "unit_divisor": 1024, "leave": False}


def download_datasets(config: ExperimentConfig) -> list[Path]:
    """Folders of all corpora of a config; those that are not there yet are downloaded."""
    return [download_dataset(config, name) for name in config.dataset]


def download_dataset(config: ExperimentConfig, name: str) -> Path:
    """Folder of one corpus, downloaded unless it is there; UserError says what is in the way."""
    target = project_path(config.dataset_path[name])
    named = config.corpus_config(name).dataset_format
    if layout_of(target) or named and target.is_dir() and any(target.iterdir()):
        print(f"{name}: already in {shown(target)}")
        return target
    if target.is_symlink() or target.exists() and (not target.is_dir() or any(target.iterdir())):
        problem = f"{shown(target)} exists and is no corpus (no metadata.csv and wavs/, nor another layout)"
        raise UserError(f"{problem}; move it away, or set dataset_path.{name} to another folder")
    source = config.download.get(name)
    if source is None:
        problem = f"{name}: {shown(target)} does not exist, and download.{name} gives no address to get it from"
        raise UserError(f"{problem}; put the corpus there or set dataset_path.{name}")
    if not hasattr(tarfile, "data_filter"):
        needed = "unpacking safely needs Python 3.10.12, 3.11.4 or newer"
        raise UserError(f"{needed}: update it, or unpack the corpus yourself")
    try:
        with disk_errors(target.parent):
            target.parent.mkdir(parents=True, exist_ok=True)
            archive = fetch(source, target.parent)
            print(f"{name}: unpacking {shown(archive)}")
            unpack_archive(archive, target)
            archive.unlink()
    except OSError as error:
        raise UserError(f"{shown(error.filename or target.parent)}: {error.strerror or error}") from error
    print(f"{name}: ready in {shown(target)}")
    return target


def fetch(source: DownloadConfig, folder: Path) -> Path:
    """The verified archive in `folder`; a part of it that an earlier attempt left there is continued."""
    name = os.path.basename(urlsplit(source.url).path) or "archive"
    archive, part = folder / name, folder / f"{name}.part"
    if archive.exists():
        os.replace(archive, part)
    part.touch()
    try:
        for attempt in range(1, _ATTEMPTS + 1):
            have = regular(part).stat().st_size
            if have >= source.size:
                break
            if shutil.disk_usage(folder).free < source.size - have:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            _receive(source, part, last_attempt=attempt == _ATTEMPTS)
        size = part.stat().st_size
    finally:
        if part.stat().st_size == 0:
            part.unlink()
    if size == 0:
        raise UserError(f"{source.url}: the server sends nothing; check download.url")
    if size < source.size:
        ended = f"the connection ended after {size} of {source.size} bytes"
        raise UserError(f"{shown(part)}: {ended}; run stage 0 again to go on")
    if size > source.size:
        _move_aside(part, f"has {size} bytes or more, but {source.size} are expected")
    digest = hashlib.sha256()
    with part.open("rb") as raw, tqdm.wrapattr(raw, "read", size, desc="checking", **_BAR) as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    if digest.hexdigest() != source.sha256:
        _move_aside(part, f"has the SHA-256 digest {digest.hexdigest()}, but {source.sha256} is expected")
    os.replace(part, archive)
    return archive


def _receive(source: DownloadConfig, part: Path, last_attempt: bool) -> None:
    """Append to `part` what it lacks; a connection that breaks is an error in the last attempt, or without progress."""
    have = part.stat().st_size
    try:
        request = urllib.request.Request(source.url, headers={"User-Agent": "Mozilla/5.0 (corpus download)"})
        if have:
            request.add_header("Range", f"bytes={have}-")
        with urllib.request.urlopen(request, timeout=_TIMEOUT) as response:
            resumed = response.status == 206 and response.headers.get("Content-Range", "").startswith(f"bytes {have}-")
            start = have if resumed else 0  # A server that ignores ranges sends everything again.
            coming = response.headers.get("Content-Length")
            if coming is not None and start + int(coming) != source.size:
                offer = f"the server offers {start + int(coming)} bytes, but {source.size} are expected"
                raise UserError(f"{source.url}: {offer}; check download.url and its size")
            bar = tqdm(total=source.size, initial=start, desc=part.stem, **_BAR)
            with part.open("ab" if start else "wb") as file, bar:
                # More than expected is an error that the size check tells, without filling the disk.
                while file.tell() <= source.size and (block := response.read(_BLOCK)):
                    file.write(block)
                    bar.update(len(block))
    except urllib.error.HTTPError as error:
        if error.code == 416 and not last_attempt:
            part.write_bytes(b"")  # The server has no such range; begin again.
            return
        raise UserError(f"{source.url}: the server answers {error.code} ({error.reason}); check download.url") from None
    except (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError, ssl.SSLError) as error:
        received = part.stat().st_size
        if last_attempt or received <= have:
            reason = getattr(error, "reason", None) or error
            kept = f"; {received} of {source.size} bytes are kept, run stage 0 again to go on" if received else ""
            raise UserError(f"{source.url}: cannot be reached ({reason}); check the connection{kept}") from None
    except ValueError as error:
        raise UserError(f"{source.url}: no usable address ({error})") from None


def _move_aside(path: Path, reason: str) -> NoReturn:
    bad = path.with_name(path.name.removesuffix(".part") + ".bad")
    os.replace(path, bad)
    raise UserError(f"the download {reason}; it was moved to {shown(bad)}: run stage 0 again, or check download.url")


def unpack_archive(archive: Path, target: Path) -> None:
    """Unpack a .tar (.gz, .bz2, .xz) or .zip, and move the folder in it that is a corpus to `target`; UserError."""
    temporary = target.parent / f".unpack-{target.name}"
    shutil.rmtree(temporary, ignore_errors=True)  # What a killed attempt left.
    # One level deeper, so that an archive without a folder of its own can be moved as a whole.
    inside = temporary / "archive"
    inside.mkdir(parents=True)
    try:
        _unpack(archive, inside)
        folders = [path for path in [inside, *sorted(inside.iterdir())] if path.is_dir()]
        # The corpus itself, or else what has it somewhere below.
        wanted = next((path for below in (False, True) for path in folders if layout_of(path, below)), None)
        if wanted is None:
            raise UserError(f"{shown(archive)}: there is no corpus in it, neither metadata.csv and wavs/ nor another")
        if target.is_dir():
            target.rmdir()  # Succeeds for an empty folder only.
        os.replace(wanted, target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _unpack(archive: Path, folder: Path) -> None:
    def plain_tar(member: tarfile.TarInfo, path: str) -> tarfile.TarInfo:
        if not member.isfile() and not member.isdir():  # a corpus needs no others
            raise UserError(f"{shown(archive)}: refused, its entry {member.name!r} is a link or a device")
        return tarfile.data_filter(member.replace(name=plain(member.name)), path)

    def plain(name: str) -> str:
        path = PurePosixPath(name.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts or ":" in name.split("/")[0]:
            raise UserError(f"{shown(archive)}: refused, its entry {name!r} would be written outside the folder")
        return name

    size = archive.stat().st_size
    try:
        with archive.open("rb") as raw, tqdm.wrapattr(raw, "read", size, desc="unpacking", **_BAR) as file:
            if archive.suffix.lower() == ".zip":
                with zipfile.ZipFile(raw) as zipped:
                    zipped.extractall(folder, [plain(name) for name in zipped.namelist()])
            else:
                with tarfile.open(fileobj=file, mode="r|*") as tar:
                    tar.extractall(folder, filter=plain_tar)
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
