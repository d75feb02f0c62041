"""Arrow files of the processed corpus: written once, memory-mapped, each named after a checksum of its content."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import xxhash

from utils.files import regular, write_bytes

_BLOCK = 1 << 20  # bytes; it stays in the processor's cache
_ARRAYS = {"audio": pa.int16(), "log_f0": pa.float32(), "voiced": pa.uint8()}
_MEASURES = ("level_db", "log_f0_sum", "log_f0_square_sum", "energy_sum", "energy_square_sum")

# What stage 1 finds out about one utterance. `kind` and `reason` say why it is left out; then all the rest is empty.
FEATURES = pa.schema(
    [
        *((name, pa.string()) for name in ("id", "kind", "reason", "normalised")),
        ("notes", pa.list_(pa.string())),  # "kind: details" of what was done to use it
        ("phones", pa.list_(pa.int16())),  # numbers in the token table
        ("frames", pa.int32()),
        *((name, pa.float64()) for name in _MEASURES),  # dBFS; sums over the frames of ln(Hz) and of energy
        ("checksum", pa.uint64()),  # of its arrays; the first shards and manifests of this format had none
    ]
)
# A shard: the features of neighbours in the corpus, and their arrays: int16 samples, ln(Hz) and 0 or 1 a frame.
SHARD = pa.schema([*FEATURES, *((name, pa.list_(kind)) for name, kind in _ARRAYS.items())])
_NAME = pa.dictionary(pa.int32(), pa.string())
# The manifest: a row for each utterance that is kept, with its place: its shard's name and its first frame there.
MANIFEST = pa.schema(
    [
        *((name, pa.string()) for name in ("id", "text", "normalised")),
        ("phones", pa.list_(pa.int16())),
        *((name, _NAME) for name in ("speaker", "language", "split", "shard")),
        ("first_frame", pa.int32()),
        ("frames", pa.int32()),
        *((name, pa.float64()) for name in _MEASURES),
        ("checksum", pa.uint64()),
    ]
)


def write_batch(folder: Path, stem: str, batch: pa.RecordBatch) -> Path:
    """Write `<stem>-<checksum>.arrow` into `folder` in one step; its path."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, batch.schema) as writer:
        writer.write_batch(batch)
    content = sink.getvalue()
    path = folder / f"{stem}-{xxhash.xxh3_64_hexdigest(content)}.arrow"
    write_bytes(path, content)
    return path


def read_batch(path: Path) -> pa.RecordBatch:
    """A file's rows, memory-mapped. Raises OSError or ValueError for one that is missing or damaged."""
    with pa.memory_map(str(regular(path))) as file:
        return pa.ipc.open_file(file).get_batch(0)


def is_whole(path: Path) -> bool:
    """Whether the content of a file is there and has the checksum in its name."""
    checksum, block = xxhash.xxh3_64(), memoryview(bytearray(_BLOCK))
    try:
        with open(regular(path), "rb", buffering=0) as file:
            while count := file.readinto(block):
                checksum.update(block[:count])
    except OSError:
        return False
    return path.stem.endswith(f"-{checksum.hexdigest()}")


def first_damaged(paths: list[Path]) -> Path | None:
    """The first of `paths` that is not whole, if any; reads them with a few threads."""
    with ThreadPoolExecutor(4) as pool:
        return next((path for path, whole in zip(paths, pool.map(is_whole, paths)) if not whole), None)


def shard_arrays(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Samples (N,) int16, log F0 (T,) float32 and voicing (T,) uint8 of a shard's utterances, back to back, mapped."""
    batch = read_batch(path)
    audio, log_f0, voiced = (batch.column(name).values.to_numpy() for name in _ARRAYS)
    return audio, log_f0, voiced


def checksum(*arrays: np.ndarray) -> int:
    """Checksum of an utterance: samples (N,) int16, log F0 (T,) float32 and voicing (T,) uint8."""
    found = xxhash.xxh3_64()
    for array in arrays:
        found.update(np.ascontiguousarray(array).data)
    return found.intdigest()


def feature_batch(path: Path) -> pa.RecordBatch:
    """The columns FEATURES of a shard."""
    batch = read_batch(path)
    if "checksum" not in batch.schema.names:
        arrays = zip(*([row.values.to_numpy() for row in batch.column(name)] for name in _ARRAYS))
        sums = [checksum(*row) for row in arrays]
        batch = batch.append_column("checksum", pa.array(sums, pa.uint64()))
    return batch.select(FEATURES.names).replace_schema_metadata(None)


def shard_batch(rows: list[dict[str, Any]], tokens: list[str]) -> pa.RecordBatch:
    """Rows of a shard; `tokens` is the table that their phones count in."""
    schema = SHARD.with_metadata({"tokens": json.dumps(tokens)})
    empty: dict[str, Any] = {field.name: 0 if pa.types.is_primitive(field.type) else "" for field in FEATURES}
    empty |= dict.fromkeys(("notes", "phones"), ())
    full = []
    for row in rows:
        arrays = {name: np.asarray(row.get(name, ()), kind.to_pandas_dtype()) for name, kind in _ARRAYS.items()}
        full.append({**empty, **row, **arrays, "checksum": checksum(*arrays.values())})
    return pa.RecordBatch.from_pylist(full, schema)
