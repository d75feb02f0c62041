"""Finished utterances become the processed corpus: splits, statistics, packed arrays, and the swap at the end."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from config.schema import PreprocessConfig
from preprocessors.corpus_report import CorpusFigures, report_text
from preprocessors.source import CorpusSource
from preprocessors.splits import assign_splits
from preprocessors.store import Record, Store, source_row
from processors.corpus import (
    AUDIO,
    FEATURES_VERSION,
    FORMAT_VERSION,
    LOG_F0,
    MANIFEST,
    META,
    SKIPPED,
    SOURCES,
    SPLIT_KEYS,
    SPLITS,
    TOKENS,
    UTTERANCE_KEYS,
    VOICED,
    Utterance,
    feature_values,
    fingerprint,
)
from processors.text.tokens import save_tokens
from utils.atomic import fsync_directory, write_json, write_json_lines, write_text
from utils.errors import UserError


def sibling(target: Path, role: str) -> Path:
    """Hidden folder beside `target`: "work", "new" or "old"."""
    return target.with_name(f".{target.name}.{role}")


def pack(target: Path, source: CorpusSource, store: Store, preprocess: PreprocessConfig) -> str:
    """Build the folder that `swap` puts in place of `target`; the report's text.

    The same utterances and config give the same bytes, however many processes and interruptions there were. Raises
    UserError when nothing is left to train on.
    """
    records = [store[item.key] for item in source.items]
    kept = [record for record in records if not record.kind]
    skipped = [{"id": s.id, "kind": s.kind, "reason": s.reason} for s in source.skipped]
    skipped += [{"id": r.id, "kind": r.kind, "reason": r.reason} for r in records if r.kind]
    splits = assign_splits(
        [record.normalised for record in kept],
        preprocess.valid_size,
        preprocess.test_size,
        preprocess.max_held_out_fraction,
        preprocess.split_seed,
    )
    if "train" not in splits:
        raise UserError(_nothing_left(source.name, skipped))
    unknown = {phone for record in kept for phone in record.phones}.difference(store.tokens)
    if unknown:
        # Only pieces of another version of the program can have them.
        raise UserError(
            f"features made earlier hold tokens that do not exist any more ({' '.join(sorted(unknown))}): "
            f"delete {target} and {sibling(target, 'work')}, and run stage 1 again"
        )

    folder = sibling(target, "new")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        utterances = _manifest(source, kept, splits)
        _write_arrays(folder, kept, store)
        write_json_lines(folder / MANIFEST, [utterance.to_json() for utterance in utterances])
        write_json_lines(folder / SKIPPED, skipped)
        write_json_lines(folder / SOURCES, [source_row(record) for record in records])
        save_tokens(folder / TOKENS, store.tokens, preprocess.phone_extractor, preprocess.language)
        figures = CorpusFigures(
            name=source.name,
            sample_rate=preprocess.sample_rate,
            utterances=utterances,
            levels_db=np.array([record.level_db for record in kept]),
            log_f0=np.fromfile(folder / LOG_F0, "<f4"),
            voiced=np.fromfile(folder / VOICED, "u1").astype(bool),
            skipped=skipped,
            statistics=_statistics(folder, utterances, kept),
        )
        text = report_text(figures)
        write_text(folder / "report.txt", text + "\n")
        _plot(folder / "plots", figures)
        meta = {
            "format_version": FORMAT_VERSION,
            "features_version": FEATURES_VERSION,
            "fingerprint": fingerprint(preprocess),
            "source": source.digest,
            "dataset": source.name,
            "sample_rate": preprocess.sample_rate,
            "hop_size": preprocess.hop_size,
            "statistics": figures.statistics,
            "utterances": {name: splits.count(name) for name in SPLITS},
            "preprocess": feature_values(preprocess, UTTERANCE_KEYS + SPLIT_KEYS),
        }
        write_json(folder / META, meta)
        fsync_directory(folder)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return text


def swap(target: Path) -> None:
    """Put the finished new folder in place of `target`."""
    old, new = sibling(target, "old"), sibling(target, "new")
    shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        os.rename(target, old)
    os.rename(new, target)
    fsync_directory(target.parent)
    shutil.rmtree(old, ignore_errors=True)


def finish_swap(target: Path) -> None:
    """Repair what a kill between the two renames of `swap` left: bring the earlier folder back."""
    old = sibling(target, "old")
    if old.exists() and not target.exists():
        os.rename(old, target)
    shutil.rmtree(old, ignore_errors=True)
    shutil.rmtree(sibling(target, "new"), ignore_errors=True)


def _nothing_left(name: str, skipped: list[dict[str, str]]) -> str:
    counts = Counter(row["kind"] for row in skipped)
    if not counts:
        return f"corpus {name!r} has no utterances to train on: fill its metadata.csv"
    kinds = ", ".join(f"{kind} {count}" for kind, count in counts.most_common())
    first = skipped[0]
    return f"corpus {name!r} has no usable utterance (skipped: {kinds}; for instance {first['id']}: {first['reason']})"


def _manifest(source: CorpusSource, kept: list[Record], splits: list[str]) -> list[Utterance]:
    """Lines of the manifest, in the order of the corpus."""
    utterances, offset, frame_offset = [], 0, 0
    for record, split in zip(kept, splits):
        raw = source.raw[record.id]
        utterances.append(
            Utterance(
                id=record.id,
                text=raw.text,
                normalised=record.normalised,
                phones=record.phones,
                speaker=raw.speaker,
                split=split,
                offset=offset,
                length=record.length,
                frame_offset=frame_offset,
                frames=record.frames,
            )
        )
        offset += record.length
        frame_offset += record.frames
    return utterances


def _write_arrays(folder: Path, kept: list[Record], store: Store) -> None:
    """Append every utterance's arrays to the three big files."""
    with ExitStack() as stack:
        files = [stack.enter_context(open(folder / name, "wb")) for name in (AUDIO, LOG_F0, VOICED)]
        for record in kept:
            arrays = store.arrays(record.key)
            for file, values in zip(files, (arrays.audio, arrays.log_f0, arrays.voiced)):
                file.write(values.tobytes())
        for file in files:
            file.flush()
            os.fsync(file.fileno())


def _statistics(folder: Path, utterances: list[Utterance], kept: list[Record]) -> dict[str, float]:
    """Mean and standard deviation of log F0 and of frame energy over all frames of the training split."""
    log_f0 = np.memmap(folder / LOG_F0, "<f4", "r")
    total = np.zeros(4)
    frames = 0
    for utterance, record in zip(utterances, kept):
        if utterance.split == "train":
            values = log_f0[utterance.frame_offset : utterance.frame_offset + utterance.frames].astype(np.float64)
            total += (values.sum(), np.square(values).sum(), record.energy_sum, record.energy_square_sum)
            frames += utterance.frames
    f0_mean, f0_square, energy_mean, energy_square = (float(value) for value in total / frames)
    return {
        "log_f0_mean": f0_mean,
        "log_f0_std": _deviation(f0_mean, f0_square),
        "energy_mean": energy_mean,
        "energy_std": _deviation(energy_mean, energy_square),
    }


def _deviation(mean: float, square: float) -> float:
    """Standard deviation; a corpus of one constant has 1, so that dividing by it stays harmless."""
    variance = square - mean * mean
    return float(np.sqrt(variance)) if variance > 1e-12 * max(square, 1e-12) else 1.0


def _plot(folder: Path, figures: CorpusFigures) -> None:
    from preprocessors.corpus_plots import write_plots  # matplotlib is slow to import

    folder.mkdir()
    write_plots(folder, figures)
