"""A whole training step as a CUDA graph for each padded shape: thousands of kernels for the price of one launch."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor, nn

from models.kernels.cuda_graphs import no_collection
from models.tts.jets.batch import Batch

Losses = dict[str, Tensor]


@dataclass(frozen=True)
class _Captured:
    graph: torch.cuda.CUDAGraph
    batch: Batch
    loss_scale: Tensor
    losses: Losses
    pool: torch.cuda.MemPool  # must outlive the graph


class GraphedStep:
    """Replays a step function; captures it whenever a batch has a new shape.

    Gradients live at fixed addresses, so they must be zeroed in place. All graphs and the steps that warm up for them
    share one stream and one pool of memory, which is as large as the largest of them needs; the trial of the largest
    batch captures that one first.
    """

    # Batches of further shapes run without a graph.
    MAX_GRAPHS = 64
    # Steps before the first capture; later ones have less to get ready.
    WARM_UP = 2

    def __init__(self, step: Callable[[Batch, Tensor], Losses], parameters: Sequence[nn.Parameter]) -> None:
        """`step` adds gradients to `parameters` and returns detached losses; it must not make the host wait."""
        self.step, self.parameters = step, list(parameters)
        self.captured: dict[tuple[int, ...], _Captured] = {}
        self.pool, self.stream = torch.cuda.MemPool(), torch.cuda.Stream()

    def __call__(self, batch: Batch, loss_scale: Tensor) -> Losses:
        """Losses of the step, valid until the next one."""
        key = (*batch.text.shape, batch.mel.shape[1])
        if key not in self.captured:
            if len(self.captured) >= self.MAX_GRAPHS:
                return self.step(batch, loss_scale)
            self.captured[key] = self._capture(batch, loss_scale)
        captured = self.captured[key]
        for name in _tensors(batch):
            getattr(captured.batch, name).copy_(getattr(batch, name))
        captured.loss_scale.copy_(loss_scale)
        captured.graph.replay()
        return captured.losses

    def _capture(self, batch: Batch, loss_scale: Tensor) -> _Captured:
        for parameter in self.parameters:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        gradients = [parameter.grad for parameter in self.parameters]
        kept = [gradient.clone() for gradient in gradients]
        batch = replace(batch, **{name: getattr(batch, name).clone() for name in _tensors(batch)})
        loss_scale = loss_scale.clone()
        graph = torch.cuda.CUDAGraph()
        if not self.captured:
            # An earlier run's graphs and pools may be garbage in cycles, which captures keep from being collected;
            # their memory has to be free before the largest batch is tried.
            gc.collect()
        self.stream.wait_stream(torch.cuda.current_stream())
        # Memory of the pool is given to this thread alone, so the backward pass must not use another one.
        with fastest_convolutions(), no_collection(), torch.autograd.set_multithreading_enabled(False):
            with torch.cuda.stream(self.stream), torch.cuda.use_mem_pool(self.pool):
                for _ in range(1 if self.captured else self.WARM_UP):
                    self.step(batch, loss_scale)
            torch.cuda.current_stream().wait_stream(self.stream)
            torch._foreach_copy_(gradients, kept)
            del kept
            with torch.cuda.graph(graph, pool=self.pool.id, stream=self.stream):
                losses = self.step(batch, loss_scale)
        return _Captured(graph, batch, loss_scale, losses, self.pool)


def _tensors(batch: Batch) -> list[str]:
    return [field.name for field in fields(batch) if isinstance(getattr(batch, field.name), Tensor)]


def fastest_convolutions() -> AbstractContextManager[None]:
    """Inside the block cuDNN tries its algorithms for each new shape and keeps the fastest, unless repeats must match.

    That pays in graphs, whose shapes come again and again.
    """
    cudnn = torch.backends.cudnn
    return cudnn.flags(
        enabled=cudnn.enabled,
        benchmark=not torch.are_deterministic_algorithms_enabled(),
        deterministic=cudnn.deterministic,
        allow_tf32=cudnn.allow_tf32,
    )
