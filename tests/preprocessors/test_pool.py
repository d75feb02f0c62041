"""Worker processes that die, fail or are interrupted."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from preprocessors.pool import run_jobs
from utils.errors import UserError
from utils.files import PROJECT_ROOT

Work = Callable[..., object]


def make_doubler(deadly: tuple[int, ...] = (), once: str | None = None) -> Work:
    """Doubles; dies on a deadly number, or once on 5 (a file remembers it)."""

    def work(job: list[int], died: dict[int, int], note: Callable[[int], None] | None = None) -> dict[int, object]:
        result: dict[int, object] = {job[position]: code for position, code in died.items()}
        for position, value in enumerate(job):
            if position in died:
                continue
            if note is not None:
                note(position)
            if value in deadly:
                os.kill(os.getpid(), signal.SIGKILL)
            if once is not None and value == 5 and not Path(once).exists():
                Path(once).touch()
                os._exit(3)
            result[value] = 2 * value
        return result

    return work


def make_failing(kind: str) -> Work:
    """Fails at the start or on the first job."""
    if kind == "start":
        raise UserError("the dictionary is missing: get it")
    if kind == "death":
        os._exit(9)

    def work(job: list[int], died: dict[int, int], *note: object) -> None:
        if kind == "careful death":
            os._exit(9)
        raise ZeroDivisionError(f"on {job}")

    return work


def make_sleeper(folder: str) -> Work:
    def work(job: list[int], died: dict[int, int]) -> None:
        (Path(folder) / str(os.getpid())).touch()
        time.sleep(60)

    return work


def make_reporter() -> Work:
    return lambda names, died: [os.environ.get(name) for name in names]


def jobs(count: int, size: int) -> list[list[int]]:
    return [list(range(start, min(start + size, count))) for start in range(0, count, size)]


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("workers", [1, 3])
def test_every_job_is_answered(workers: int) -> None:
    results = list(run_jobs(make_doubler, (), jobs(20, 3), workers))
    assert {key: value for result in results for key, value in result.items()} == {n: 2 * n for n in range(20)}
    assert list(run_jobs(make_failing, ("death",), [], workers)) == []  # no jobs start no process


def test_deadly_items_are_found_and_the_rest_survives(tmp_path: Path) -> None:
    results = list(run_jobs(make_doubler, ((4, 9, 10), str(tmp_path / "died")), jobs(12, 4), 2))
    expected = {n: -signal.SIGKILL if n in (4, 9, 10) else 2 * n for n in range(12)}
    assert {key: value for result in results for key, value in result.items()} == expected
    assert len(results) == 3 and (tmp_path / "died").exists()  # one death by chance costs nothing


def test_failures_reach_the_parent() -> None:
    with pytest.raises(UserError, match="^the dictionary is missing: get it$"):
        list(run_jobs(make_failing, ("start",), jobs(4, 2), 2))
    with pytest.raises(RuntimeError, match=r"ZeroDivisionError: on \[0, 1\]"):
        list(run_jobs(make_failing, ("job",), jobs(2, 2), 1))
    for kind in ("death", "careful death"):
        with pytest.raises(UserError, match="processes die"):
            list(run_jobs(make_failing, (kind,), jobs(4, 2), 1))


# Its processes take it as a module, whose import lasts long.
PROGRAM = """
import os, sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from preprocessors.pool import run_jobs
def make(seconds):
    return lambda job, died: time.sleep(seconds) or [2 * value for value in job]
if __name__ == "__main__":
    try:
        print("ready", flush=True)
        print(sorted(run_jobs(make, (float(sys.argv[2]),), [[1], [2]], 2)), flush=True)
    except KeyboardInterrupt:
        print("stopped", flush=True)
        sys.exit(130)
else:
    time.sleep(60)
"""


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Function that starts the program, in a process group of its own, and waits until it is about to start others."""
    (tmp_path / "program.py").write_text(PROGRAM)
    started: list[subprocess.Popen[str]] = []

    def start(seconds: float = 0.0) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, str(tmp_path / "program.py"), str(PROJECT_ROOT), str(seconds)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        return process

    yield start
    for process in started:
        with suppress(ProcessLookupError):  # none is left, unless the test has failed
            os.killpg(process.pid, signal.SIGKILL)


@pytest.mark.parametrize("delay", [0.0, 0.04, 0.11])
def test_ctrl_c_while_processes_start_leaves_no_traceback(program: Callable, delay: float) -> None:
    process = program()
    time.sleep(delay)  # into the start of the interpreters, wherever that is on this machine
    os.killpg(process.pid, signal.SIGINT)
    assert process.communicate(timeout=60) == ("stopped\n", "") and process.returncode == 130


def test_an_interruption_amid_a_start_leaves_nobody_behind(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It counts once the process is known; also where another thread, which does not block it, hears it."""
    started: list[int] = []
    real, over = BaseProcess.start, threading.Event()

    def start(process: BaseProcess) -> None:
        real(process)
        started.append(process.pid or 0)
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.05)  # for the other thread

    monkeypatch.setattr(BaseProcess, "start", start)
    listener = threading.Thread(target=over.wait)
    listener.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            list(run_jobs(make_sleeper, (str(tmp_path),), jobs(4, 1), 2))
    finally:
        over.set()
        listener.join()
    assert len(started) == 1 and not alive(started[0])
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_processes_use_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    assert list(run_jobs(make_reporter, (), [["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"]], 1)) == [["1", "1"]]
    assert os.environ["OMP_NUM_THREADS"] == "7"
