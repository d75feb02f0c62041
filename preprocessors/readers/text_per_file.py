"""Corpora with a small text file for each recording: VCTK and LibriTTS."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from preprocessors.features import SourceRow
from preprocessors.readers.audio_files import AUDIO_SUFFIXES, files_below
from preprocessors.readers.column_tables import MAX_TEXT_LENGTH
from processors.corpus import id_problem
from utils.errors import UserError

_MICROPHONE = re.compile(r"_mic\d$")


@dataclass(frozen=True)
class TextFiles:
    """Where texts and recordings lie (the first of the folders that is there), and which parent names the speaker."""

    texts: str
    ending: str
    recordings: tuple[str, ...]
    speaker: int
    microphones: bool = False  # a recording's name may have one after the id; the first in the alphabet is taken


TEXT_FILES = {
    "vctk": TextFiles("txt", ".txt", ("wav48_silence_trimmed", "wav48", "wav16"), 0, microphones=True),
    "libritts": TextFiles(".", ".normalized.txt", (".",), 1),
}


def read_text_files(folder: Path, kind: TextFiles, advice: str) -> Iterator[SourceRow]:
    """Rows of a corpus in `folder`, those without a text or a recording among them; UserError where none can be."""
    place = next((folder / name for name in kind.recordings if (folder / name).is_dir()), None)
    if place is None or not (folder / kind.texts).is_dir():
        wanted = " or ".join(f"{name}/" for name in kind.recordings)
        raise UserError(f"{folder} lacks {kind.texts}/ or {wanted}, so it is no corpus of that layout: {advice}")
    texts: dict[str, Path] = {}
    recordings: dict[str, Path] = {}
    for path in files_below(folder / kind.texts):
        if path.name.endswith(kind.ending):
            texts.setdefault(path.name.removesuffix(kind.ending), path)
    for path in files_below(place):
        if path.suffix.lower() in AUDIO_SUFFIXES:
            recordings.setdefault(_MICROPHONE.sub("", path.stem) if kind.microphones else path.stem, path)
    for key in sorted({*texts, *recordings}):
        label = "".join(c if c.isprintable() else "?" for c in key)
        if problem := id_problem(key):
            yield SourceRow(label, kind="bad id", reason=f"{label}: the id {problem}")
        elif key not in texts:
            yield SourceRow(label, kind="missing text", reason=f"{label}{kind.ending} does not exist")
        elif key not in recordings:
            reason = f"{label} does not exist with any of {' '.join(AUDIO_SUFFIXES)}"
            yield SourceRow(label, kind="missing audio", reason=reason)
        else:
            yield _row(key, texts[key], recordings[key], kind)


def _row(key: str, source: Path, recording: Path, kind: TextFiles) -> SourceRow:
    try:
        text = " ".join(source.read_bytes().decode("utf-8-sig").split())
    except UnicodeDecodeError as error:
        return SourceRow(key, kind="bad encoding", reason=f"{source.name} is not UTF-8 ({error.reason})")
    except OSError as error:
        return SourceRow(key, kind="missing text", reason=f"{source.name}: {error.strerror or error}")
    if not text:
        return SourceRow(key, kind="empty text", reason=f"{source.name} is empty")
    if len(text) > MAX_TEXT_LENGTH:
        reason = f"{source.name} has {len(text)} characters, more than any recording can hold"
        return SourceRow(key, kind="text too long", reason=reason)
    return SourceRow(key, text, recording, recording.parents[kind.speaker].name)
