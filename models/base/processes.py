"""The processes of one run: how they start and stop, device and rank, and the few things they tell each other."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from accelerate import PartialState
from accelerate.utils import broadcast_object_list, gather_object
from torch import Tensor

from utils.errors import UserError

T = TypeVar("T")
# Consumer cards without peer-to-peer transfers, on which NCCL hangs.
_NO_P2P = re.compile(r"GeForce RTX (30|40|50)\d\d")
# Seconds. Ctrl-C reaches a process twice, from the terminal and from the one that started it: still one request.
SAME_REQUEST = 1.0
# Seconds that the other processes have to end by themselves when one has failed.
PATIENCE = 10.0
_STOP_REQUESTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def processes_for(visible: str) -> int:
    """Training processes for a value of CUDA_VISIBLE_DEVICES, one a device or one on the CPU; UserError if too many."""
    requested = len([part for part in visible.split(",") if part.strip()])
    available = torch.cuda.device_count() if requested else 0
    if available and requested > available:
        asked = f"--gpu or CUDA_VISIBLE_DEVICES asks for {requested} devices"
        raise UserError(f"{asked}, but torch sees {available} of them")
    return max(1, requested if available else 0)


def run_together(count: int, command: list[str]) -> int:
    """Run a command as `count` processes of one run, which end together; the exit status of the first that fails."""
    children: list[subprocess.Popen[bytes]] = []

    def forward(number: int, frame: FrameType | None) -> None:
        for child in children:
            child.send_signal(number)

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    shared = {**os.environ, "WORLD_SIZE": str(count), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    shared.setdefault("OMP_NUM_THREADS", str(max(1, cores() // count)))
    for number in heard(_STOP_REQUESTS):
        signal.signal(number, forward)
    # A request while they start waits: here until all are there, and in them until they can answer.
    signal.pthread_sigmask(signal.SIG_BLOCK, _STOP_REQUESTS)
    for rank in range(count):
        children.append(subprocess.Popen(command, env={**shared, "RANK": str(rank), "LOCAL_RANK": str(rank)}))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOP_REQUESTS)
    status, until = 0, float("inf")
    while None in [child.poll() for child in children]:
        failed = [child.returncode for child in children if child.returncode]
        if failed and not status:
            status, until = failed[0], time.monotonic() + PATIENCE
        if time.monotonic() > until:
            forward(signal.SIGKILL, None)
        time.sleep(0.1)
    status = status or next((child.returncode for child in children if child.returncode), 0)
    return 128 - status if status < 0 else status


def cores() -> int:
    """CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def heard(numbers: tuple[signal.Signals, ...]) -> list[signal.Signals]:
    """Those of the signals that whoever started this process did not switch off, as nohup does."""
    return [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]


def answer_requests() -> None:
    """From here on every request to stop raises KeyboardInterrupt, also one that came while this process started."""
    for number in heard(_STOP_REQUESTS):
        signal.signal(number, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOP_REQUESTS)


class GracefulStop:
    """Inside the block a request to stop (Ctrl-C, SIGTERM, a closed terminal) sets `requested`; a second one ends.

    While `in_vain`, there is nothing to finish: the first one raises KeyboardInterrupt.
    """

    def __init__(self) -> None:
        self.requested = self.in_vain = False
        self.signal_name = ""
        self._since = 0.0
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> GracefulStop:
        self._before = {number: signal.signal(number, self._handle) for number in heard(_STOP_REQUESTS)}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.in_vain:
            raise KeyboardInterrupt
        if self.requested:
            if time.monotonic() - self._since >= SAME_REQUEST:
                os._exit(128 + number)
            return
        self.requested, self._since = True, time.monotonic()
        self.signal_name = signal.Signals(number).name
        with suppress(OSError):  # the terminal may be gone
            os.write(2, b"\nstopping after this step; the same signal again stops at once\n")


class Processes:
    """This process among those of the run: a thin layer over accelerate, which finds device and rank.

    `accelerate launch`, `torchrun` and SLURM may start bins/train.py, too, on several machines. Gradients are averaged
    here and not by a wrapper around the modules, so that CUDA graphs, two optimisers and unused parameters need no
    special care.
    """

    def __init__(self) -> None:
        if any(_NO_P2P.search(torch.cuda.get_device_name(index)) for index in range(torch.cuda.device_count())):
            # Without these, accelerate refuses to start several processes on such cards.
            os.environ.setdefault("NCCL_P2P_DISABLE", "1")
            os.environ.setdefault("NCCL_IB_DISABLE", "1")
        self.state = PartialState(cpu=not torch.cuda.is_available())
        self.device: torch.device = self.state.device
        self.rank: int = self.state.process_index
        self.world_size: int = self.state.num_processes

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

    def means(self, values: dict[str, float]) -> dict[str, float]:
        """The mean of each value over the processes, in float32; waits for the device."""
        if self.world_size == 1:
            return values
        shared = torch.tensor(list(values.values()), dtype=torch.float64).float().to(self.device)
        self.average_([shared])
        return dict(zip(values, shared.tolist()))

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

    def all_or_none(self, action: Callable[[], T]) -> T:
        """Run `action` on every process; a UserError on one, as on a machine that lacks a file, stops all."""
        problem: UserError | None = None
        try:
            result = action()
        except UserError as error:
            problem = error
        if self.any(problem is not None):
            raise problem or UserError("another process of this run cannot start, and says why")
        return result

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
        # One process must not go while another still talks to it.
        self.state.wait_for_everyone()
        self.state.destroy_process_group()
