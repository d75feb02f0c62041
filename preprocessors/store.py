"""What stage 1 knows of each utterance already: finished shards, and the corpus that an earlier run left."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from processors.corpus import SOURCES, ProcessedCorpus, digest
from utils.atomic import write_bytes
from utils.errors import UserError
from utils.json_text import is_count, is_finite, parse_json

Array = np.ndarray
DIED = "worker died"


@dataclass(frozen=True)
class WorkItem:
    """An utterance to be worked on; `key` changes when anything that its features depend on changes."""

    id: str
    text: str
    audio_path: str
    key: str


@dataclass(frozen=True)
class Record:
    """What became of one utterance, without its arrays; `kind` and `reason` are empty for a kept one."""

    key: str
    id: str
    kind: str = ""
    reason: str = ""
    normalised: str = ""
    phones: tuple[str, ...] = ()
    length: int = 0  # samples
    frames: int = 0
    level_db: float = 0.0
    energy_sum: float = 0.0
    energy_square_sum: float = 0.0


@dataclass(frozen=True)
class Arrays:
    """Arrays of one kept utterance, or of several back to back."""

    audio: Array  # (samples,) int16
    log_f0: Array  # (frames,) float32
    voiced: Array  # (frames,) uint8


def write_shard(path: Path, records: list[Record], arrays: list[Arrays], tokens: list[str]) -> None:
    """Store finished utterances in one file, in one step; `arrays` belong to the kept ones, in order."""
    buffer = io.BytesIO()
    index = json.dumps({"tokens": tokens, "records": [asdict(record) for record in records]}).encode()
    np.savez(
        buffer,
        index=np.frombuffer(index, np.uint8),
        audio=np.concatenate([item.audio for item in arrays] or [np.zeros(0, "<i2")]),
        log_f0=np.concatenate([item.log_f0 for item in arrays] or [np.zeros(0, "<f4")]),
        voiced=np.concatenate([item.voiced for item in arrays] or [np.zeros(0, "u1")]),
    )
    # Not synced: after a power cut a torn shard fails its checksum and is made again.
    write_bytes(path, buffer.getvalue(), durable=False)


# What reading a torn shard raises.
_TORN = (OSError, EOFError, ValueError, KeyError, TypeError, AttributeError, RuntimeError, zipfile.BadZipFile)


def _load_arrays(path: Path) -> Arrays:
    """Arrays of a shard; zipfile checks the sums. Raises one of _TORN."""
    with np.load(path, allow_pickle=False) as shard:
        return Arrays(shard["audio"], shard["log_f0"], shard["voiced"])


def _load_index(path: Path) -> tuple[list[str], list[Record]]:
    """Tokens and records of a shard. Raises one of _TORN."""
    with np.load(path, allow_pickle=False) as shard:
        index = parse_json(shard["index"].tobytes())
    return index["tokens"], [_record(row) for row in index["records"]]


def _record(row: dict[str, Any]) -> Record:
    """A record from its JSON; raises TypeError, ValueError or AttributeError for one that makes no sense."""
    record = Record(**{**row, "phones": tuple(row.get("phones", ()))})
    texts = (record.key, record.id, record.kind, record.reason, record.normalised, *record.phones)
    numbers = (record.level_db, record.energy_sum, record.energy_square_sum)
    places = (record.length, record.frames)
    if not all(isinstance(text, str) for text in texts) or not all([*map(is_finite, numbers), *map(is_count, places)]):
        raise ValueError(f"the record of {record.id!r} makes no sense")
    return record


@dataclass(frozen=True)
class _Place:
    """Where an utterance's arrays begin; path None: in the earlier corpus."""

    record: Record
    path: Path | None
    sample: int
    frame: int


class Store:
    """Finished utterances by key."""

    def __init__(self, folder: Path) -> None:
        self.tokens: list[str] = []
        self._folder = folder
        self._places: dict[str, _Place] = {}
        self._earlier: Arrays | None = None
        # A shard is read once for many neighbours; their order in the corpus is nearly that in the shards.
        self._arrays = lru_cache(maxsize=4)(_load_arrays)

    def __contains__(self, key: str) -> bool:
        return key in self._places

    def __getitem__(self, key: str) -> Record:
        return self._places[key].record

    def add(self, record: Record) -> None:
        """Remember an utterance that has no arrays (a skipped one)."""
        self._places[record.key] = _Place(record, None, 0, 0)

    def read_shards(self, wanted: set[str]) -> None:
        """Find every finished shard in the work folder; remove what is torn or of no use any more."""
        for path in sorted(self._folder.glob(".*.tmp")):
            path.unlink(missing_ok=True)
        for path in sorted(self._folder.glob("*.npz")):
            try:
                _load_arrays(path)
                useful = self.read_shard(path, wanted)
            except _TORN:
                useful = False
            if not useful:
                path.unlink(missing_ok=True)

    def read_shard(self, path: Path, wanted: set[str]) -> bool:
        """Take in the index of a shard; False when it holds nothing of `wanted`. Raises what a torn file raises."""
        tokens, records = _load_index(path)
        self.tokens = tokens
        return self._take(records, path, wanted)

    def read_corpus(self, directory: Path, wanted: set[str]) -> None:
        """Take in what an earlier run left in `directory`, if anything whole is there."""
        try:
            corpus = ProcessedCorpus.open(directory)
            with open(directory / SOURCES, encoding="utf-8") as file:
                records = [_record(parse_json(line)) for line in file]
        except (UserError, OSError, ValueError, TypeError, AttributeError):
            return
        rows = {utterance.id: utterance for utterance in corpus.utterances}
        full = []
        for record in records:
            row = rows.get(record.id)
            if record.kind == DIED:
                continue  # perhaps memory was short: it gets another chance
            if record.kind:
                full.append(record)
            elif row is not None:
                full.append(Record(**{**asdict(record), "normalised": row.normalised, "phones": row.phones}))
        sizes = [(record.id, record.length, record.frames) for record in records if not record.kind]
        if sizes != [(row.id, row.length, row.frames) for row in corpus.utterances]:
            return
        self.tokens = corpus.tokens
        self._earlier = Arrays(corpus.audio, corpus.log_f0, corpus.voiced)
        self._take(full, None, wanted)

    def arrays(self, key: str) -> Arrays:
        """Arrays of a kept utterance."""
        place = self._places[key]
        whole = self._earlier if place.path is None else self._arrays(place.path)
        sample, frame, record = place.sample, place.frame, place.record
        return Arrays(
            whole.audio[sample : sample + record.length],
            whole.log_f0[frame : frame + record.frames],
            whole.voiced[frame : frame + record.frames],
        )

    def _take(self, records: list[Record], path: Path | None, wanted: set[str]) -> bool:
        sample = frame = 0
        useful = False
        for record in records:
            if record.key in wanted:
                useful = True
                self._places.setdefault(record.key, _Place(record, path, sample, frame))
            sample += record.length
            frame += record.frames
        return useful


def source_row(record: Record) -> dict[str, object]:
    """A record as a line of sources.jsonl, without what the manifest holds already."""
    row = asdict(record)
    del row["normalised"], row["phones"]
    return row


def shard_name(items: list[WorkItem]) -> str:
    """File name of the shard of these items: the same whenever they are worked on together."""
    return f"{digest([item.key for item in items])}.npz"
