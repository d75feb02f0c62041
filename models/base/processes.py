"""The processes of one run: device, rank, and the few things they tell each other."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from accelerate import Accelerator
from accelerate.utils import broadcast_object_list, gather_object
from torch import Tensor

from utils.errors import UserError

T = TypeVar("T")


class Processes:
    """Thin layer over accelerate, which finds devices and starts the process group.

    Gradients are averaged here and not by a wrapper around the modules, so that CUDA graphs, two optimisers and
    unused parameters need no special care.
    """

    def __init__(self) -> None:
        _spare_user_from_p2p_errors()
        # Precision and accumulation belong to the training step; accelerate must not do them a second time.
        self.accelerator = Accelerator(mixed_precision="no", cpu=not torch.cuda.is_available())
        self.device: torch.device = self.accelerator.device
        self.rank: int = self.accelerator.process_index
        self.world_size: int = self.accelerator.num_processes

    @property
    def is_main(self) -> bool:
        """Whether this process writes files and talks to the user."""
        return self.rank == 0

    def average_(self, tensors: list[Tensor]) -> None:
        """Replace each tensor by its mean over the processes, without waiting for the device."""
        if self.world_size == 1:
            return
        for tensor in tensors:
            if tensor.is_cuda:
                dist.all_reduce(tensor, op=dist.ReduceOp.AVG)
            else:  # gloo only adds
                dist.all_reduce(tensor.div_(self.world_size))

    def broadcast_(self, tensors: list[Tensor]) -> None:
        """Replace each tensor by the main process's."""
        if self.world_size > 1:
            for tensor in tensors:
                dist.broadcast(tensor, 0)

    def any(self, flag: bool) -> bool:
        """Whether the flag is set on any process; waits for all of them."""
        if self.world_size == 1:
            return flag
        value = torch.tensor(float(flag), device=self.device)
        dist.all_reduce(value, op=dist.ReduceOp.MAX)
        return bool(value.item())

    def gather(self, value: Any) -> list[Any]:
        """The value of every process, by rank; waits for all of them."""
        return gather_object([value]) if self.world_size > 1 else [value]

    def main_only(self, action: Callable[[], T]) -> T:
        """Run `action` on the main process; its result, or its error, is everybody's."""
        if self.world_size == 1:
            return action()
        outcome: list[Any] = [None, None]
        if self.is_main:
            try:
                outcome[0] = action()
            except (UserError, OSError) as error:
                outcome[1] = (True, str(error))
            except Exception as error:
                outcome[1] = (False, f"{type(error).__name__}: {error}")
                broadcast_object_list(outcome)
                raise
        broadcast_object_list(outcome)
        if outcome[1] is not None:
            by_user, message = outcome[1]
            raise UserError(message) if by_user else RuntimeError(f"the main process stopped: {message}")
        return outcome[0]

    def close(self) -> None:
        """End the process group, so that the program exits without complaints."""
        self.accelerator.end_training()


def _spare_user_from_p2p_errors() -> None:
    """Switch off NCCL's peer-to-peer paths on cards without them, where accelerate would raise an error."""
    if not torch.cuda.is_available() or int(os.environ.get("WORLD_SIZE", "1")) < 2:
        return
    from accelerate.utils import check_cuda_p2p_ib_support

    if not check_cuda_p2p_ib_support():
        os.environ.setdefault("NCCL_P2P_DISABLE", "1")
        os.environ.setdefault("NCCL_IB_DISABLE", "1")
