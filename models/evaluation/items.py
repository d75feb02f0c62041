"""What is to be judged: synthesised speech of any system, with its text and, if there is one, the recording."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from config.schema import ExperimentConfig
from processors.corpus import ProcessedCorpus, Utterance, corpus_directory
from utils.atomic import disk_errors, write_json_lines
from utils.errors import UserError
from utils.json_text import parse_json
from utils.paths import shown

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


RecordingOf = Callable[[str], Path | None]


class SplitRecordings:
    """Utterances of one split of all of config.dataset, by id; their audio is written where it is asked for."""

    def __init__(self, config: ExperimentConfig, split: str, folder: Path) -> None:
        """`folder` is the report's. Raises UserError for a corpus that is missing or stale, or an unknown split."""
        self.folder = folder / "recordings"
        self.utterances: dict[str, tuple[ProcessedCorpus, Utterance]] = {}
        for name in config.dataset:
            corpus = ProcessedCorpus.open(corpus_directory(config.preprocess, name), config.preprocess)
            self.utterances |= {utterance.id: (corpus, utterance) for utterance in corpus.split(split)}

    def texts(self) -> list[tuple[str, str]]:
        """(id, text) of every utterance, in the manifest's order."""
        return [(key, utterance.text) for key, (_, utterance) in self.utterances.items()]

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
    rows: list[dict[str, object]] = []
    for item in items:
        row: dict[str, object] = {"id": item.id, "text": item.text, "wav": relative(item.audio, path.parent)}
        rows.append(row if item.recording is None else {**row, "reference": relative(item.recording, path.parent)})
    with disk_errors(path):
        write_json_lines(path, rows)


def read_manifest(manifest: Path, wavs: Path | None, recording_of: RecordingOf) -> list[Item]:
    """Items of a JSON Lines file with the keys id, text, wav and reference (a recording); the last two may be missing.

    Relative paths start at `wavs`, or at the manifest's folder; without `wav` it is <wavs>/<id>.wav (or .flac ...).
    `recording_of` finds the recording of an id without `reference`. Files need not exist: that is reported
    utterance by utterance. Raises UserError for a file that is not such a manifest, or for an id that comes twice.
    """
    try:
        lines = manifest.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"the manifest {shown(manifest)} cannot be read: {error}") from None
    folder = manifest.parent if wavs is None else wavs
    items: dict[str, Item] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        where = f"{shown(manifest)}, line {number}"
        row = _row(line, where)
        key, wav, reference = row["id"], row.get("wav"), row.get("reference")
        if key in items:
            raise UserError(f"{where}: the id {key} comes twice; ids must be unique")
        audio = find_audio(folder, key) if wav is None else folder / wav
        items[key] = Item(key, row["text"], audio, recording_of(key) if reference is None else folder / reference)
    if not items:
        raise UserError(f"the manifest {shown(manifest)} is empty: give lines with id, text and wav")
    return list(items.values())


def _row(line: str, where: str) -> dict[str, Any]:
    try:
        row = parse_json(line)
    except ValueError as error:
        raise UserError(f"{where}: not JSON ({error})") from None
    if not isinstance(row, dict) or not isinstance(row.get("id"), str) or not isinstance(row.get("text"), str):
        raise UserError(f"{where}: needs the keys id and text, both strings")
    for key in ("wav", "reference"):
        if not isinstance(row.get(key), (str, type(None))):
            raise UserError(f"{where}: {key} must be a path")
    return row


def items_of_folder(wavs: Path, texts: Iterable[tuple[str, str]], recording_of: RecordingOf) -> list[Item]:
    """Items for (id, text) pairs whose audio is <wavs>/<id>.wav (or .flac ...)."""
    if not wavs.is_dir():
        raise UserError(f"there is no folder {shown(wavs)}")
    return [Item(key, text, find_audio(wavs, key), recording_of(key)) for key, text in texts]


def find_audio(folder: Path, key: str) -> Path:
    """The audio file of an id in `folder`, of any type that is read; <id>.wav where there is none."""
    candidates = [folder / f"{key}{suffix}" for suffix in AUDIO_TYPES]
    return next((path for path in candidates if path.is_file()), candidates[0])
