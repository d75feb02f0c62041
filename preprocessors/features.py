"""From the rows of a corpus to finished shards: which of them share one, and what a worker process does with them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from config.schema import PreprocessConfig
from processors.audio.pitch import continuous_log_f0, extract_f0_batch
from processors.audio.recording import AudioProblem, active_level_db, frame_energy, load_recording
from processors.corpus import UTTERANCE_KEYS, digest, fingerprint
from processors.store import shard_batch, write_batch
from utils.errors import UserError, one_line
from utils.files import disk_errors, project_path

if TYPE_CHECKING:
    from processors.text.frontend import TextFrontEnd

DIED = "worker died"
# Utterances that are worked on together and share a file: few enough that little is lost by an interruption.
MEAN_GROUP, LARGEST_GROUP = 64, 128
# As many share a search for F0, which is faster.
TOGETHER = 24

Row = dict[str, Any]  # of a shard
FrontEnds = Callable[[str], "TextFrontEnd"]  # of each language


@dataclass(frozen=True)
class SourceRow:
    """What a corpus says of one utterance; `kind` and `reason` say why it is none, `key` changes with its features."""

    id: str
    text: str = ""
    audio: Path = Path()
    speaker: str = ""
    language: str = ""
    kind: str = ""
    reason: str = ""
    key: str = ""


def with_keys(rows: Iterable[SourceRow], preprocess: PreprocessConfig) -> list[SourceRow]:
    """The rows with their keys, in which a recording counts by its size and date; a row without one is left out."""
    common = fingerprint(preprocess, UTTERANCE_KEYS)
    result = []
    for row in rows:
        if not row.kind:
            name = row.audio.name
            try:
                status = row.audio.stat()
                facts = [common, row.id, row.text, name, status.st_size, status.st_mtime_ns]
                own = [] if row.language == preprocess.language else [row.language]
                row = replace(row, key=digest([*facts, *own]))
            except OSError as error:
                row = replace(row, kind="missing audio", reason=f"{name}: {error.strerror}")
        result.append(row)
    return result


def grouped(rows: list[SourceRow]) -> list[list[SourceRow]]:
    """Good rows in groups of about MEAN_GROUP, ending at ids of a certain hash: a new row moves no other's borders."""
    groups: list[list[SourceRow]] = [[]]
    for row in rows:
        groups[-1].append(row)
        mark = hashlib.blake2b(row.id.encode("utf-8", "surrogatepass"), digest_size=4).digest()
        if len(groups[-1]) == LARGEST_GROUP or int.from_bytes(mark, "big") % MEAN_GROUP == 0:
            groups.append([])
    return [group for group in groups if group]


def group_key(group: list[SourceRow]) -> str:
    """Changes when any of its rows does."""
    return digest([row.key for row in group])


def make_worker(config: PreprocessConfig, folder: Path) -> Callable[..., tuple[str, int]]:
    """Function for preprocessors/pool.py: a group of rows -> name of the shard that it writes, and their number."""
    from processors.text.frontend import TextFrontEnd  # slow: dictionaries

    paths = {key: getattr(config, key) for key in ("lexicon_path", "tokens_path")}
    config = config.model_copy(update={key: str(project_path(path)) for key, path in paths.items() if path})

    @cache
    def front_end(language: str) -> TextFrontEnd:
        return TextFrontEnd.from_config(config.for_language(language))

    tokens = front_end(config.language).tokens
    numbers = {token: number for number, token in enumerate(tokens)}

    def work(
        group: list[SourceRow], died: dict[int, int | None], note: Callable[[int], None] | None = None
    ) -> tuple[str, int]:
        made: dict[int, Row] = {}
        for position, code in died.items():
            reason = f"a worker process died on it (exit code {code})"
            made[position] = {"id": group[position].id, "kind": DIED, "reason": reason}
        todo = [position for position in range(len(group)) if position not in died]
        size = TOGETHER if note is None else 1
        for positions in (todo[start : start + size] for start in range(0, len(todo), size)):
            if note is not None:
                note(positions[0])
            made |= zip(positions, features([group[position] for position in positions], config, front_end))
        rows = [made[position] for position in range(len(group))]
        for row in rows:
            row["phones"] = np.array([numbers[phone] for phone in row.get("phones", ())], np.int16)
        try:
            with disk_errors(folder):
                path = write_batch(folder, group_key(group), shard_batch(rows, tokens))
        except FileNotFoundError as error:
            raise UserError(f"{folder} vanished during the run: run stage 1 again") from error
        return path.name, len(group)

    return work


