"""Functions of tensors as CUDA graphs: hundreds of kernels for the price of one launch."""

from __future__ import annotations

import gc
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Function = Callable[..., tuple[Tensor, ...]]
Shape = tuple[int, ...]
_WARM_UP = 2
_REMEMBERED = 1024  # keys that occurred once


@dataclass(frozen=True)
class _Graph:
    graph: torch.cuda.CUDAGraph
    inputs: tuple[Tensor, ...]  # at fixed addresses, as are the outputs
    outputs: tuple[Tensor, ...]
    reads: tuple[Tensor, ...]  # parameters and buffers, whose memory must not go to anything else


class GraphCache:
    """CUDA graphs of functions, the least recently used of which make room for new ones.

    A call whose key occurs for the first time runs as it is: capturing takes longer, and pays for itself only where
    the same shapes come again. All graphs share one pool of memory, so none may run beside another.
    """

    def __init__(self, limit: int, device: torch.device) -> None:
        """Keep at most `limit` graphs; all tensors are on `device`."""
        self.limit, self.device = limit, device
        self._graphs: OrderedDict[Hashable, _Graph] = OrderedDict()
        self._seen: OrderedDict[Hashable, None] = OrderedDict()
        self._pool: tuple[int, int] | None = None

    def __len__(self) -> int:
        """How many graphs there are."""
        return len(self._graphs)

    def run(
        self,
        key: Hashable,
        function: Function,
        inputs: Sequence[Tensor],
        shapes: Sequence[Shape],
        reads: nn.Module | None = None,
    ) -> tuple[Tensor, ...]:
        """function(*inputs), each input filled up with zeros to its shape; the results are the caller's own.

        `key` and `shapes` must determine everything but the inputs' values and the weights of `reads`, the module
        that the function computes with; none if its tensors outlive this object. For use in inference mode.
        """
        key = (key, *shapes)
        captured = self._graphs.get(key)
        if captured is None:
            if not self._seen_before(key):
                return function(*(filled_up(value, shape) for value, shape in zip(inputs, shapes)))
            captured = self._capture(function, inputs, shapes, reads)
            self._graphs[key] = captured
            if len(self._graphs) > self.limit:
                # What is thrown away may still be running.
                torch.cuda.synchronize(self.device)
                self._graphs.popitem(last=False)
        self._graphs.move_to_end(key)
        for static, value in zip(captured.inputs, inputs):
            if static.shape != value.shape:
                static.zero_()
            static[tuple(slice(size) for size in value.shape)].copy_(value)
        captured.graph.replay()
        # The next graph may use this one's memory.
        return tuple(output.clone() for output in captured.outputs)

    def _seen_before(self, key: Hashable) -> bool:
        if key in self._seen:
            del self._seen[key]
            return True
        self._seen[key] = None
        if len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)
        return False

    def _capture(
        self, function: Function, inputs: Sequence[Tensor], shapes: Sequence[Shape], reads: nn.Module | None
    ) -> _Graph:
        cudnn = torch.backends.cudnn
        # A shape that recurs is worth trying out which of cuDNN's algorithms is fastest.
        benchmark = not torch.are_deterministic_algorithms_enabled()
        fastest = cudnn.flags(cudnn.enabled, benchmark, deterministic=cudnn.deterministic, allow_tf32=cudnn.allow_tf32)
        with torch.cuda.device(self.device), fastest, no_collection():
            static = tuple(filled_up(value, shape).clone() for value, shape in zip(inputs, shapes))
            current, stream = torch.cuda.current_stream(), torch.cuda.Stream()
            stream.wait_stream(current)
            with torch.cuda.stream(stream):
                for _ in range(_WARM_UP):
                    function(*static)
            current.wait_stream(stream)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph, pool=self._pool, stream=stream):
                outputs = function(*static)
        self._pool = self._pool or graph.pool()
        kept = () if reads is None else (*reads.parameters(), *reads.buffers())
        return _Graph(graph, static, outputs, kept)


def filled_up(value: Tensor, shape: Shape) -> Tensor:
    """`value`, with zeros behind the end of each dimension up to `shape`."""
    if value.shape == shape:
        return value
    missing = [size - n for n, size in zip(value.shape, shape)]
    return F.pad(value, [n for size in reversed(missing) for n in (0, size)])


@contextmanager
def no_collection() -> Iterator[None]:
    """Inside the block no garbage is collected: freeing an earlier run's graphs amid a capture would abort Python."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
