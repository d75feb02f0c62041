"""From utterances to finished shards: what a worker process of stage 1 does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from preprocessors.store import Arrays, Record, WorkItem, shard_name, write_shard
from processors.audio import AudioProblem, active_level_db, load_recording
from processors.energy import frame_energy
from processors.pitch import continuous_log_f0, extract_f0_batch
from utils.atomic import disk_errors
from utils.config.paths import project_path
from utils.config.schema import PreprocessConfig
from utils.errors import UserError

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
    prepared: list[tuple[WorkItem, str, list[str], np.ndarray]] = []
    for item in items:
        try:
            prepared.append((item, *_prepare(item, config, front_end)))
        except AudioProblem as problem:
            results[item.key] = Record(item.key, item.id, problem.kind, str(problem))
        except UserError as error:
            results[item.key] = Record(item.key, item.id, "text", str(error))
        except Exception as error:  # noqa: BLE001  one bad utterance must not end a run of hours
            results[item.key] = Record(item.key, item.id, "failed", f"{type(error).__name__}: {error}")

    waves = [audio.astype(np.float32) / np.float32(32768) for *_, audio in prepared]
    pitches = extract_f0_batch(waves, config.sample_rate, config.hop_size, config.f0_min, config.f0_max)
    arrays: list[Arrays] = []
    for (item, normalised, phones, audio), wave, f0 in zip(prepared, waves, pitches):
        if not f0.any():
            reason = f"no voiced speech between {config.f0_min:g} and {config.f0_max:g} Hz was found"
            results[item.key] = Record(item.key, item.id, "unvoiced", reason)
            continue
        energy = frame_energy(wave, config.n_fft, config.win_size, config.hop_size).astype(np.float64)
        results[item.key] = Record(
            key=item.key,
            id=item.id,
            normalised=normalised,
            phones=tuple(phones),
            length=len(audio),
            frames=len(f0),
            level_db=round(active_level_db(wave, config.sample_rate), 3),
            energy_sum=float(energy.sum()),
            energy_square_sum=float(np.square(energy).sum()),
        )
        arrays.append(Arrays(audio, continuous_log_f0(f0), (f0 > 0).astype(np.uint8)))
    return [results[item.key] for item in items], arrays


def _prepare(item: WorkItem, config: PreprocessConfig, front_end: TextFrontEnd) -> tuple[str, list[str], np.ndarray]:
    """Normalised text, phones, and audio (N,) int16 of one utterance."""
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
    return normalised, phones, audio
