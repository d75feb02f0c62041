"""Shards become a corpus: which rows are kept, their splits and statistics, the report, and the manifest."""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa

from config.schema import PreprocessConfig
from preprocessors.corpus_report import CorpusFigures, report_text, write_plots
from preprocessors.source import SourceRow
from processors.corpus import (
    NOTED,
    REPORT,
    SHARDS,
    SKIPPED,
    SPLIT_KEYS,
    SPLITS,
    UTTERANCE_KEYS,
    feature_values,
    fingerprint,
    write_meta,
)
from processors.store import FEATURES, MANIFEST, read_batch, write_batch
from utils.errors import UserError
from utils.files import fsync_directory, parse_json, write_json_lines, write_text


def write_corpus(
    target: Path, name: str, rows: list[SourceRow], source: str, shards: list[Path], preprocess: PreprocessConfig
) -> str:
    """Make a corpus in `target` of `shards`, which hold the good ones of `rows` in order; the report's text.

    The same utterances and config give the same bytes, however many processes and interruptions there were. Raises
    UserError when nothing is left to train on.
    """
    table = _table([row for row in rows if not row.kind], shards)
    problems = zip(*(table.column(key).to_pylist() for key in ("id", "kind", "reason")))
    skipped = [(row.id, row.kind, row.reason) for row in rows if row.kind] + [row for row in problems if row[1]]
    table = table.filter(pa.compute.equal(table.column("kind"), ""))
    sizes = (preprocess.valid_size, preprocess.test_size, preprocess.max_held_out_fraction, preprocess.split_seed)
    splits = assign_splits(table.column("normalised").to_pylist(), *sizes)
    if "train" not in splits:
        raise UserError(_nothing_left(name, skipped))
    table = table.append_column("split", pa.array(splits).dictionary_encode())
    manifest = table.select(MANIFEST.names).combine_chunks().to_batches()[0]
    remarkable = table.filter(pa.compute.greater(pa.compute.list_value_length(table.column("notes")), 0))
    pairs = zip(remarkable.column("id").to_pylist(), remarkable.column("notes").to_pylist())
    noted = [
        (key, kind, details) for key, notes in pairs for kind, _, details in (note.partition(": ") for note in notes)
    ]
    tokens, statistics = _tokens(target, shards), _statistics(manifest)
    figures = CorpusFigures(name, preprocess, manifest, tokens, shards, skipped, noted, statistics)
    text = report_text(figures)
    write_text(target / REPORT, text + "\n")
    for file, listed in ((SKIPPED, skipped), (NOTED, noted)):
        write_json_lines(target / file, [dict(zip(("id", "kind", "reason"), row)) for row in listed])
    write_plots(target / "plots", figures)
    meta = {
        "fingerprint": fingerprint(preprocess),
        "source": source,
        "dataset": name,
        "sample_rate": preprocess.sample_rate,
        "hop_size": preprocess.hop_size,
        "manifest": write_batch(target, "utterances", manifest).name,
        "tokens": figures.tokens,
        "statistics": figures.statistics,
        "utterances": {split: splits.count(split) for split in SPLITS},
        "preprocess": feature_values(preprocess, UTTERANCE_KEYS + SPLIT_KEYS),
    }
    for folder in (target / SHARDS, target):
        fsync_directory(folder)
    write_meta(target, meta)
    fsync_directory(target)
    return text


def _table(rows: list[SourceRow], shards: list[Path]) -> pa.Table:
    """A row for each of `rows`: what the shards say of it and where it lies there, and what the corpus says of it."""
    parts = [FEATURES.append(pa.field("first_frame", pa.int32())).empty_table()]
    for path in shards:
        batch = read_batch(path)
        frames = batch.column("frames").to_numpy()
        part = pa.Table.from_batches([batch.select(FEATURES.names).replace_schema_metadata(None)])
        parts.append(part.append_column("first_frame", pa.array(np.cumsum(frames) - frames, pa.int32())))
    table = pa.concat_tables(parts).combine_chunks()
    names = pa.array([path.name for path in shards], pa.string())
    which = np.repeat(np.arange(len(shards), dtype=np.int32), [len(part) for part in parts[1:]])
    table = table.append_column("shard", pa.DictionaryArray.from_arrays(pa.array(which, pa.int32()), names))
    table = table.append_column("text", pa.array([row.text for row in rows], pa.string()))
    for name in ("speaker", "language"):
        values = pa.array([getattr(row, name) for row in rows], pa.string())
        table = table.append_column(name, values.dictionary_encode())
    return table


