"""Stage 1 on a Ray cluster of two workers: the same bytes, and whoever dies takes only the own share along."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from preprocessors.pipeline import preprocess_dataset
from preprocessors.pool import run_jobs
from preprocessors.ray_pool import environment, run_jobs_on_ray
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


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    with pytest.raises(UserError, match="needs the package ray: pip install ray"):
        list(run_jobs_on_ray(make_doubler, (), jobs(4, 2), 2))
    assert len(list(run_jobs(make_doubler, (), jobs(4, 2), 1))) == 2
