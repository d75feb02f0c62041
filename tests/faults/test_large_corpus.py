"""A corpus ten times larger than the machine's memory trains from its memory maps, with the numbers of a small one."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from tests.faults.runs import contents, curves, difference
from tests.faults.server import Server
from tests.faults.test_kill_training import VARIANTS, Training


@pytest.fixture(scope="module")
def training(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Training:
    """The small corpus, and its run."""
    return Training(server, tmp_path_factory.mktemp("large"))


def put_a_giant_first(corpus: Path, hop: int, size: int) -> None:
    """Put one test utterance of `size` bytes of audio, a hole in the files, in front of all others."""
    frames = size // (2 * hop)
    for name, width in (("audio.i16", 2 * hop), ("log_f0.f32", 4), ("voiced.u8", 1)):
        content = (corpus / name).read_bytes()
        with open(corpus / name, "wb") as file:
            file.seek(frames * width)
            file.write(content)
    rows = [json.loads(line) for line in (corpus / "manifest.jsonl").read_text().splitlines()]
    for row in rows:
        row["offset"] += frames * hop
        row["frame_offset"] += frames
    giant = {**rows[-1], "id": "giant", "offset": 0, "frame_offset": 0, "length": frames * hop, "frames": frames}
    assert giant["split"] == "test"
    (corpus / "manifest.jsonl").write_text("".join(json.dumps(row) + "\n" for row in [giant, *rows]))


def test_a_corpus_ten_times_larger_than_memory(training: Training, tmp_path: Path) -> None:
    corpus = shutil.copytree(training.folder / "data/tiny", tmp_path / "data/tiny")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        put_a_giant_first(corpus, 64, 10 * memory)
    except OSError as error:
        pytest.skip(f"no files of that size here: {error}")
    assert (corpus / "audio.i16").stat().st_size > 10 * memory
    overrides = [*training.overrides, *VARIANTS["disk"], f"preprocess.processed_dir={tmp_path / 'data'}"]
    outcome = training.server.run("train", {"overrides": overrides, "name": "large"})
    assert outcome.status == 0, outcome.output
    large, small = training.path("large"), training.path("whole-disk")
    assert curves(large) == curves(small)
    assert not difference(*({**contents(folder), "config": None} for folder in (large, small)))
