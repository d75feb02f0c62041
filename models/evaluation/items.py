"""What is to be judged: synthesised speech of any system, with its text and, if there is one, the recording."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

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
        row = _row(line, f"{shown(manifest)}, line {number}")
        key = row["id"]
        if key in items:
            raise UserError(f"{shown(manifest)}, line {number}: the id {key} comes twice; ids must be unique")
        reference = row.get("reference")
        items[key] = Item(
            id=key,
            text=row["text"],
            audio=find_audio(folder, key) if row.get("wav") is None else folder / row["wav"],
            recording=recording_of(key) if reference is None else folder / reference,
        )
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
    for suffix in AUDIO_TYPES:
        candidate = folder / f"{key}{suffix}"
        if candidate.is_file():
            return candidate
    return folder / f"{key}.wav"
