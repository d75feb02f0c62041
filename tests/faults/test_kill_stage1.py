"""Stage 1, killed at seeded random moments: the finished corpus has the same bytes, and no work is done twice."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from processors.corpus import ProcessedCorpus
from tests.faults.chains import kill, random_moment
from tests.faults.kills import Moment
from tests.faults.runs import leftovers
from tests.faults.server import Outcome, Server
from tests.preprocessors.conftest import folder_bytes, make_corpus, write_config
from utils.errors import UserError

KINDS = ("operation", "seconds", "operation", "bytes")
SIZES = ((1, 4000), (4000, 60_000), (60_000, 400_000))
KILLS_IN_A_CHAIN = 7
Stage1 = Callable[[str, Moment | None], Outcome]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus of ten utterances in "voice"."""
    folder = tmp_path_factory.mktemp("stage1")
    make_corpus(folder / "voice", 10, seconds=0.6)
    return folder


@pytest.fixture(scope="module")
def stage1(server: Server, folder: Path) -> Stage1:
    """Function from the name of a result folder and a moment to the outcome of stage 1."""

    def run(name: str, moment: Moment | None = None) -> Outcome:
        config = folder / f"{name}.json"
        if not config.exists():
            write_config(config, folder / "voice", folder / name, num_workers=2)
        return server.run("stage1", {"config": str(config), "dataset": "voice"}, moment)

    return run


def chain(stage1: Stage1, folder: Path, whole: Outcome, number: int) -> Counter[str]:
    """Kill stage 1 again and again, then let it finish and compare with the bytes of an uninterrupted run."""
    rng = random.Random(2000 + number)
    data = folder / f"chain-{number}"
    moments = [random_moment(KINDS[i % len(KINDS)], whole, SIZES, rng) for i in range(KILLS_IN_A_CHAIN)]

    def check(moment: Moment, outcome: Outcome) -> str:
        try:
            ProcessedCorpus.open(data / "voice")
        except UserError as error:
            assert "no finished features" in str(error), "a half-written corpus has taken its place"
        return moment.kind

    died = kill(lambda moment: stage1(data.name, moment), moments, check)
    assert folder_bytes(data / "voice") == folder_bytes(folder / "whole/voice")
    assert leftovers(data) == [] and [path.name for path in data.iterdir()] == ["voice"]
    return died


def test_a_killed_stage_1_ends_with_the_same_bytes(
    stage1: Stage1, folder: Path, kills: int, tally: Counter[str]
) -> None:
    whole = stage1("whole", None)
    assert whole.status == 0, whole.output
    chains = max(1, round(kills / 5 / KILLS_IN_A_CHAIN))
    died = sum((chain(stage1, folder, whole, number) for number in range(chains)), Counter())
    tally.update({f"kills in stage 1, {label}": count for label, count in died.items()})
    assert died.total() >= 3 * chains, died


def test_a_killed_update_leaves_the_earlier_corpus_in_place(stage1: Stage1, folder: Path, tally: Counter[str]) -> None:
    """The corpus grows by two recordings; whatever kills the second stage 1, a whole corpus is there, old or new."""
    grown = folder / "grown"
    make_corpus(grown, 8, seconds=0.6)
    config = write_config(folder / "again.json", grown, folder / "again", num_workers=1)
    first = stage1("again", None)
    assert first.status == 0, first.output
    lines = (folder / "voice/metadata.csv").read_text().splitlines()
    (grown / "metadata.csv").write_text("\n".join(lines) + "\n")
    for name in ("u008", "u009"):
        (grown / f"wavs/{name}.wav").write_bytes((folder / f"voice/wavs/{name}.wav").read_bytes())
    rng = random.Random(7)
    corpus = folder / "again/voice"
    before = len(ProcessedCorpus.open(corpus))

    def check(moment: Moment, outcome: Outcome) -> str:
        opened = ProcessedCorpus.open(corpus)
        opened.check()
        assert len(opened) in (before, before + 2)
        return "update of a corpus"

    moments = [Moment("operation", rng.randint(1, first.counts["operation"])) for _ in range(3)]
    tally.update({f"kills in stage 1, {k}": n for k, n in kill(lambda m: stage1("again", m), moments, check).items()})
    assert config.exists() and len(ProcessedCorpus.open(corpus)) == before + 2
