"""Killed work ends like work that was not.

Disks that fill up, files that vanish: one sentence, nothing lost, on it goes.
The disks are real (tmpfs), which needs the right to mount: elsewhere these tests are skipped.
"""

from __future__ import annotations

import random
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from models.base.checkpoints import list_checkpoints
from processors.corpus import ProcessedCorpus
from tests.faults import stages
from tests.faults.children import Children
from tests.faults.conftest import DEFAULT_CHAINS
from tests.preprocessors.conftest import make_corpus
from utils.files import FileLock

KILLS_IN_A_CHAIN = 3
Disk = Callable[[Path, str], None]


@pytest.fixture(scope="module")
def stage(request: pytest.FixtureRequest, children: Children, tmp_path_factory: pytest.TempPathFactory) -> stages.Stage:
    """The parameter's work, with the run that nothing disturbed."""
    return request.param(children, tmp_path_factory.mktemp(request.param.__name__))


@pytest.mark.parametrize(
    "stage",
    [
        stages.Features, stages.Training, stages.ReadingTraining,
        stages.Speaking, stages.SpeakingLongText, stages.SpeakingSplit,
    ],
    indirect=True,
)  # fmt: skip
def test_killed_work_ends_like_work_that_was_not(stage: stages.Stage, pytestconfig: pytest.Config) -> None:
    """A chain is killed again and again at seeded random moments, then it may finish."""
    for number in range(pytestconfig.getoption("--chains", default=DEFAULT_CHAINS)):
        name, rng = f"chain-{number}", random.Random(1000 + number)
        kinds = [stage.KINDS[(number + attempt) % len(stage.KINDS)] for attempt in range(KILLS_IN_A_CHAIN)]
        assert sum(stage.kill(name, kind, rng) for kind in kinds) >= 1
        stage.finish(name)


def test_a_killed_update_leaves_the_earlier_corpus_in_place(children: Children, tmp_path: Path) -> None:
    """The corpus grows by two recordings; whatever kills the second stage 1, a whole corpus is there, old or new."""
    stage = stages.Features(children, tmp_path)
    first = stage.run("grown")
    assert first.status == 0, first.output
    before = len(ProcessedCorpus.open(stage.path("grown") / "voice"))
    shutil.rmtree(stage.folder / "voice")
    make_corpus(stage.folder / "voice", 12, seconds=0.6)
    for at in random.Random(7).sample(range(1, first.counts["operation"]), 3):
        assert stage.run("grown", "operation", at).status < 0
        assert len(ProcessedCorpus.open(stage.path("grown") / "voice")) in (before, before + 2)
    stage.finish("grown")
    assert len(ProcessedCorpus.open(stage.path("grown") / "voice")) == before + 2


@pytest.fixture
def mount() -> Iterator[Disk]:
    """Function that mounts a tmpfs on a folder, or changes the options of the one that is there."""
    mounted: list[Path] = []

    def run(folder: Path, options: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        remount = "remount," if folder in mounted else ""
        command = ["mount", "-t", "tmpfs", "-o", f"{remount}{options}", "tmpfs", folder]
        try:
            subprocess.run(command, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            pytest.skip("no right to mount a disk")
        if not remount:
            mounted.append(folder)

    yield run
    for folder in mounted:
        subprocess.run(["umount", "-l", folder], check=True)


@pytest.mark.parametrize("stage", [stages.Features, stages.Training, stages.Speaking], indirect=True)
def test_a_full_disk(stage: stages.Stage, mount: Disk) -> None:
    """At first next to nothing fits, then more each time; and meanwhile nothing may be written at all."""
    assert stage.whole
    needed = sum(stages.sizes(stage.path("whole")))
    for share in (0.01, 0.25, 0.5):
        mount(stage.path("full"), f"rw,size={int(share * needed)}")
        assert "the disk is full" in stage.run("full").sentence
    mount(stage.path("full"), "ro")
    assert "read-only" in stage.run("full").sentence
    mount(stage.path("full"), "rw,size=64m")
    stage.finish("full")


@pytest.mark.parametrize("stage", [stages.Training], indirect=True)
def test_a_training_that_cannot_go_on(stage: stages.Training, tmp_path: Path) -> None:
    """Files of the corpus vanish, or another run has the same name: a sentence, and the killed run stays as it is."""
    assert stage.run("stopped", "update", 15).status < 0
    before = list_checkpoints(stage.path("stopped"))
    assert before and (stage.path("stopped") / ".lock").exists()
    with FileLock(stage.path("stopped") / ".lock", "in use"):
        said = stage.run("stopped").sentence
        assert "is in use by another run (process " in said and "choose another --name" in said
    for pattern in ("meta.json", "utterances-*.arrow", "shards/*.arrow"):
        path = next((stage.data / "tiny").glob(pattern))
        away = path.rename(tmp_path / "away")
        assert "stage 1" in stage.run("stopped").sentence
        away.rename(path)
    assert list_checkpoints(stage.path("stopped")) == before
    stage.finish("stopped")
