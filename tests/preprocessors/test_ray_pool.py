"""Stage 1 on a Ray cluster of two workers: the same bytes, and whoever dies takes only the own share along."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from preprocessors.pipeline import preprocess_dataset
from preprocessors.pool import run_jobs
from preprocessors.ray_pool import AHEAD, environment, run_jobs_on_ray
from tests.preprocessors.conftest import folder_bytes
from tests.preprocessors.test_pool import jobs, make_doubler, make_failing
from utils.errors import UserError


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    ray = pytest.importorskip("ray", reason="the package ray is not installed")
    ray.init(address="local", num_cpus=2, include_dashboard=False, runtime_env=environment())
    yield
    ray.shutdown()


@pytest.mark.usefixtures("cluster")
def test_the_same_bytes_as_here(voice_folder: Path, config_maker: Callable) -> None:
    folders = [
        preprocess_dataset(config_maker(voice_folder, processed=engine, engine=engine), "voice")
        for engine in ("local", "ray")
    ]
    here, there = map(folder_bytes, folders)
    assert here == there and sum("shards" in str(name) for name in here) > 0


@pytest.mark.usefixtures("cluster")
def test_a_killed_worker_costs_its_own_share_only(tmp_path: Path) -> None:
    results = list(run_jobs_on_ray(make_doubler, ((4,), str(tmp_path / "died")), jobs(12, 4), 2))
    expected = {n: -signal.SIGKILL if n == 4 else 2 * n for n in range(12)}
    assert {key: value for result in results for key, value in result.items()} == expected
    assert len(results) == 3 and (tmp_path / "died").exists()


@pytest.mark.usefixtures("cluster")
def test_failures_reach_whoever_waits() -> None:
    with pytest.raises(UserError, match="^the dictionary is missing: get it$"):
        list(run_jobs_on_ray(make_failing, ("start",), jobs(4, 2), 2))
    with pytest.raises(RuntimeError, match=r"ZeroDivisionError: on \[0, 1\]"):
        list(run_jobs_on_ray(make_failing, ("job",), jobs(2, 2), 1))


class StubRay(ModuleType):
    """Of ray what the loop uses: a job runs when it is waited for, unless it is in `losses`, which counts down."""

    class Lost(Exception):
        pass

    def __init__(self, losses: dict[int, int]) -> None:
        super().__init__("ray")
        self.losses, self.cores, self.most, self.open = losses, 1, 0, 0
        names = ("WorkerCrashedError", "NodeDiedError", "OutOfMemoryError")
        self.exceptions = SimpleNamespace(**dict.fromkeys(names, self.Lost), RayTaskError=ZeroDivisionError)

    def init(self, **_: object) -> None:
        self.running = True

    def is_initialized(self) -> bool:
        return False

    def shutdown(self) -> None:
        self.running = False

    def cluster_resources(self) -> dict[str, float]:
        return {"CPU": self.cores}

    def put(self, value: object) -> object:
        return value

    def remote(self, **_: object) -> Callable:
        def decorated(function: Callable) -> object:
            def submit(shared: tuple, items: list[int]) -> object:
                self.open += 1
                self.most = max(self.most, self.open)
                return partial(function, shared, items)

            return SimpleNamespace(remote=submit)

        return decorated

    def wait(self, under_way: list) -> tuple[list, list]:
        self.open -= 1
        return under_way[:1], under_way[1:]

    def get(self, job: partial) -> object:
        first = job.args[1][0]
        if self.losses.get(first, 0):
            self.losses[first] -= 1
            raise self.Lost
        return job()


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> StubRay:
    ray = StubRay({})
    monkeypatch.setitem(sys.modules, "ray", ray)
    return ray


@pytest.mark.parametrize("lost", [0, 1])
def test_a_lost_job_is_begun_again(stub: StubRay, lost: int) -> None:
    stub.losses[4] = lost
    results = list(run_jobs_on_ray(make_doubler, (), jobs(12, 4), 2))
    assert {key: value for result in results for key, value in result.items()} == {n: 2 * n for n in range(12)}
    assert len(results) == 3 and stub.most == 2 and not stub.running


def test_a_job_that_is_lost_again_ends_the_run(stub: StubRay) -> None:
    stub.losses[4] = 2
    with pytest.raises(UserError, match=r"utterance 4 and those after it was lost twice: see `ray status`"):
        list(run_jobs_on_ray(make_doubler, (), jobs(12, 4), 2))
    assert not stub.running


def test_a_cluster_that_grows_gets_more_jobs(stub: StubRay) -> None:
    results = run_jobs_on_ray(make_doubler, (), jobs(80, 4), 0)
    next(results)
    assert stub.most == AHEAD + 1
    stub.cores = 4
    assert len(list(results)) == 19 and stub.most == AHEAD + 4


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UserError, match="needs the package ray: run `.venv/bin/pip install ray"):
        list(run_jobs_on_ray(make_doubler, (), jobs(4, 2), 2))
    assert len(list(run_jobs(make_doubler, (), jobs(4, 2), 1))) == 2
