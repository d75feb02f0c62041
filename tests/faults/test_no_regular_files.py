"""A pipe or a device where a file is needed: a sentence, and no reading that never ends."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from config.schema import PreprocessConfig
from models.evaluation.report import read_report
from models.evaluation.stage import read_manifest
from models.registry import load_config
from models.tts.exchange.espnet_voice import read_config, read_tensors
from preprocessors.download import download_dataset
from processors.audio.recording import AudioProblem, read_channels
from processors.corpus import feature_values, read_meta
from processors.store import is_whole
from processors.text.lexicon import read_lexicon
from processors.text.tokens import load_tokens
from utils.errors import UserError


def fetch(path: Path) -> None:
    """Stage 0, which finds `path` where it wants to put its archive."""
    config = load_config("config/jets.json", ['dataset=["voice"]', f"dataset_path.voice={path.parent / 'voice'}"])
    source = next(iter(config.download.values())).model_copy(update={"url": f"http://localhost/{path.name}"})
    download_dataset(config.model_copy(update={"download": {"voice": source}}), "voice")


READERS: list[Callable[[Path], object]] = [
    load_config, read_lexicon, load_tokens, read_manifest, read_report, read_config, read_tensors, fetch,
    lambda path: read_channels(path, 10.0),
    lambda path: feature_values(PreprocessConfig.model_construct(lexicon_path=str(path)), ("lexicon_path",)),
    lambda path: read_meta(path.parent),
]  # fmt: skip


@pytest.mark.parametrize("read", READERS)
def test_a_pipe_is_refused(read: Callable[[Path], object], tmp_path: Path) -> None:
    path = tmp_path / "meta.json"
    os.mkfifo(path)
    signal.alarm(60)  # ends the tests, where one would hang
    try:
        with pytest.raises((UserError, AudioProblem), match="it is a pipe or a device, and a file is needed"):
            read(path)
    finally:
        signal.alarm(0)
    assert not is_whole(path)
