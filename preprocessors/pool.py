"""Worker processes that may die without taking the run with them."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any

from utils.errors import UserError

# One thread for each process: the processes are as many as the cores already.
_THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)
_MAX_FALSE_STARTS = 3

Job = Sequence[Any]  # a list of items, so that a deadly one can be found


@dataclass(frozen=True)
class Died:
    """In place of a result: the worker died on this item, twice, with nothing else in its hands."""

    item: Any
    exit_code: int | None


@dataclass
class _Task:
    job: Job
    deaths: int = 0


@dataclass
class _Worker:
    process: multiprocessing.process.BaseProcess
    connection: Connection
    task: _Task | None = None
    ready: bool = False


def run_jobs(
    make: Callable[..., Callable[[Job], Any]], arguments: tuple, jobs: list[Job], workers: int
) -> Iterator[Any]:
    """Yield the result of every job, in any order, from `workers` processes.

    Each process calls make(*arguments) once, which gives the function from job to result. Where a process dies, its
    job's items are tried one by one; an item that kills two more processes yields Died. A UserError in a process
    ends the run with the same sentence; another exception ends it with the process's traceback.
    """
    pool = _Pool(make, arguments)
    try:
        yield from pool.run(deque(_Task(job) for job in jobs), workers)
    finally:
        pool.stop()


class _Pool:
    def __init__(self, make: Callable[..., Callable[[Job], Any]], arguments: tuple) -> None:
        self._make, self._arguments = make, arguments
        # fork would copy locks and threads of this process in whatever state they are.
        self._context = multiprocessing.get_context("spawn")
        self._workers: list[_Worker] = []
        self._false_starts = 0

    def run(self, queue: deque[_Task], workers: int) -> Iterator[Any]:
        for _ in range(min(workers, len(queue))):
            self._start()
        while self._workers:
            handles = {worker.connection: worker for worker in self._workers}
            for connection in wait(list(handles)):
                yield from self._receive(handles[connection], queue)

    def stop(self) -> None:
        """End every process now."""
        with _interrupts_wait():
            for worker in self._workers:
                worker.process.terminate()
            for worker in self._workers:
                worker.process.join(timeout=5)
                if worker.process.is_alive():
                    worker.process.kill()
                    worker.process.join()
                worker.connection.close()
            self._workers.clear()

    def _start(self) -> None:
        # An interruption halfway would leave a process that nobody knows of.
        with _interrupts_wait(), _interrupts_blocked_in_children():
            self._start_undisturbed()

    def _start_undisturbed(self) -> None:
        ours, theirs = self._context.Pipe()
        saved = {name: os.environ.get(name) for name in _THREAD_VARIABLES}
        os.environ.update(dict.fromkeys(_THREAD_VARIABLES, "1"))
        try:
            process = self._context.Process(target=_serve, args=(theirs, self._make, self._arguments), daemon=True)
            process.start()
        finally:
            for name, value in saved.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value
        # Only the process holds the other end now: its death closes it, and ours closes this one.
        theirs.close()
        self._workers.append(_Worker(process, ours))

    def _receive(self, worker: _Worker, queue: deque[_Task]) -> Iterator[Any]:
        try:
            kind, value = worker.connection.recv()
        except (EOFError, OSError):
            yield from self._bury(worker, queue)
            return
        if kind == "user error":
            raise UserError(value)
        if kind == "error":
            raise RuntimeError(f"a worker process failed:\n{value}")
        worker.ready = True
        if kind == "result":
            yield value
        if queue:
            worker.task = queue.popleft()
            try:
                worker.connection.send(worker.task.job)
            except OSError:
                return  # it died meanwhile: the next wait sees its end of the pipe closed, with the job in its hands
        else:
            worker.task = None
            self._dismiss(worker)

    def _dismiss(self, worker: _Worker) -> None:
        self._workers.remove(worker)
        worker.connection.close()
        worker.process.join(timeout=5)

    def _bury(self, worker: _Worker, queue: deque[_Task]) -> Iterator[Any]:
        """A process died: sort out the job in its hands and start another one."""
        self._dismiss(worker)
        exit_code = worker.process.exitcode
        if not worker.ready:
            self._false_starts += 1
            if self._false_starts >= _MAX_FALSE_STARTS:
                raise UserError(
                    f"worker processes die at their start (exit code {exit_code}): "
                    "close other programs if memory is short, or lower preprocess.num_workers"
                )
        task = worker.task
        if task is not None:
            task.deaths += 1
            if len(task.job) > 1:
                queue.extendleft(_Task([item]) for item in reversed(task.job))
            elif task.deaths < 2:
                queue.appendleft(task)
            else:
                yield Died(task.job[0], exit_code)
        if queue:
            self._start()


@contextmanager
def _interrupts_wait() -> Iterator[None]:
    """Ctrl-C inside the block counts at its end."""
    handler = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(handler):
        # Python runs handlers in the main thread alone, and only it may set one; a handler that is no function of
        # Python's (the signal is ignored, or ends the process) raises nothing here that would have to wait.
        yield
        return
    arrived: list[int] = []
    signal.signal(signal.SIGINT, lambda number, frame: arrived.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
        if arrived:
            signal.raise_signal(signal.SIGINT)


@contextmanager
def _interrupts_blocked_in_children() -> Iterator[None]:
    """A process started inside the block is born with SIGINT blocked.

    A new interpreter takes a while until it can ignore the signal, and would die of it with a traceback; a blocked
    signal is inherited. For this process it is not enough: another thread may receive the signal, and Python then runs
    the handler in the main thread all the same.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    from multiprocessing import resource_tracker

    resource_tracker.ensure_running()  # the first process brings it with it, and its start would end the blocking
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _serve(connection: Connection, make: Callable[..., Callable[[Job], Any]], arguments: tuple) -> None:
    """Life of a process: build the function, then answer jobs until the pipe closes."""
    # Ctrl-C reaches the whole process group; the parent decides what it means. Until here it was blocked.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    try:
        work = make(*arguments)
        connection.send(("ready", None))
        while True:
            connection.send(("result", work(connection.recv())))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return
    except UserError as error:
        connection.send(("user error", str(error)))
    except Exception:  # whatever it is, the parent has to say it
        connection.send(("error", traceback.format_exc()))