def _tokens(target: Path, shards: list[Path]) -> list[str]:
    """The token table that all shards count in."""
    tables = {(read_batch(path).schema.metadata or {})[b"tokens"] for path in shards}
    if len(tables) > 1:
        raise UserError(
            "features made earlier have other tokens than this version of the program: "
            f"delete {target}, and run stage 1 again"
        )
    return parse_json(tables.pop())


def _nothing_left(name: str, skipped: list[tuple[str, str, str]]) -> str:
    counts = Counter(kind for _, kind, _ in skipped)
    if not counts:
        return f"corpus {name!r} has no utterances to train on: fill its metadata.csv"
    kinds = ", ".join(f"{kind} {count}" for kind, count in counts.most_common())
    first, _, reason = skipped[0]
    return f"corpus {name!r} has no usable utterance (skipped: {kinds}; for instance {first}: {reason})"


def _statistics(manifest: pa.RecordBatch) -> dict[str, float]:
    """Mean and standard deviation of log F0 and of frame energy over all frames of the training split."""
    split = manifest.column("split")
    train = np.flatnonzero(split.indices.to_numpy() == split.dictionary.to_pylist().index("train"))
    frames = int(manifest.column("frames").to_numpy()[train].sum(dtype=np.int64))
    result: dict[str, float] = {}
    for name in ("log_f0", "energy"):
        columns = (manifest.column(f"{name}_{kind}").to_numpy() for kind in ("sum", "square_sum"))
        mean, square = (float(np.cumsum(column[train])[-1]) / frames for column in columns)
        variance = square - mean * mean
        # A corpus of one constant has the deviation 1, so that dividing by it stays harmless.
        flat = variance <= 1e-12 * max(square, 1e-12)
        result |= {f"{name}_mean": mean, f"{name}_std": 1.0 if flat else float(np.sqrt(variance))}
    return result


def split_sizes(count: int, valid_size: int, test_size: int, max_fraction: float) -> tuple[int, int]:
    """How many of `count` utterances go to validation and test: what is asked for, but at most `max_fraction` each.

    From three utterances on, a split that is asked for gets at least one.
    """
    limit = max(int(max_fraction * count), 1 if count >= 3 else 0)
    return min(valid_size, limit), min(test_size, limit)


def assign_splits(texts: list[str], valid_size: int, test_size: int, max_fraction: float, seed: int) -> list[str]:
    """Split ("train", "valid" or "test") of each utterance, from its normalised text.

    Utterances of the same text, whatever the case, share a split. A text's place follows from a hash of it and the
    seed: test takes from the low end, validation from the high end, so that another utterance more or less moves
    texts only across those two borders.
    """
    groups: dict[str, list[int]] = {}
    for index, text in enumerate(texts):
        groups.setdefault(" ".join(text.casefold().split()), []).append(index)
    order = sorted(groups, key=lambda text: (_place(text, seed), text))
    valid, test = split_sizes(len(texts), valid_size, test_size, max_fraction)
    result = ["train"] * len(texts)
    for name, size, texts_in_order in (("test", test, order), ("valid", valid, order[::-1])):
        for text in texts_in_order:
            members = groups[text]
            # A text with more takes than there is room for stays in training.
            if len(members) > size or result[members[0]] != "train":
                continue
            size -= len(members)
            for index in members:
                result[index] = name
            if size == 0:
                break
    return result


def _place(text: str, seed: int) -> bytes:
    return hashlib.blake2b(f"{seed}\n{text}".encode(), digest_size=16).digest()
