"""Stage 2, killed again and again at seeded random moments: nothing is lost, and the curves are those of one run."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from models.base.checkpoints import checkpoint_folders, list_checkpoints, load_training, load_weights
from tests.faults.kills import Moment
from tests.faults.runs import contents, curves, difference, leftovers, tiny_corpus
from tests.faults.server import Outcome, Server

STEPS = 12
KILLS_IN_A_CHAIN = 6
KINDS = ("operation", "update", "bytes", "seconds")
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

    def moment(self, variant: str, kind: str, rng: random.Random) -> Moment:
        """A random moment in the first half of a run: several of them fit into one training."""
        whole = self.whole[variant]
        if kind == "bytes":
            # Few of them in the small files at the start, most in networks (to 45 kB) and optimisers (to 230 kB).
            low, high = rng.choice([(1, 6000), (6000, 45_000), (45_000, 225_000)])
            return Moment(kind, rng.randint(low, high))
        if kind == "seconds":
            return Moment(kind, round(rng.uniform(0, whole.seconds / 2), 4))
        return Moment(kind, rng.randint(1, whole.counts[kind] // 2))


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


def chain(training: Training, number: int, count: int) -> dict[str, int]:
    """Kill one training `count` times, then let it finish and compare; how often it died of what."""
    rng = random.Random(1000 + number)
    variant = list(VARIANTS)[number % len(VARIANTS)]
    name, died = f"chain-{number}", {}
    folder, newest = training.path(name), 0
    for attempt in range(count):
        moment = training.moment(variant, KINDS[(number + attempt) % len(KINDS)], rng)
        outcome = training.run(variant, name, moment)
        newest = check_folder(folder, newest)
        if outcome.killed_by is None:
            assert outcome.status == 0, outcome.output
            continue
        label = moment.kind
        if list(folder.glob("checkpoints/.writing-*")):
            label = "while a checkpoint was written"
        elif moment.kind == "update":
            label = "between the two updates" if moment.at % 2 == 0 else "before an update"
        died[label] = died.get(label, 0) + 1
    last = training.run(variant, name)
    assert last.status == 0, last.output
    whole = training.path(f"whole-{variant}")
    found, expected = curves(folder), curves(whole)
    assert found.keys() == expected.keys()
    for tag, points in expected.items():
        assert found[tag] == points, f"{name}: the curve {tag} differs"
    assert not difference(contents(whole), contents(folder))
    assert leftovers(folder) == []
    return died


def test_killed_trainings_end_like_one_that_was_not(training: Training, kills: int, tally: dict[str, int]) -> None:
    chains = max(2, round(0.6 * kills / KILLS_IN_A_CHAIN))
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda number: chain(training, number, KILLS_IN_A_CHAIN), range(chains)))
    for died in results:
        for label, count in died.items():
            tally[f"stage 2, {label}"] = tally.get(f"stage 2, {label}", 0) + count
    died = {label for result in results for label in result}
    assert {"while a checkpoint was written", "between the two updates"} <= died, died
