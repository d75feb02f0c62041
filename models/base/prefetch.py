"""Work done ahead in a thread."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Prefetcher(Generic[T]):
    """Calls `produce` over and over in a thread and keeps up to `depth` results ready, in order.

    An exception in `produce` is raised by the `next` that would have returned its result. `wait_seconds` adds up how
    long results were waited for.
    """

    def __init__(self, produce: Callable[[], T], depth: int = 3) -> None:
        self.wait_seconds = 0.0
        self._produce = produce
        self._results: queue.Queue[tuple[T | None, BaseException | None]] = queue.Queue(depth)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="prefetch", daemon=True)
        self._thread.start()

    def next(self) -> T:
        """The next result; waits for it."""
        begin = time.perf_counter()
        result, error = self._results.get()
        self.wait_seconds += time.perf_counter() - begin
        if error is not None:
            raise error
        return result  # type: ignore[return-value]

    def close(self) -> None:
        """Stop the thread and drop what it has ready."""
        self._stop.set()
        while self._thread.is_alive():
            try:
                self._results.get_nowait()
            except queue.Empty:
                self._thread.join(0.05)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                item: tuple[T | None, BaseException | None] = (self._produce(), None)
            except BaseException as error:  # handed to the consumer, who raises it
                item = (None, error)
            self._results.put(item)
            if item[1] is not None:
                return
