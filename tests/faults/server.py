"""A process that has imported everything already and forks children that do one piece of work and may die of it.

Starting Python and importing torch takes seconds, a fork takes milliseconds: that pays for hundreds of kills. Runs as
`python -m tests.faults.server SOCKET`; `Server` is the other side.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.faults.kills import Counter, Moment, moment_from

ROOT = Path(__file__).resolve().parents[2]
_TIMEOUT = 120.0


@dataclass(frozen=True)
class Outcome:
    """How a child ended: the signal that killed it or its exit status, and what it said."""

    killed_by: int | None
    status: int | None
    seconds: float
    output: str
    counts: dict[str, int]


class Server:
    """Starts the server; `run` may be called from several threads."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._address = str(folder / "socket")
        one_thread = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        one_thread["JE_ARROW_MALLOC_CONF"] = "background_thread:false"
        command = [sys.executable, "-m", "tests.faults.server", self._address]
        self._process = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, text=True,
            env={**os.environ, **one_thread, "CUDA_VISIBLE_DEVICES": ""},
        )  # fmt: skip
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n", "the fork server did not start"

    def run(self, target: str, arguments: Mapping[str, Any], moment: Moment | None = None) -> Outcome:
        """Run a function of tests/faults/targets.py in a child that dies at `moment`."""
        with socket.socket(socket.AF_UNIX) as line:
            line.connect(self._address)
            request = {"target": target, "arguments": arguments, "moment": (moment or Moment()).to_json()}
            line.sendall(json.dumps(request).encode() + b"\n")
            with line.makefile() as answer:
                return Outcome(**json.loads(answer.readline()))

    def close(self) -> None:
        """End the server."""
        self._process.kill()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()


def main(address: str) -> None:
    """Answer requests, each in a process of its own."""
    from tests.faults import targets

    targets.warm_up()
    threads = len(os.listdir("/proc/self/task"))
    assert threads == 1, f"{threads} threads: a fork would copy their locks"
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(address)
    listener.listen(16)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the processes that answer
    print("ready", flush=True)
    while True:
        connection, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            with connection, connection.makefile() as file:
                request = json.loads(file.readline())
                outcome = _answer(request, Path(f"{address}.{os.getpid()}"))
                connection.sendall(json.dumps(outcome).encode() + b"\n")
            os._exit(0)
        connection.close()


def _answer(request: Mapping[str, Any], scratch: Path) -> dict[str, Any]:
    moment = moment_from(request["moment"])
    output, counts = scratch.with_suffix(".output"), scratch.with_suffix(".counts")
    began = time.monotonic()
    child = os.fork()
    if child == 0:
        _work(request, moment, output, counts)
    handle = os.pidfd_open(child)
    limit = moment.at if moment.kind == "seconds" else _TIMEOUT
    if not select.select([handle], [], [], limit)[0]:
        os.kill(child, signal.SIGKILL)
    _, state = os.waitpid(child, 0)
    seconds = time.monotonic() - began
    os.close(handle)
    result = {
        "killed_by": os.WTERMSIG(state) if os.WIFSIGNALED(state) else None,
        "status": os.WEXITSTATUS(state) if os.WIFEXITED(state) else None,
        "seconds": seconds,
        "output": output.read_text(errors="replace") if output.exists() else "",
        "counts": json.loads(counts.read_text()) if counts.exists() else {},
    }
    for path in (output, counts):
        path.unlink(missing_ok=True)
    return result


def _work(request: Mapping[str, Any], moment: Moment, output: Path, counts: Path) -> None:
    """Life of a child: status 0, 2 for a UserError, 1 for any other exception."""
    from tests.faults import targets
    from utils.errors import UserError

    handle = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    status = 1
    try:
        counter = Counter(moment)
        counter.arm()
        getattr(targets, request["target"])(**request["arguments"])
        status = 0
        if moment.kind == "never":
            counter.write(counts)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        status = 2
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    main(sys.argv[1])
