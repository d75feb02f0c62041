"""Stage 0: a corpus archive from its public home into `dataset_path`, complete and verified, or not at all."""

from __future__ import annotations

import errno
import hashlib
import http.client
import os
import shutil
import ssl
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

from tqdm import tqdm

from config.schema import DownloadConfig, ExperimentConfig
from preprocessors.unpack import unpack_archive
from utils.errors import UserError
from utils.paths import project_path, shown

_BLOCK = 1 << 20
_TIMEOUT = 60.0
_ATTEMPTS = 5


def is_corpus(folder: Path) -> bool:
    """Whether a folder has LJSpeech's layout: metadata.csv and wavs/."""
    return (folder / "metadata.csv").is_file() and (folder / "wavs").is_dir()


def download_datasets(config: ExperimentConfig) -> list[Path]:
    """Folders of all corpora of a config; those that are not there yet are downloaded."""
    return [download_dataset(config, name) for name in config.dataset]


def download_dataset(config: ExperimentConfig, name: str) -> Path:
    """Folder of one corpus, downloaded unless it is there; UserError says what is in the way."""
    target = project_path(config.dataset_path[name])
    if is_corpus(target):
        print(f"{name}: already in {shown(target)}")
        return target
    if target.is_symlink() or target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UserError(
            f"{shown(target)} exists and is no corpus (no metadata.csv and wavs/ in it); "
            f"move it away, or set dataset_path.{name} to another folder"
        )
    source = config.download.get(name)
    if source is None:
        raise UserError(
            f"{name}: {shown(target)} does not exist, and download.{name} gives no address to get it from; "
            f"put the corpus there or set dataset_path.{name}"
        )
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        archive = fetch(source, target.parent)
        print(f"{name}: unpacking {shown(archive)}")
        unpack_archive(archive, target, is_corpus)
        archive.unlink()
    except OSError as error:
        raise UserError(_disk_sentence(error, target.parent)) from error
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
            have = part.stat().st_size
            if have >= source.size:
                break
            if shutil.disk_usage(folder).free < source.size - have:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            _receive(source, part, last_attempt=attempt == _ATTEMPTS)
    finally:
        if part.stat().st_size == 0:
            part.unlink()
    if not part.exists():
        raise UserError(f"{source.url}: the server sends nothing; check download.url")
    _require_size(source, part)
    _require_digest(source, part)
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
                raise UserError(_other_file(source, start + int(coming)))
            _copy(response, part, start, source.size)
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


def _other_file(source: DownloadConfig, size: int) -> str:
    return (
        f"{source.url}: the server offers {size} bytes, but {source.size} are expected; check download.url and its size"
    )


def _copy(response: http.client.HTTPResponse, part: Path, start: int, size: int) -> None:
    with part.open("ab" if start else "wb") as file, _bar(size, start, part.stem) as bar:
        while block := response.read(_BLOCK):
            file.write(block)
            bar.update(len(block))
            if file.tell() > size:
                break  # More than expected: the size check says so, without filling the disk.


def _require_size(source: DownloadConfig, path: Path) -> None:
    size = path.stat().st_size
    if size < source.size:
        raise UserError(
            f"{shown(path)}: the connection ended after {size} of {source.size} bytes; run stage 0 again to go on"
        )
    if size > source.size:
        _move_aside(path, f"has {size} bytes or more, but {source.size} are expected")


def _require_digest(source: DownloadConfig, path: Path) -> None:
    digest = hashlib.sha256()
    with path.open("rb") as file, _bar(source.size, 0, "checking") as bar:
        while block := file.read(_BLOCK):
            digest.update(block)
            bar.update(len(block))
    if digest.hexdigest() != source.sha256:
        _move_aside(path, f"has the SHA-256 digest {digest.hexdigest()}, but {source.sha256} is expected")


def _move_aside(path: Path, reason: str) -> None:
    bad = path.with_name(path.name.removesuffix(".part") + ".bad")
    os.replace(path, bad)
    raise UserError(f"the download {reason}; it was moved to {shown(bad)}: run stage 0 again, or check download.url")


def _bar(total: int, start: int, label: str) -> tqdm:
    return tqdm(total=total, initial=start, unit="B", unit_scale=True, unit_divisor=1024, desc=label, leave=False)


def _disk_sentence(error: OSError, folder: Path) -> str:
    if error.errno == errno.ENOSPC:
        free = shutil.disk_usage(folder).free
        return f"the disk of {shown(folder)} is full ({free / 1e9:.1f} GB free); make room and run stage 0 again"
    return f"{shown(error.filename or folder)}: {error.strerror or error}"
