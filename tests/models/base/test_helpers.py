"""Signals, reading ahead, memory advice, shared errors."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from models.base import run_log
from models.base.device import OutOfMemory, out_of_memory_advice, resolve_precision
from models.base.processes import GracefulStop, Processes, processes_for
from utils.errors import UserError

ROOT = Path(__file__).resolve().parents[3]
CPU = torch.device("cpu")


def test_one_signal_asks_and_handlers_come_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with GracefulStop() as stop:
        assert not stop.requested
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGINT)  # at once: the launcher's echo of the same request
        assert stop.requested and stop.signal_name == "SIGTERM"
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_second_signal_ends_the_process() -> None:
    code = (
        "import time\nfrom models.base import processes as signals\nsignals.SAME_REQUEST = 0.2\n"
        "with signals.GracefulStop():\n    print('ready', flush=True)\n    while True:\n        time.sleep(0.05)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT)
    assert process.stdout is not None and process.stdout.readline() == b"ready\n"
    process.send_signal(signal.SIGINT)
    assert process.stderr is not None
    assert [process.stderr.readline() for _ in range(2)][1].startswith(b"stopping after this step")
    time.sleep(0.5)  # longer than what counts as the same request
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 128 + signal.SIGINT


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("x"), MemoryError(), RuntimeError("CUDA out of memory")])
def test_out_of_memory_names_the_settings(error: BaseException) -> None:
    with pytest.raises(OutOfMemory, match=r"in a trial .*: lower train.a, train.b or train.c"):
        with out_of_memory_advice("in a trial", CPU, ("train.a", "train.b", "train.c")):
            raise error


def test_precision_on_the_cpu() -> None:
    assert [resolve_precision(name, CPU) for name in ("auto", "fp32", "bf16")] == ["fp32", "fp32", "bf16"]
    with pytest.raises(UserError, match="fp16 needs a GPU"):
        resolve_precision("fp16", CPU)


@pytest.mark.parametrize(
    ("visible", "count"), [("", 1), ("0", 1), ("0,1", 2), ("3, 5,7", 3), ("GPU-a1b2", 1), ("0,", 1)]
)
def test_a_process_for_each_device(monkeypatch: pytest.MonkeyPatch, visible: str, count: int) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    assert processes_for(visible) == count
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    assert processes_for(visible) == 1  # the CPU
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(UserError, match="--gpu or CUDA_VISIBLE_DEVICES asks for 2 devices, but torch sees 1"):
        processes_for("0,1")


# A process of several: answers requests from a moment on, as bins/train.py does.
TOGETHER = """
import os, sys
from models.base.processes import answer_requests, run_together
if "RANK" not in os.environ:
    sys.exit(run_together(2, [sys.executable, "-c", *sys.orig_argv[2:]]))
import signal, time
rank = int(os.environ["RANK"])
{body}
"""
WAIT = """
try:
    answer_requests()
    os.write(1, b"ready\\n")
    time.sleep(60)
except KeyboardInterrupt:
    os.write(1, b"saved\\n")
    sys.exit(130)
"""


def together(body: str) -> subprocess.Popen[str]:
    environment = {name: value for name, value in os.environ.items() if name not in ("RANK", "WORLD_SIZE")}
    return subprocess.Popen(
        [sys.executable, "-c", TOGETHER.replace("{body}", body)], cwd=ROOT, text=True, stdout=subprocess.PIPE,
        env=environment, preexec_fn=lambda: [signal.signal(n, signal.SIG_DFL) for n in (signal.SIGINT, signal.SIGHUP)],
    )  # fmt: skip


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_a_request_to_stop_reaches_all_processes_and_their_end_is_waited_for(number: signal.Signals) -> None:
    outer = together(WAIT)
    assert outer.stdout is not None and [outer.stdout.readline() for _ in range(2)] == ["ready\n"] * 2
    outer.send_signal(number)
    assert outer.communicate(timeout=60)[0] == "saved\nsaved\n"
    assert outer.returncode == 130


def test_one_that_fails_ends_the_others() -> None:
    patience = "from models.base import processes; processes.PATIENCE = 0.5\n"
    code = "if rank == 1: os.kill(os.getpid(), 9)\nsignal.signal(15, signal.SIG_IGN)\ntime.sleep(300)"
    outer = subprocess.run(
        [sys.executable, "-c", patience + TOGETHER.replace("{body}", code)], cwd=ROOT, timeout=120, check=False
    )
    assert outer.returncode == 137


def test_what_one_process_cannot_do_stops_all(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails() -> None:
        raise UserError("there is no corpus here")

    others_fail = False
    alone = Processes.__new__(Processes)
    monkeypatch.setattr(Processes, "any", lambda self, flag: flag or others_fail)
    assert alone.all_or_none(lambda: 5) == 5
    with pytest.raises(UserError, match="no corpus here"):
        alone.all_or_none(fails)
    others_fail = True
    with pytest.raises(UserError, match="another process of this run cannot start"):
        alone.all_or_none(lambda: 5)


def test_a_slow_run_is_told_at_once_and_stops_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_log, "PATIENCE", 0.2)
    told: list[str] = []
    with GracefulStop() as stop, run_log.Pace(CPU, 10**9, "take a small one", stop, told.append) as pace:
        with pytest.raises(KeyboardInterrupt):  # the first step is not over
            while not stop.in_vain:
                time.sleep(0.05)
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(5)
        for _ in range(3):
            pace.step()
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.requested
    assert len(told) == 2 and told[0] == "more than 0.2 s a step, 2315 days for the run; take a small one"
    assert told[1].startswith("about ")
