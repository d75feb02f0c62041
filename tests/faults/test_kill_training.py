"""Stage 2, killed again and again at seeded random moments: nothing is lost, and the curves are those of one run."""

from __future__ import annotations

import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from models.base.checkpoints import checkpoint_folders, list_checkpoints, load_training, load_weights
from tests.faults.chains import kill, random_moment
from tests.faults.kills import Moment
from tests.faults.runs import contents, curves, difference, leftovers, tiny_corpus
from tests.faults.server import Outcome, Server

STEPS = 12
KILLS_IN_A_CHAIN = 6
KINDS = ("operation", "update", "bytes", "seconds")
# Few kills in the small files at the start, more in the networks (to 45 kB) and the optimisers (to 230 kB).
SIZES = ((1, 6000), (6000, 45_000), (45_000, 225_000))
# The corpus in memory, and read ahead from disk by a thread; a logged mean over one step and over several.
VARIANTS = {
    "memory": ["train.corpus_on_device=always"],
    "disk": ["train.corpus_on_device=never", "train.gradient_accumulation_step=2", "train.log_interval=3"],
}


class Training:
    """Reference runs of both variants, and chains of killed ones."""

    def __init__(self, server: Server, folder: Path) -> None:
        self.server, self.folder = server, folder
        length = [f"train.steps_per_epoch={STEPS // 3}", "train.max_epoch=3"]
        self.overrides = [*tiny_corpus(folder), *length, "preprocess.num_workers=1"]
        self.whole: dict[str, Outcome] = {}
        for variant in VARIANTS:
            self.whole[variant] = self.run(variant, f"whole-{variant}")
            assert self.whole[variant].status == 0, self.whole[variant].output

    def path(self, name: str) -> Path:
        """An experiment's folder."""
        return self.folder / "runs" / name

    def run(self, variant: str, name: str, moment: Moment | None = None) -> Outcome:
        """Train until the end or the moment, from the newest checkpoint on."""
        return self.server.run("train", {"overrides": [*self.overrides, *VARIANTS[variant]], "name": name}, moment)


@pytest.fixture(scope="module")
def training(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Training:
    """Shared by the chains."""
    return Training(server, tmp_path_factory.mktemp("training"))


def check_folder(folder: Path, newest: int) -> int:
    """A killed run's folder: every checkpoint in it loads, and the newest is no older than before; its step."""
    found = list_checkpoints(folder)
    assert len(found) == len(checkpoint_folders(folder)), "a kill left a folder that looks like a checkpoint"
    for checkpoint in found[-1:]:
        for name in ("network", "discriminator", "ema"):
            load_weights(checkpoint.path, False, name)
        load_training(checkpoint.path)
    step = found[-1].step if found else 0
    assert step >= newest, f"the checkpoint of step {newest} is gone"
    return step


def chain(training: Training, number: int) -> Counter[str]:
    """Kill one training again and again, let it finish and compare; how often it died of what."""
    rng = random.Random(1000 + number)
    variant, name = list(VARIANTS)[number % len(VARIANTS)], f"chain-{number}"
    folder, newest = training.path(name), 0
    kinds = [KINDS[(number + attempt) % len(KINDS)] for attempt in range(KILLS_IN_A_CHAIN)]
    moments = [random_moment(kind, training.whole[variant], SIZES, rng) for kind in kinds]
    # Every other chain's updates are killed between the two of a step, the others' before the first: both must occur.
    moments = [replace(m, at=m.at + (m.at + number) % 2) if m.kind == "update" else m for m in moments]

    def check(moment: Moment, outcome: Outcome) -> str:
        nonlocal newest
        newest = check_folder(folder, newest)
        if list(folder.glob("checkpoints/.writing-*")):
            return "while a checkpoint was written"
        if moment.kind == "update":
            return "between the two updates" if moment.at % 2 == 0 else "before an update"
        return moment.kind

    died = kill(lambda moment: training.run(variant, name, moment), moments, check)
    whole = training.path(f"whole-{variant}")
    found, expected = curves(folder), curves(whole)
    assert found.keys() == expected.keys()
    for tag, points in expected.items():
        assert found[tag] == points, f"{name}: the curve {tag} differs"
    assert not difference(contents(whole), contents(folder))
    assert leftovers(folder) == []
    return died


def test_killed_trainings_end_like_one_that_was_not(training: Training, kills: int, tally: Counter[str]) -> None:
    chains = max(2, round(0.6 * kills / KILLS_IN_A_CHAIN))
    with ThreadPoolExecutor(2) as pool:
        died = sum(pool.map(lambda number: chain(training, number), range(chains)), Counter())
    tally.update({f"kills in stage 2, {label}": count for label, count in died.items()})
    assert died["while a checkpoint was written"] and died["between the two updates"], died
