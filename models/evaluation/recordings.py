"""The recordings of a held-out split, as files beside the report."""

from __future__ import annotations

from pathlib import Path

import soundfile

from config.schema import ExperimentConfig
from processors.corpus import ProcessedCorpus, Utterance, corpus_directory
from utils.atomic import disk_errors

RECORDINGS = "recordings"


class SplitRecordings:
    """Utterances of one split of all of config.dataset, by id; their audio is written where it is asked for."""

    def __init__(self, config: ExperimentConfig, split: str, folder: Path) -> None:
        """`folder` is the report's. Raises UserError for a corpus that is missing or stale, or an unknown split."""
        self.folder = folder / RECORDINGS
        self.utterances: dict[str, tuple[ProcessedCorpus, Utterance]] = {}
        for name in config.dataset:
            corpus = ProcessedCorpus.open(corpus_directory(config.preprocess, name), config.preprocess)
            self.utterances |= {utterance.id: (corpus, utterance) for utterance in corpus.split(split)}

    def texts(self) -> list[tuple[str, str]]:
        """(id, text) of every utterance, in the manifest's order."""
        return [(key, utterance.text) for key, (_, utterance) in self.utterances.items()]

    def __call__(self, key: str) -> Path | None:
        """The recording of an id as a FLAC file; None for an id that the split does not have."""
        if key not in self.utterances:
            return None
        corpus, utterance = self.utterances[key]
        path = self.folder / f"{file_name(key)}.flac"
        with disk_errors(path):
            self.folder.mkdir(parents=True, exist_ok=True)
            audio = corpus.audio[utterance.offset : utterance.offset + utterance.length]
            soundfile.write(path, audio, corpus.sample_rate, format="FLAC")
        return path


def file_name(key: str) -> str:
    """An id as the name of a file."""
    return key.replace("/", "_").replace("\\", "_")
