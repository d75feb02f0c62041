"""Start a training script through `accelerate launch`, saying explicitly what it would otherwise guess."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from types import FrameType

from utils.errors import UserError
from utils.paths import PROJECT_ROOT

# Consumer cards without peer-to-peer transfers; NCCL hangs on them, and accelerate refuses to start.
_NO_P2P = re.compile(r"RTX (30|40|50)\d\d")
_NCCL_SWITCHES = ("NCCL_P2P_DISABLE", "NCCL_IB_DISABLE")
_STOP_REQUESTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


def requested_devices(visible: str) -> int:
    """How many devices a value of CUDA_VISIBLE_DEVICES asks for."""
    return len([part for part in visible.split(",") if part.strip()])


def cuda_device_count() -> int:
    """CUDA devices that torch sees; asked in a process of its own, which leaves no memory behind."""
    command = [sys.executable, "-c", "import torch; print(torch.cuda.device_count())"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    if answer.returncode != 0:
        raise UserError(f"torch cannot be imported: {answer.stderr.strip().splitlines()[-1]}")
    return int(answer.stdout.split()[-1])


def card_names() -> list[str]:
    """Names of all NVIDIA cards of this machine; none where the driver's tool is missing."""
    command = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout.splitlines()
    except (OSError, subprocess.SubprocessError):
        return []


def nccl_switches(names: Iterable[str], environment: Mapping[str, str]) -> dict[str, str]:
    """NCCL variables that these cards need and that the user has not set."""
    if not any(_NO_P2P.search(name) for name in names):
        return {}
    return {switch: "1" for switch in _NCCL_SWITCHES if switch not in environment}


def processes_for(requested: int, available: int) -> int:
    """Training processes: one for each device, one on the CPU; UserError when more is asked for than there is."""
    if available and requested > available:
        asked = f"--gpu or CUDA_VISIBLE_DEVICES asks for {requested} devices"
        raise UserError(f"{asked}, but torch sees {available} of them")
    return max(1, requested if available else 0)


def launch_command(script: Sequence[str], processes: int, on_cpu: bool) -> list[str]:
    """The `accelerate launch` command for a script and its arguments."""
    threads = int(os.environ.get("OMP_NUM_THREADS") or max(1, _cores() // processes))
    command = [sys.executable, str(PROJECT_ROOT / "utils" / "accelerate_child.py")]
    command += [f"--config_file={PROJECT_ROOT / 'config' / 'accelerate.yaml'}", "--num_machines=1"]
    command += [f"--num_processes={processes}", f"--num_cpu_threads_per_process={threads}"]
    # The trainer chooses the precision itself, from train.precision.
    command += ["--mixed_precision=no", "--dynamo_backend=no"]
    if on_cpu:
        command.append("--cpu")
    elif processes > 1:
        command += ["--multi_gpu", "--gpu_ids=all", f"--main_process_port={_free_port()}"]
    return [*command, *script]


def run_and_forward(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run a command; a request to stop reaches the training process, whose exit status comes back.

    The launcher between us and the training process would die of Ctrl-C or SIGTERM without waiting for it, so that
    the last checkpoint would be written by an orphan. So both form a group of their own, in which the launcher ignores
    these signals and the training process handles them. The first request to stop arrives there as Ctrl-C, the second
    one as SIGTERM, further ones as SIGKILL.

    The command starts with these signals blocked and must unblock them once it can answer: an interpreter that has
    just started would die of them with a traceback.
    """
    child: subprocess.Popen[bytes] | None = None
    early: list[int] = []
    escalation = [signal.SIGKILL, signal.SIGTERM, signal.SIGINT]

    def forward(number: int, frame: FrameType | None) -> None:
        if child is None:
            early.append(number)
            return
        try:
            os.killpg(child.pid, escalation.pop() if len(escalation) > 1 else escalation[0])
        except ProcessLookupError:
            return  # It has just ended.

    def pause(number: int, frame: FrameType | None) -> None:
        if child is None:
            early.append(number)
            return
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGSTOP)
        os.kill(os.getpid(), signal.SIGSTOP)  # Ctrl-Z ends here, and `fg` or `bg` goes on with the next line.
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGCONT)

    # The handlers come first: a request between the start and them would leave the training to itself.
    signal.signal(signal.SIGTSTP, pause)
    for number in _STOP_REQUESTS:
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup stays in force
            signal.signal(number, forward)
    # For the child's sake; here another thread may receive what this one blocks.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {*_STOP_REQUESTS, signal.SIGTSTP})
    try:
        child = subprocess.Popen(command, env=dict(environment), start_new_session=True)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    for number in early:
        signal.raise_signal(number)
    status = child.wait()
    if status == 0 and len(escalation) < 3:
        return 128 + signal.SIGINT  # It stopped in good order, but before its end: no further stage may follow.
    return 128 - status if status < 0 else status


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
