"""Corpora in LJSpeech's layout: metadata.csv with `id|text|normalised text`, and the recordings in wavs/."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

from preprocessors.features import SourceRow
from processors.corpus import LONGEST_ID, id_problem
from utils.errors import UserError

# In this order where one id has several recordings; all are formats that libsndfile reads.
AUDIO_SUFFIXES = (".wav", ".flac", ".ogg", ".opus", ".mp3", ".aiff", ".aif", ".au", ".caf", ".w64", ".rf64")
MAX_TEXT_LENGTH = 10_000  # no recording is as long, and a damaged file may be one line


def is_ljspeech(folder: Path) -> bool:
    """Whether a folder has this layout."""
    return (folder / "metadata.csv").is_file() and (folder / "wavs").is_dir()


def read_ljspeech(folder: Path, name: str) -> Iterator[SourceRow]:
    """Rows of the corpus `name` in `folder` in the order of metadata.csv, bad lines among them. Raises UserError."""
    folder = Path(folder)
    metadata, recordings = folder / "metadata.csv", folder / "wavs"
    hint = f"correct dataset_path.{name} in the config, or get the corpus with stage 0 (run.sh --stage 0)"
    if not folder.is_dir():
        raise UserError(f"the corpus folder {folder} does not exist: {hint}")
    for path, there in ((metadata, metadata.is_file()), (recordings, recordings.is_dir())):
        if not there:
            raise UserError(f"{path} does not exist, so {folder} is no corpus in LJSpeech's layout: {hint}")
    try:
        content = metadata.read_bytes()
    except OSError as error:
        raise UserError(f"{metadata} cannot be read ({error.strerror or error}): {hint}") from error
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise UserError(f"{metadata} is UTF-16: save it as UTF-8")

    find = _finder(recordings)
    seen: dict[str, int] = {}
    lines = content.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        where = f"line {number} of metadata.csv"
        row = _parse(line, where, find)
        if not row.kind and row.id in seen:
            row = SourceRow(row.id, kind="duplicate id", reason=f"{where} repeats the id of line {seen[row.id]}")
        elif not row.kind:
            seen[row.id] = number
            row = replace(row, speaker=name)
        yield row


def _parse(line: bytes, where: str, find: Callable[[str], Path | None]) -> SourceRow:
    """One line of metadata.csv as a row, good or not."""
    columns = line.decode("utf-8", errors="replace").split("|", 3)
    identity = columns[0].strip()
    label = "".join(c if c.isprintable() else "?" for c in identity[:LONGEST_ID]) or where

    def bad(kind: str, reason: str) -> SourceRow:
        return SourceRow(label, kind=kind, reason=reason)

    try:
        line.decode("utf-8")
    except UnicodeDecodeError as error:
        return bad("bad encoding", f"{where} is not UTF-8 ({error.reason})")
    if len(columns) == 1:
        return bad("wrong columns", f"{where} has no |; id|text or id|text|normalised text is expected")
    if len(columns) > 3:
        return bad("wrong columns", f"{where} has {line.count(b'|') + 1} columns, 2 or 3 are expected")
    if problem := id_problem(identity):
        return bad("bad id", f"{where}: the id {problem}")
    text = columns[-1].strip() or columns[1].strip()
    if not text:
        return bad("empty text", f"{where} has no text")
    if len(text) > MAX_TEXT_LENGTH:
        return bad("text too long", f"{where} has {len(text)} characters, more than any recording can hold")
    # What other programs write: wavs\a.wav for a.
    plain = identity.replace("\\", "/").removeprefix("wavs/")
    stem, dot, suffix = plain.rpartition(".")
    shorter = stem if f"{dot}{suffix}".lower() in AUDIO_SUFFIXES else plain
    for name in (identity, plain, shorter):
        if path := find(name):
            return SourceRow(name, text, path)
    return bad("missing audio", f"wavs/{label} does not exist with any of {' '.join(AUDIO_SUFFIXES)}")


def _finder(folder: Path) -> Callable[[str], Path | None]:
    """Function from an id to its recording below `folder`; reads each folder once."""

    @cache
    def listing(parent: str) -> dict[str, Path]:
        place = folder / parent
        try:
            paths = sorted(place.iterdir()) if place.is_dir() else []
        except OSError as error:
            raise UserError(f"{place} cannot be read ({error.strerror or error})") from error
        known = [path for path in paths if path.suffix.lower() in AUDIO_SUFFIXES]
        known.sort(key=lambda path: AUDIO_SUFFIXES.index(path.suffix.lower()), reverse=True)
        # macOS may store accents as two characters where metadata.csv has one.
        return {unicodedata.normalize("NFC", path.stem): path for path in known}

    def find(identity: str) -> Path | None:
        parent, _, stem = identity.rpartition("/")
        return listing(parent).get(unicodedata.normalize("NFC", stem))

    return find
