"""A processed corpus from arrays that a test has made itself."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from processors.corpus import SHARDS, write_meta
from processors.store import MANIFEST, shard_batch, write_batch


def store_corpus(directory: Path, rows: Sequence[dict[str, Any]], tokens: list[str], **meta: Any) -> Path:
    """Write a corpus in two shards; `rows` hold id, phones, split, audio (N,) int16 and log_f0 (T,).

    And perhaps text, speaker, language, and sums over frames such as log_f0_sum.

    `meta` holds sample_rate, hop_size and statistics, and whatever else meta.json shall hold.
    """
    (directory / SHARDS).mkdir(parents=True)
    numbers = {token: number for number, token in enumerate(tokens)}
    manifest = []
    for part in (rows[: len(rows) // 2], rows[len(rows) // 2 :]):
        stored, begin = [], len(manifest)
        first = 0
        for row in part:
            frames = len(row["log_f0"])
            text = row.get("text", row["id"])
            words = {"id": row["id"], "normalised": text, "phones": [numbers[phone] for phone in row["phones"]]}
            arrays = {"audio": row["audio"], "log_f0": row["log_f0"], "voiced": np.ones(frames, np.uint8)}
            stored.append({**words, "frames": frames, **arrays})
            about = {"text": text, "speaker": row.get("speaker", "a"), "language": row.get("language", "en-us")}
            about["split"] = row["split"]
            sums = {name: row.get(name, 0.0) for name in MANIFEST.names if name.endswith("_sum")}
            empty = {**dict.fromkeys(MANIFEST.names, 0), **sums}
            manifest.append({**empty, **words, **about, "first_frame": first, "frames": frames})
            first += frames
        batch = shard_batch(stored, tokens)
        shard = write_batch(directory / SHARDS, f"shard{begin}", batch)
        for row, checksum in zip(manifest[begin:], batch.column("checksum").to_pylist()):
            row |= {"shard": shard.name, "checksum": checksum}
    columns = [pa.array([row[field.name] for row in manifest], field.type) for field in MANIFEST]
    path = write_batch(directory, "utterances", pa.RecordBatch.from_arrays(columns, schema=MANIFEST))
    write_meta(directory, {"fingerprint": "x", "source": "x", "tokens": tokens, "manifest": path.name, **meta})
    return directory
