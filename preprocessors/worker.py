"""From utterances to finished shards: what a worker process of stage 1 does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from config.schema import PreprocessConfig
from preprocessors.store import Arrays, Record, WorkItem, shard_name, write_shard
from processors.audio.frame_energy import frame_energy
from processors.audio.pitch import continuous_log_f0, extract_f0_batch
from processors.audio.recording import AudioProblem, active_level_db, load_recording
from utils.atomic import disk_errors
from utils.errors import UserError
from utils.paths import project_path

if TYPE_CHECKING:
    from processors.text.frontend import TextFrontEnd


def make_worker(config: PreprocessConfig, folder: Path) -> Callable[[list[WorkItem]], tuple[str, int]]:
    """Function from utterances to the path of the shard that it writes into `folder`, and their number."""
    from processors.text.frontend import TextFrontEnd  # slow: dictionaries

    paths = {key: getattr(config, key) for key in ("lexicon_path", "tokens_path")}
    config = config.model_copy(update={key: str(project_path(path)) for key, path in paths.items() if path})
    front_end = TextFrontEnd.from_config(config)

    def work(items: list[WorkItem]) -> tuple[str, int]:
        records, arrays = process_items(items, config, front_end)
        path = folder / shard_name(items)
        try:
            with disk_errors(folder):
                write_shard(path, records, arrays, front_end.tokens)
        except FileNotFoundError as error:
            raise UserError(f"{folder} vanished during the run: run stage 1 again") from error
        return str(path), len(items)

    return work


def process_items(
    items: list[WorkItem], config: PreprocessConfig, front_end: TextFrontEnd
) -> tuple[list[Record], list[Arrays]]:
    """Record of every item, in order, and the arrays of those that are kept.

    Whatever is wrong with one of them becomes its reason; the others are not touched.
    """
    results: dict[str, Record] = {}
    prepared: list[_Prepared] = []
    for item in items:
        try:
            prepared.append(_prepare(item, config, front_end))
        except Exception as error:  # one bad utterance must not end a run of hours
            results[item.key] = _skipped(item, error)

    arrays: list[Arrays] = []
    for utterance, f0 in zip(prepared, _pitches(prepared, config)):
        try:
            results[utterance.item.key], found = _features(utterance, f0, config)
            arrays.append(found)
        except Exception as error:  # likewise
            results[utterance.item.key] = _skipped(utterance.item, error)
    return [results[item.key] for item in items], arrays


@dataclass(frozen=True)
class _Prepared:
    item: WorkItem
    normalised: str
    phones: list[str]
    audio: np.ndarray  # (N,) int16
    wave: np.ndarray  # (N,) float32, the same


def _skipped(item: WorkItem, error: Exception) -> Record:
    if isinstance(error, AudioProblem):
        return Record(item.key, item.id, error.kind, str(error))
    if isinstance(error, UserError):
        return Record(item.key, item.id, "text", str(error))
    return Record(item.key, item.id, "failed", f"{type(error).__name__}: {error}")


def _pitches(prepared: list[_Prepared], config: PreprocessConfig) -> list[np.ndarray | Exception]:
    """F0 (T,) of each utterance, or what prevented it."""
    settings = (config.sample_rate, config.hop_size, config.f0_min, config.f0_max)
    try:
        return list(extract_f0_batch([utterance.wave for utterance in prepared], *settings))
    except Exception as error:  # one of them is to blame: whichever fails alone
        return [error] if len(prepared) == 1 else [f0 for one in prepared for f0 in _pitches([one], config)]


def _features(utterance: _Prepared, f0: np.ndarray | Exception, config: PreprocessConfig) -> tuple[Record, Arrays]:
    """Record and arrays of a good utterance. Raises AudioProblem when nothing in it is voiced."""
    if isinstance(f0, Exception):
        raise f0
    if not f0.any():
        raise AudioProblem("unvoiced", f"no voiced speech from {config.f0_min:g} to {config.f0_max:g} Hz was found")
    energy = frame_energy(utterance.wave, config.n_fft, config.win_size, config.hop_size).astype(np.float64)
    record = Record(
        key=utterance.item.key,
        id=utterance.item.id,
        normalised=utterance.normalised,
        phones=tuple(utterance.phones),
        length=len(utterance.audio),
        frames=len(f0),
        level_db=round(active_level_db(utterance.wave, config.sample_rate), 3),
        energy_sum=float(energy.sum()),
        energy_square_sum=float(np.square(energy).sum()),
    )
    return record, Arrays(utterance.audio, continuous_log_f0(f0), (f0 > 0).astype(np.uint8))


def _prepare(item: WorkItem, config: PreprocessConfig, front_end: TextFrontEnd) -> _Prepared:
    """Text and audio of one utterance. Raises TextError or AudioProblem."""
    normalised = front_end.normalise(item.text)
    phones = front_end.phonemise(item.text)
    audio = load_recording(Path(item.audio_path), config)
    seconds = len(audio) / config.sample_rate
    if len(normalised) > config.max_chars_per_second * seconds:
        raise AudioProblem(
            "text too long",
            f"{len(normalised)} characters in {seconds:.2f} s is more than max_chars_per_second "
            f"({config.max_chars_per_second:g}): text and recording do not belong together",
        )
    return _Prepared(item, normalised, phones, audio, audio.astype(np.float32) / np.float32(32768))
