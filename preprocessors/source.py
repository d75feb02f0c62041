"""What is on the disk of a corpus right now, with a key for each utterance."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from config.schema import PreprocessConfig
from preprocessors.ljspeech import RawUtterance, Skipped, read_corpus
from preprocessors.store import WorkItem
from processors.corpus import digest, utterance_fingerprint


@dataclass(frozen=True)
class CorpusSource:
    """A corpus as it is on the disk now."""

    name: str
    raw: dict[str, RawUtterance]  # by id
    items: list[WorkItem]
    skipped: list[Skipped]  # what its metadata alone rules out

    @property
    def digest(self) -> str:
        """Changes when any utterance does."""
        return digest([[item.key for item in self.items], [[s.id, s.kind, s.reason] for s in self.skipped]])


def read_source(folder: Path, name: str, preprocess: PreprocessConfig) -> CorpusSource:
    """Every utterance with a key of all that its features depend on; its recording counts by size and date."""
    raw, skipped = read_corpus(folder, name)
    common = utterance_fingerprint(preprocess)
    items = []
    for utterance in raw:
        path = utterance.audio_path
        try:
            status = os.stat(path)
        except OSError as error:
            skipped.append(Skipped(utterance.id, "missing audio", f"{path.name}: {error.strerror}"))
            continue
        key = digest([common, utterance.id, utterance.text, path.name, status.st_size, status.st_mtime_ns])
        items.append(WorkItem(utterance.id, utterance.text, str(path), key))
    return CorpusSource(name, {utterance.id: utterance for utterance in raw}, items, skipped)
