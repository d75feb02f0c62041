"""What is to be judged: synthesised speech of any system, with its text and, if there is one, the recording."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from pydantic import BaseModel, ValidationError

from processors.corpus import ProcessedCorpus, Utterance
from utils.errors import UserError, one_line
from utils.files import disk_errors, regular, shown, write_json_lines

AUDIO_TYPES = (".wav", ".flac", ".ogg", ".mp3", ".opus")


@dataclass(frozen=True)
class AlignmentRecord:
    """How a network that aligns by itself placed the tokens."""

    tokens: tuple[str, ...]  # (T_text)
    durations: np.ndarray  # (T_text,) frames, of the synthesis
    log_p_attn: np.ndarray | None = None  # (T, T_text), of the recording
    path: np.ndarray | None = None  # (T,) token of each frame of the recording


@dataclass(frozen=True)
class Item:
    """One utterance to judge."""

    id: str
    text: str
    audio: Path
    recording: Path | None = None
    copy: Path | None = None
    alignment: AlignmentRecord | None = None


class SplitRecordings:
    """Utterances of one split of opened corpora, by id; their audio is written where it is asked for."""

    def __init__(self, corpora: Sequence[ProcessedCorpus], split: str, folder: Path) -> None:
        """`folder` is the report's. Raises UserError for an unknown split."""
        self.folder = folder / "recordings"
        self.utterances: dict[str, tuple[ProcessedCorpus, Utterance]] = {}
        for corpus in corpora:
            self.utterances |= {utterance.id: (corpus, utterance) for utterance in corpus.split(split)}

    def rows(self) -> list[ManifestRow]:
        """Every utterance with its text, in the corpus's order."""
        return [ManifestRow(id=key, text=utterance.text) for key, (_, utterance) in self.utterances.items()]

    def __call__(self, key: str) -> Path | None:
        """The recording of an id as a FLAC file; None for an id that the split does not have."""
        if key not in self.utterances:
            return None
        corpus, utterance = self.utterances[key]
        path = self.folder / f"{file_name(key)}.flac"
        with disk_errors(path):
            self.folder.mkdir(parents=True, exist_ok=True)
            audio, _, _ = corpus.arrays(utterance.row)
            soundfile.write(path, audio, corpus.sample_rate, format="FLAC")
        return path


def file_name(key: str) -> str:
    """An id as the name of a file."""
    return key.replace("/", "_").replace("\\", "_")


def relative(path: Path, folder: Path) -> str:
    """How a report in `folder` names `path`: relative to it, so that both can move together."""
    return Path(os.path.relpath(path, folder)).as_posix()


def write_manifest(items: Sequence[Item], path: Path) -> None:
    """A manifest of what was spoken, so that it can be judged again without the voice."""
    rows = []
    for item in items:
        reference = None if item.recording is None else relative(item.recording, path.parent)
        rows.append(ManifestRow(id=item.id, text=item.text, wav=relative(item.audio, path.parent), reference=reference))
    with disk_errors(path):
        write_json_lines(path, [row.model_dump(exclude_none=True) for row in rows])


class ManifestRow(BaseModel, strict=True):
    """One line of a manifest; `reference` is a recording of the same text."""

    id: str
    text: str
    wav: str | None = None
    reference: str | None = None


def read_manifest(manifest: Path) -> list[ManifestRow]:
    """The lines of a JSON Lines file; UserError when it is not such a manifest, or when an id comes twice."""
    try:
        lines = regular(manifest).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"the manifest {shown(manifest)} cannot be read: {error}") from None
    rows: dict[str, ManifestRow] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        where = f"{shown(manifest)}, line {number}"
        try:
            row = ManifestRow.model_validate_json(line)
        except ValidationError as error:
            problem = error.errors()[0]
            name = f"{problem['loc'][0]}: " if problem["loc"] else ""
            needed = "id and text, and optionally wav and reference, all strings"
            raise UserError(f"{where}: needs the keys {needed} ({name}{one_line(problem['msg'])})") from None
        if row.id in rows:
            raise UserError(f"{where}: the id {row.id} comes twice; ids must be unique")
        rows[row.id] = row
    if not rows:
        raise UserError(f"the manifest {shown(manifest)} is empty: give lines with id, text and wav")
    return list(rows.values())


def items_of(rows: Iterable[ManifestRow], folder: Path, recording_of: Callable[[str], Path | None]) -> list[Item]:
    """Items whose relative paths start at `folder`; without `wav` the audio is <folder>/<id>.wav (or .flac ...).

    `recording_of` finds the recording of an id without `reference`. Files need not exist: that is reported utterance
    by utterance.
    """
    return [
        Item(
            row.id,
            row.text,
            find_audio(folder, row.id) if row.wav is None else folder / row.wav,
            recording_of(row.id) if row.reference is None else folder / row.reference,
        )
        for row in rows
    ]


def find_audio(folder: Path, key: str) -> Path:
    """The audio file of an id in `folder`, of any type that is read; <id>.wav where there is none."""
    candidates = [folder / f"{key}{suffix}" for suffix in AUDIO_TYPES]
    return next((path for path in candidates if path.is_file()), candidates[0])
