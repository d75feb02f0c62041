"""Corpora in LJSpeech's layout: metadata.csv with `id|text|normalised text`, and the recordings in wavs/."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from utils.errors import UserError

# In this order where one id has several recordings; all are formats that libsndfile reads.
AUDIO_SUFFIXES = (".wav", ".flac", ".ogg", ".opus", ".mp3", ".aiff", ".aif", ".au", ".caf", ".w64", ".rf64")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
MAX_ID_LENGTH = 200


@dataclass(frozen=True)
class RawUtterance:
    """What a corpus says of one utterance."""

    id: str
    text: str
    audio_path: Path
    speaker: str


@dataclass(frozen=True)
class Skipped:
    """An utterance that is left out: `kind` for counting, `reason` for reading."""

    id: str
    kind: str
    reason: str


def read_corpus(folder: Path, name: str) -> tuple[list[RawUtterance], list[Skipped]]:
    """Utterances of the corpus in `folder`, in the order of metadata.csv, and the lines that are left out.

    The third column is the text where it is not empty, otherwise the second. Raises UserError when the folder or its
    metadata.csv is missing or unreadable; `name` is the corpus's name in the config.
    """
    folder = Path(folder)
    metadata, recordings = folder / "metadata.csv", folder / "wavs"
    hint = f"correct dataset_path.{name} in the config, or get the corpus with stage 0 (run.sh --stage 0)"
    if not folder.is_dir():
        raise UserError(f"the corpus folder {folder} does not exist: {hint}")
    if not metadata.is_file():
        raise UserError(f"{metadata} does not exist, so {folder} is no corpus in LJSpeech's layout: {hint}")
    if not recordings.is_dir():
        raise UserError(f"{recordings} does not exist, so {folder} is no corpus in LJSpeech's layout: {hint}")
    try:
        content = metadata.read_bytes()
    except OSError as error:
        raise UserError(f"{metadata} cannot be read ({error.strerror or error}): {hint}") from error
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise UserError(f"{metadata} is UTF-16: save it as UTF-8")

    find = _Recordings(recordings)
    kept: list[RawUtterance] = []
    skipped: list[Skipped] = []
    seen: dict[str, int] = {}
    lines = content.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        found = _parse(line, number, seen, find, name)
        (skipped if isinstance(found, Skipped) else kept).append(found)
    return kept, skipped


def _parse(line: bytes, number: int, seen: dict[str, int], find: _Recordings, speaker: str) -> RawUtterance | Skipped:
    """One line of metadata.csv as an utterance, or why it is none."""
    where = f"line {number} of metadata.csv"
    try:
        columns = line.decode("utf-8").split("|")
    except UnicodeDecodeError as error:
        label = _label(line.split(b"|")[0].decode("utf-8", errors="replace"), where)
        return Skipped(label, "bad encoding", f"{where} is not UTF-8 ({error.reason})")
    identity = columns[0].strip()
    label = _label(identity, where)
    if len(columns) not in (2, 3):
        return Skipped(label, "wrong columns", f"{where} has {len(columns)} columns, 2 or 3 are expected")
    problem = _bad_id(identity)
    if problem:
        return Skipped(label, "bad id", f"{where}: the id {problem}")
    if identity in seen:
        return Skipped(label, "duplicate id", f"{where} repeats the id of line {seen[identity]}")
    seen[identity] = number
    text = columns[-1].strip() or columns[1].strip()
    if not text:
        return Skipped(label, "empty text", f"{where} has no text")
    path = find(identity)
    if path is None:
        return Skipped(label, "missing audio", f"wavs/{label} does not exist with any of {' '.join(AUDIO_SUFFIXES)}")
    return RawUtterance(identity, text, path, speaker)


def _label(identity: str, where: str) -> str:
    """How a skipped line is called: by its id made printable, or by its place."""
    return "".join(c if c.isprintable() else "?" for c in identity.strip())[:MAX_ID_LENGTH] or where


def _bad_id(identity: str) -> str | None:
    """What is wrong with an id as the name of a file below a folder; None if nothing is."""
    parts = re.split(r"[/\\]", identity)
    if not identity:
        return "is empty"
    if _CONTROL.search(identity):
        return "has control characters"
    if len(identity) > MAX_ID_LENGTH:
        return f"has more than {MAX_ID_LENGTH} characters"
    if "\\" in identity or any(part in ("", ".", "..") for part in parts) or re.match(r"[A-Za-z]:", identity):
        return "leads out of the wavs folder"
    return None


class _Recordings:
    """Looks recordings up by id; reads each folder once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._listing = lru_cache(maxsize=None)(self._list)

    def __call__(self, identity: str) -> Path | None:
        parent, _, stem = identity.rpartition("/")
        # macOS may store accents as two characters where metadata.csv has one.
        return self._listing(parent).get(unicodedata.normalize("NFC", stem))

    def _list(self, parent: str) -> dict[str, Path]:
        folder = self._folder / parent
        best: dict[str, tuple[int, Path]] = {}
        try:
            paths = sorted(folder.iterdir()) if folder.is_dir() else []
        except OSError as error:
            raise UserError(f"{folder} cannot be read ({error.strerror or error})") from error
        for path in paths:
            suffix, stem = path.suffix.lower(), unicodedata.normalize("NFC", path.stem)
            if suffix in AUDIO_SUFFIXES:
                rank = AUDIO_SUFFIXES.index(suffix)
                if stem not in best or rank < best[stem][0]:
                    best[stem] = (rank, path)
        return {stem: path for stem, (_, path) in best.items()}
