"""Disks that fill up or turn read-only, files that vanish, a second run: one sentence, nothing lost, and on it goes.

The disks are real (tmpfs), which needs the right to mount: elsewhere these tests are skipped.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from models.base.checkpoints import list_checkpoints
from tests.faults.kills import Moment
from tests.faults.runs import contents, curves, difference, leftovers
from tests.faults.server import Outcome, Server
from tests.faults.test_kill_speaking import jobs, results  # noqa: F401  a fixture
from tests.faults.test_kill_training import Training, check_folder
from tests.preprocessors.conftest import folder_bytes, make_corpus, write_config
from utils.files import FileLock

Disk = Callable[..., None]


@pytest.fixture(scope="module")
def training(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Training:
    """Shared by the tests, with the run that nothing disturbed."""
    return Training(server, tmp_path_factory.mktemp("disks"))


@pytest.fixture
def mount() -> Iterator[Disk]:
    """Function that mounts a tmpfs on a folder, or changes the options of the one that is there."""
    mounted: list[Path] = []

    def run(folder: Path, options: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        again = folder in mounted
        command = ["mount", "-o", f"remount,{options}", folder] if again else (
            ["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder]
        )  # fmt: skip
        try:
            subprocess.run(command, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            pytest.skip("no right to mount a disk")
        if not again:
            mounted.append(folder)

    yield run
    for folder in mounted:
        subprocess.run(["umount", "-l", folder], check=True)


def sentence(outcome: Outcome) -> str:
    """What a run that could not go on said at its end: one line, and no traceback."""
    assert outcome.status == 2, outcome.output
    assert "Traceback" not in outcome.output
    return next(line for line in reversed(outcome.output.splitlines()) if line.startswith("error: "))


def check_finished(training: Training, name: str) -> None:
    """The run went to its end, and equals the one that nothing disturbed."""
    last = training.run("memory", name)
    assert last.status == 0, last.output
    folder, whole = training.path(name), training.path("whole-memory")
    assert curves(folder) == curves(whole)
    assert not difference(contents(whole), contents(folder))
    assert leftovers(folder) == []


def test_a_full_disk(training: Training, mount: Disk) -> None:
    """At first not even the log fits; then one checkpoint more each time; at last there is room for everything."""
    name, newest, said = "full", 0, 0
    for kilobytes in (4, 300, 700, 1100, 1500):
        mount(training.path(name), f"size={kilobytes}k")
        outcome = training.run("memory", name)
        if outcome.status != 0:
            assert "the disk is full" in sentence(outcome)
            said += 1
        newest = check_folder(training.path(name), newest)
    assert said >= 2 and newest > 0
    mount(training.path(name), "size=64m")
    check_finished(training, name)


def test_stage_1_on_a_full_disk(server: Server, tmp_path: Path, mount: Disk) -> None:
    """The disk fills up among the finished pieces, and while the corpus is put together; at last there is room."""
    corpus, said = make_corpus(tmp_path / "voice", 10, seconds=0.6), 0
    for name in ("whole", "full"):
        write_config(tmp_path / f"{name}.json", corpus, tmp_path / name)
    job = {"config": str(tmp_path / "full.json"), "dataset": "voice"}
    for kilobytes in (4, 150, 450, 700):
        mount(tmp_path / "full", f"size={kilobytes}k")
        outcome = server.run("stage1", job)
        if outcome.status != 0:
            assert "the disk is full" in sentence(outcome)
            assert not (tmp_path / "full/voice/meta.json").exists()
            said += 1
    assert said >= 2
    mount(tmp_path / "full", "size=64m")
    for name in ("full", "whole"):
        last = server.run("stage1", {**job, "config": str(tmp_path / f"{name}.json")})
        assert last.status == 0, last.output
    assert folder_bytes(tmp_path / "full/voice") == folder_bytes(tmp_path / "whole/voice")
    assert leftovers(tmp_path / "full") == []


def test_stage_3_on_a_full_disk(
    server: Server,
    jobs: dict[str, dict[str, Any]],  # noqa: F811
    tmp_path: Path,
    mount: Disk,
) -> None:
    """What is spoken already is whole; the same run again makes the rest."""
    flags, said = jobs["lines"], 0
    assert server.run("speak", {**flags, "output_dir": str(tmp_path / "whole")}).status == 0
    expected = results(tmp_path / "whole")
    for kilobytes in (4, 100, 200):
        mount(tmp_path / "full", f"size={kilobytes}k")
        outcome = server.run("speak", {**flags, "output_dir": str(tmp_path / "full")})
        if outcome.status != 0:
            assert "the disk is full" in sentence(outcome)
            said += 1
        for name, content in results(tmp_path / "full").items():
            assert content == expected[name] or name == "manifest"
    assert said >= 1
    mount(tmp_path / "full", "size=64m")
    assert server.run("speak", {**flags, "output_dir": str(tmp_path / "full")}).status == 0
    assert results(tmp_path / "full") == expected and leftovers(tmp_path / "full") == []


def test_a_read_only_disk(training: Training, mount: Disk) -> None:
    name = "read-only"
    mount(training.path(name), "size=64m")
    outcome = training.run("memory", name, Moment("update", 15))
    assert outcome.killed_by
    newest = check_folder(training.path(name), 0)
    assert newest > 0
    mount(training.path(name), "ro")
    assert "read-only" in sentence(training.run("memory", name))
    assert check_folder(training.path(name), newest) == newest
    mount(training.path(name), "rw")
    check_finished(training, name)


@pytest.mark.parametrize("file", ["meta.json", "utterances-*.arrow", "shards/*.arrow"])
def test_a_corpus_that_vanishes(training: Training, file: str) -> None:
    name, path = f"vanished-{file[:5]}", sorted((training.folder / "data/tiny").glob(file))[0]
    assert training.run("memory", name, Moment("update", 15)).killed_by
    newest = check_folder(training.path(name), 0)
    away = path.rename(path.with_name("away"))
    try:
        assert "stage 1" in sentence(training.run("memory", name))
    finally:
        away.rename(path)
    assert check_folder(training.path(name), newest) == newest
    check_finished(training, name)


def test_a_second_run_of_the_same_name(training: Training) -> None:
    name = "twice"
    assert training.run("memory", name, Moment("update", 15)).killed_by
    before = [checkpoint.name for checkpoint in list_checkpoints(training.path(name))]
    # The killed run's lock file is there still; a living process takes it over.
    assert (training.path(name) / ".lock").exists()
    with FileLock(training.path(name) / ".lock", "in use"):
        said = sentence(training.run("memory", name))
        assert "is in use by another run (process " in said and "choose another --name" in said
    assert [checkpoint.name for checkpoint in list_checkpoints(training.path(name))] == before
    check_finished(training, name)
