"""Work that a GPU can do beside the main one, because nothing waits for it soon."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch


class SideStream:
    """A second stream of kernels; without one, everything happens in order.

    Small kernels leave most of a GPU idle. It pays where the host does not have to launch them one by one: in CUDA
    graphs, which keep the order between the streams as it was captured.
    """

    def __init__(self, enabled: bool = False) -> None:
        self.stream = torch.cuda.Stream() if enabled else None

    @contextmanager
    def begin(self) -> Iterator[None]:
        """Inside the block kernels run on the side, once everything before it has been done."""
        if self.stream is None:
            yield
            return
        self.stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self.stream):
            yield

    def proceed(self) -> AbstractContextManager:
        """Inside the block kernels go on where the last block on the side ended."""
        return nullcontext() if self.stream is None else torch.cuda.stream(self.stream)

    def mark(self) -> torch.cuda.Event | None:
        """A moment on the side that `reach` can wait for."""
        return None if self.stream is None else self.stream.record_event()

    def reach(self, moment: torch.cuda.Event | None) -> None:
        """The main stream waits for that moment."""
        if moment is not None:
            torch.cuda.current_stream().wait_event(moment)

    def join(self) -> None:
        """The main stream waits for all that was begun on the side."""
        if self.stream is not None:
            torch.cuda.current_stream().wait_stream(self.stream)