def features(group: list[SourceRow], config: PreprocessConfig, front_end: FrontEnds) -> list[Row]:
    """Row of a shard for each source row; whatever is wrong with one becomes its reason, and touches no other."""
    rows: list[Row] = []
    waves: dict[int, np.ndarray] = {}
    for number, source in enumerate(group):
        try:
            row, waves[number] = _prepare(source, config, front_end(source.language))
        except Exception as error:  # one bad utterance must not end a run of hours
            row = _left_out(source, error)
        rows.append(row)
    for number, f0 in zip(waves, _pitches(list(waves.values()), config)):
        try:
            rows[number] |= _measures(waves[number], f0, config)
        except Exception as error:  # likewise
            rows[number] = _left_out(group[number], error)
    return rows


def _left_out(source: SourceRow, error: Exception) -> Row:
    kind, reason = "failed", f"{type(error).__name__}: {error}"
    if isinstance(error, (AudioProblem, UserError)):
        kind, reason = getattr(error, "kind", "text"), str(error)
    return {"id": source.id, "kind": kind, "reason": reason}


def _prepare(source: SourceRow, config: PreprocessConfig, front_end: TextFrontEnd) -> tuple[Row, np.ndarray]:
    """Text and samples of one utterance, and the samples again as float32 (N,). Raises UserError or AudioProblem."""
    normalised = front_end.normalise(source.text)
    phones = front_end.phonemise(source.text)
    words = front_end.left_out(source.text)
    notes = [f"words left out: {one_line(', '.join(words))}"] if words else []
    audio = load_recording(source.audio, config, notes.append)
    seconds = len(audio) / config.sample_rate
    if len(normalised) > config.max_chars_per_second * seconds:
        raise AudioProblem(
            "text too long",
            f"{len(normalised)} characters in {seconds:.2f} s is more than max_chars_per_second "
            f"({config.max_chars_per_second:g}): text and recording do not belong together",
        )
    row = {"id": source.id, "normalised": normalised, "phones": phones, "audio": audio, "notes": notes}
    return row, audio.astype(np.float32) / np.float32(32768)


def _pitches(waves: list[np.ndarray], config: PreprocessConfig) -> list[np.ndarray | Exception]:
    """F0 (T,) of each wave, or what prevented it."""
    settings = (config.sample_rate, config.hop_size, config.f0_min, config.f0_max)
    try:
        return list(extract_f0_batch(waves, *settings))
    except Exception as error:  # one of them is to blame: whichever fails alone
        return [error] if len(waves) == 1 else [f0 for wave in waves for f0 in _pitches([wave], config)]


def _measures(wave: np.ndarray, f0: np.ndarray | Exception, config: PreprocessConfig) -> Row:
    """F0, level and sums of a good utterance. Raises AudioProblem when nothing in it is voiced."""
    if isinstance(f0, Exception):
        raise f0
    if not f0.any():
        raise AudioProblem("unvoiced", f"no voiced speech from {config.f0_min:g} to {config.f0_max:g} Hz was found")
    log_f0 = continuous_log_f0(f0)
    energy = frame_energy(wave, config.n_fft, config.win_size, config.hop_size)
    row: Row = {"frames": len(f0), "log_f0": log_f0, "voiced": (f0 > 0).astype(np.uint8)}
    row["level_db"] = round(active_level_db(wave, config.sample_rate), 3)
    for name, values in (("log_f0", log_f0.astype(np.float64)), ("energy", energy.astype(np.float64))):
        row |= {f"{name}_sum": float(values.sum()), f"{name}_square_sum": float(np.square(values).sum())}
    return row
