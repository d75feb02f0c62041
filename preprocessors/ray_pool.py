"""The jobs of preprocessors/pool.py on the machines of a Ray cluster; needs the package `ray`.

Each machine has this project at the same place, and reads recordings and writes shards on a disk that all share.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any

from preprocessors.pool import ONE_THREAD, Worker, run_jobs
from utils.errors import UserError, required
from utils.files import PROJECT_ROOT

# Jobs that are with the cluster beyond those its cores work on, so that no core waits for the next one.
AHEAD = 2


def run_jobs_on_ray(
    make: Callable[..., Worker], arguments: tuple, jobs: Sequence[Sequence[Any]], workers: int
) -> Iterator[Any]:
    """As `run_jobs`, by the cluster that RAY_ADDRESS names or this machine belongs to, or else by one of its own.

    `workers` is how many jobs are worked on at once, 0: as many as the cluster has cores, also where it grows. A job
    whose process or machine is lost is begun again, careful, in a process of its own; UserError where that is lost too.
    """
    ray = required("ray", 'preprocess.engine "ray"', "ray")
    lost = (ray.exceptions.WorkerCrashedError, ray.exceptions.NodeDiedError, ray.exceptions.OutOfMemoryError)
    begun_here = not ray.is_initialized()
    if begun_here:
        ray.init(runtime_env=environment(), log_to_driver=False, include_dashboard=False)
    try:
        quick = ray.remote(num_cpus=1, max_retries=0)(_job)
        careful = ray.remote(num_cpus=1, max_retries=3)(_careful_job)
        shared, waiting = ray.put((make, arguments)), list(jobs)[::-1]
        under_way: dict[Any, tuple[Sequence[Any], bool]] = {}  # the items, and whether they were lost once
        while waiting or under_way:
            most = workers or AHEAD + int(ray.cluster_resources().get("CPU", 1))
            while waiting and len(under_way) < most:
                items = waiting.pop()
                under_way[quick.remote(shared, items)] = items, False
            (done,), _ = ray.wait(list(under_way))
            items, again = under_way.pop(done)
            try:
                yield ray.get(done)
            except lost:
                if again:
                    first = getattr(items[0], "id", items[0])
                    problem = f"the process with utterance {first} and those after it was lost twice"
                    advice = "see `ray status` for machines that go or lack memory, and run stage 1 again"
                    raise UserError(f"{problem}: {advice}; what is done stays") from None
                under_way[careful.remote(shared, items)] = items, True
            except ray.exceptions.RayTaskError as error:
                if isinstance(error.cause, UserError):
                    raise UserError(str(error.cause)) from None
                raise RuntimeError(f"a worker process failed:\n{error}") from None
    finally:
        if begun_here:
            ray.shutdown()


def environment() -> dict[str, Any]:
    """Of Ray's processes: they find this project, and use one thread each."""
    path = [str(PROJECT_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {"env_vars": {**ONE_THREAD, "PYTHONPATH": os.pathsep.join(path)}}


def _job(shared: tuple[Callable[..., Worker], tuple], items: Sequence[Any]) -> Any:
    return _worker(*shared)(items, {})


@lru_cache(maxsize=1)
def _worker(make: Callable[..., Worker], arguments: tuple) -> Worker:
    """What a process of Ray's does with a job, made once for all that it gets."""
    return make(*arguments)


def _careful_job(shared: tuple[Callable[..., Worker], tuple], items: Sequence[Any]) -> Any:
    (result,) = run_jobs(*shared, [items], 1)
    return result
