"""Stop when the user or the machine's owner asks, at a moment that loses nothing."""

from __future__ import annotations

import os
import signal
import time
from types import FrameType, TracebackType

# Seconds. Ctrl-C reaches a process twice, from the terminal and from its launcher: that is still one request.
SAME_REQUEST = 1.0


class GracefulStop:
    """Inside the block, SIGINT and SIGTERM set `requested`; a second one ends the process at once."""

    SIGNALS = (signal.SIGINT, signal.SIGTERM)

    def __init__(self) -> None:
        self.requested = False
        self.signal_name = ""
        self._since = 0.0
        self._before: dict[int, object] = {}

    def __enter__(self) -> GracefulStop:
        for number in self.SIGNALS:
            self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.requested:
            if time.monotonic() - self._since >= SAME_REQUEST:
                os._exit(128 + number)
            return
        self.requested, self._since = True, time.monotonic()
        self.signal_name = signal.Signals(number).name
        os.write(2, b"\nstopping after this step; the same signal again stops at once\n")
