"""CUDA graphs: hundreds of kernels for the price of one launch. For functions of tensors, and for training steps."""

from __future__ import annotations

import gc
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Function = Callable[..., tuple[Tensor, ...]]
Shape = tuple[int, ...]
Losses = dict[str, Tensor]
_WARM_UP = 2
_REMEMBERED = 1024  # keys that occurred once


@dataclass(frozen=True)
class _Graph:
    graph: torch.cuda.CUDAGraph
    inputs: tuple[Tensor, ...]  # at fixed addresses, as are the outputs
    outputs: tuple[Tensor, ...]


class GraphCache:
    """CUDA graphs of functions, the least recently used of which make room for new ones.

    A call whose key occurs for the first time runs as it is: capturing takes longer, and pays for itself only where
    the same shapes come again. All graphs share one pool of memory, so none may run beside another.
    """

    def __init__(self, limit: int, device: torch.device) -> None:
        """Keep at most `limit` graphs; all tensors are on `device`."""
        self.limit, self.device = limit, device
        self.most_rows: int | None = None  # batches of more run as they are: theirs are shapes that seldom recur
        self._graphs: OrderedDict[Hashable, _Graph] = OrderedDict()
        self._seen: set[Hashable] = set()
        self._pool: Any = None

    def __len__(self) -> int:
        """How many graphs there are."""
        return len(self._graphs)

    def run(
        self, key: Hashable, function: Function, inputs: Sequence[Tensor], shapes: Sequence[Shape]
    ) -> tuple[Tensor, ...]:
        """function(*inputs), each input filled up with zeros to its shape; the results are the caller's own.

        `key` and `shapes` must determine everything but the inputs' values; the weights that the function computes
        with must stay where they are for as long as this object lives. For use in inference mode.
        """
        if self.most_rows is not None and len(inputs[0]) > self.most_rows:
            return function(*inputs)
        key = (key, *shapes)
        captured = self._graphs.get(key)
        if captured is None:
            if key not in self._seen:
                if len(self._seen) == _REMEMBERED:
                    self._seen.clear()
                self._seen.add(key)
                return function(*(filled_up(value, shape) for value, shape in zip(inputs, shapes)))
            self._seen.remove(key)
            captured = self._graphs[key] = self._capture(function, inputs, shapes)
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

    def _capture(self, function: Function, inputs: Sequence[Tensor], shapes: Sequence[Shape]) -> _Graph:
        with torch.cuda.device(self.device), capturing():
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
        return _Graph(graph, static, outputs)


def filled_up(value: Tensor, shape: Shape) -> Tensor:
    """`value`, with zeros behind the end of each dimension up to `shape`."""
    if value.shape == shape:
        return value
    missing = [size - n for n, size in zip(value.shape, shape)]
    return F.pad(value, [n for size in reversed(missing) for n in (0, size)])


@dataclass(frozen=True)
class _Captured:
    graph: torch.cuda.CUDAGraph
    batch: Any
    loss_scale: Tensor
    losses: Losses
    pool: torch.cuda.MemPool  # must outlive the graph


class StepGraphs:
    """Replays a step function; captures it whenever a batch has a new shape.

    Gradients live at fixed addresses, so they must be zeroed in place. All graphs and the steps that warm up for them
    share one stream and one pool of memory, which is as large as the largest of them needs; the trial of the largest
    batch captures that one first.
    """

    MAX_GRAPHS = 64  # batches of further shapes run without a graph
    WARM_UP = 2  # steps before the first capture; later ones have less to get ready

    def __init__(self, step: Callable[[Any, Tensor], Losses], parameters: Sequence[nn.Parameter]) -> None:
        """`step` adds gradients to `parameters` and returns detached losses; it must not make the host wait.

        Its batch is a dataclass with tensors in it.
        """
        self.step, self.parameters = step, list(parameters)
        self.captured: dict[tuple[Shape, ...], _Captured] = {}
        self.pool, self.stream = torch.cuda.MemPool(), torch.cuda.Stream()

    def __call__(self, batch: Any, loss_scale: Tensor) -> Losses:
        """Losses of the step, valid until the next one."""
        tensors = _tensors(batch)
        key = tuple(tuple(value.shape) for value in tensors.values())
        if key not in self.captured:
            if len(self.captured) >= self.MAX_GRAPHS:
                return self.step(batch, loss_scale)
            self.captured[key] = self._capture(batch, loss_scale)
        captured = self.captured[key]
        for name, value in tensors.items():
            getattr(captured.batch, name).copy_(value)
        captured.loss_scale.copy_(loss_scale)
        captured.graph.replay()
        return captured.losses

    def _capture(self, batch: Any, loss_scale: Tensor) -> _Captured:
        for parameter in self.parameters:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        gradients = [parameter.grad for parameter in self.parameters if parameter.grad is not None]
        kept = [gradient.clone() for gradient in gradients]
        batch = replace(batch, **{name: value.clone() for name, value in _tensors(batch).items()})
        loss_scale = loss_scale.clone()
        graph = torch.cuda.CUDAGraph()
        if not self.captured:
            # An earlier run's graphs and pools may be garbage in cycles, which captures keep from being collected;
            # their memory has to be free before the largest batch is tried.
            gc.collect()
        self.stream.wait_stream(torch.cuda.current_stream())
        # Memory of the pool is given to this thread alone, so the backward pass must not use another one.
        with capturing(), torch.autograd.set_multithreading_enabled(False):
            with torch.cuda.stream(self.stream), torch.cuda.use_mem_pool(self.pool):
                for _ in range(1 if self.captured else self.WARM_UP):
                    self.step(batch, loss_scale)
            torch.cuda.current_stream().wait_stream(self.stream)
            torch._foreach_copy_(gradients, kept)
            del kept
            pool: Any = self.pool.id
            with torch.cuda.graph(graph, pool=pool, stream=self.stream):
                losses = self.step(batch, loss_scale)
        return _Captured(graph, batch, loss_scale, losses, self.pool)


def _tensors(batch: Any) -> dict[str, Tensor]:
    return {name: value for name, value in vars(batch).items() if isinstance(value, Tensor)}


@contextmanager
def capturing() -> Iterator[None]:
    """Inside the block no garbage is collected: freeing an earlier run's graphs amid a capture would abort Python.

    And cuDNN tries its algorithms for each new shape and keeps the fastest, unless repeats must match. That pays in
    graphs, whose shapes come again and again.
    """
    cudnn, enabled = torch.backends.cudnn, gc.isenabled()
    benchmark = not torch.are_deterministic_algorithms_enabled()
    gc.disable()
    try:
        with cudnn.flags(cudnn.enabled, benchmark, deterministic=cudnn.deterministic, allow_tf32=cudnn.allow_tf32):
            yield
    finally:
        if enabled:
            gc.enable()
