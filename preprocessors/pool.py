"""Worker processes that may die without taking the run with them: who kills one is found, and left out."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import threading
import traceback
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from utils.errors import UserError

# One thread for each process: the processes are as many as the cores already.
ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS", "NUMEXPR_NUM_THREADS"), "1"
)
_FALSE_STARTS = 3
_DEATHS = 2  # an item that has killed as many processes alone is left out

Worker = Callable[..., Any]


@dataclass
class _Job:
    items: Sequence[Any]
    careful: bool = False
    in_hand: int | None = None
    deaths: Counter[int] = field(default_factory=Counter)
    died: dict[int, int | None] = field(default_factory=dict)  # position and exit code


@dataclass
class _Process:
    process: BaseProcess
    connection: Connection
    job: _Job | None = None
    ready: bool = False


def run_jobs(
    make: Callable[..., Worker], arguments: tuple, jobs: Sequence[Sequence[Any]], workers: int
) -> Iterator[Any]:
    """Yield the result of every job, a sequence of items, in any order, from `workers` processes.

    Each process calls make(*arguments) once, which gives work(items, died) -> result. Where a process dies, its job is
    begun again as work(items, died, note): it works on one item at a time and calls note(position) before. `died` holds
    the positions that have killed two such processes, with exit codes; they are not to be touched. A UserError in a
    process ends the run with the same sentence; another exception ends it with the process's traceback.
    """
    queue = deque(_Job(items) for items in jobs)
    processes: list[_Process] = []
    false_starts = 0
    try:
        for _ in range(min(workers, len(queue))):
            _start(processes, make, arguments)
        while processes:
            speaking = wait([process.connection for process in processes])
            for process in [process for process in processes if process.connection in speaking]:
                try:
                    kind, value = process.connection.recv()
                except (EOFError, OSError):
                    code = _end(processes, process)
                    if not _blamed(process, code):
                        false_starts += 1
                        if false_starts >= _FALSE_STARTS:
                            advice = "close other programs if memory is short, or lower preprocess.num_workers"
                            problem = f"worker processes die before their work begins (exit code {code})"
                            raise UserError(f"{problem}: {advice}") from None
                    if process.job is not None:
                        queue.appendleft(process.job)
                    if queue:
                        _start(processes, make, arguments)
                    continue
                if kind == "user error":
                    raise UserError(value)
                if kind == "error":
                    raise RuntimeError(f"a worker process failed:\n{value}")
                if kind == "note" and process.job is not None:
                    process.job.in_hand = value
                    continue
                if kind == "result":
                    yield value
                process.ready = True
                process.job = queue.popleft() if queue else None
                if process.job is None:
                    _end(processes, process)
                    continue
                # Where it has died meanwhile, the next wait sees its end of the pipe closed, with the job in its hands.
                with suppress(OSError):
                    process.connection.send((process.job.items, process.job.died, process.job.careful))
    finally:
        with _undisturbed():
            for process in processes:
                process.process.kill()  # what it writes is whole or absent
            while processes:
                _end(processes, processes[0])


def _start(processes: list[_Process], make: Callable[..., Worker], arguments: tuple) -> None:
    """Start a process and put it on the list."""
    context = multiprocessing.get_context("spawn")  # fork would copy locks and threads in whatever state they are
    # An interruption halfway would leave a process that nobody knows of.
    with _undisturbed():
        ours, theirs = context.Pipe()
        # Pickled twice, so that what it needs is imported after its environment is set.
        process = context.Process(target=_serve, args=(theirs, pickle.dumps((make, arguments))), daemon=True)
        process.start()
        theirs.close()  # only the process holds that end now: its death closes it
        processes.append(_Process(process, ours))


def _end(processes: list[_Process], process: _Process) -> int | None:
    """Wait for a process that is dead or has nothing to do any more, and take it off the list; its exit code."""
    processes.remove(process)
    process.connection.close()
    process.process.join(timeout=5)
    return process.process.exitcode


def _blamed(process: _Process, code: int | None) -> bool:
    """Note a death against the item in hand, or make the next attempt tell which one it is; False where none did it."""
    job = process.job
    if not process.ready or job is None or (job.careful and job.in_hand is None):
        return False
    if job.in_hand is not None:
        job.deaths[job.in_hand] += 1
        if job.deaths[job.in_hand] == _DEATHS:
            job.died[job.in_hand] = code
    job.careful, job.in_hand = True, None
    return True


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Ctrl-C inside the block counts at its end, and a process that is started inside is born with it blocked.

    A new interpreter takes a while until it can ignore the signal, and would die of it with a traceback; a blocked
    signal is inherited. For this process blocking is not enough: another thread may receive the signal, and Python then
    runs the handler in the main thread all the same.
    """
    handler = signal.getsignal(signal.SIGINT)
    ours = threading.current_thread() is threading.main_thread() and callable(handler)
    arrived: list[int] = []
    before: set[int | signal.Signals] | None = None
    if hasattr(signal, "pthread_sigmask"):
        from multiprocessing import resource_tracker

        resource_tracker.ensure_running()  # the first process brings it with it, and its start would end the blocking
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    if ours:
        signal.signal(signal.SIGINT, lambda number, frame: arrived.append(number))
    try:
        yield
    finally:
        if before is not None:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        if ours:
            signal.signal(signal.SIGINT, handler)
            if arrived:
                signal.raise_signal(signal.SIGINT)


def _serve(connection: Connection, pickled: bytes) -> None:
    """Life of a process: build the function, then answer jobs until the pipe closes or the parent is gone."""
    # Ctrl-C reaches the whole process group; the parent decides what it means. Until here it was blocked.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    threading.Thread(target=_end_with, args=[multiprocessing.parent_process()], daemon=True).start()
    os.environ.update(ONE_THREAD)
    try:
        make, arguments = pickle.loads(pickled)
        work = make(*arguments)
        connection.send(("ready", None))
        while True:
            items, died, careful = connection.recv()
            notes = (lambda position: connection.send(("note", position)),) if careful else ()
            connection.send(("result", work(items, died, *notes)))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return
    except UserError as error:
        connection.send(("user error", str(error)))
    except Exception:  # whatever it is, the parent has to say it
        connection.send(("error", traceback.format_exc()))


def _end_with(parent: Any) -> None:
    parent.join()
    os._exit(1)
