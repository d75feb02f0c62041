"""The launcher: devices, NCCL switches, exit statuses and signals."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from utils.errors import UserError
from utils.launch import launch_command, nccl_switches, processes_for, requested_devices, run_and_forward

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _handlers_are_put_back():
    handlers = {number: signal.getsignal(number) for number in (2, 15, signal.SIGHUP, signal.SIGQUIT, signal.SIGTSTP)}
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.mark.parametrize(("visible", "count"), [("", 0), ("0", 1), ("0,1", 2), ("3, 5,7", 3), ("GPU-a1b2", 1)])
def test_requested_devices(visible, count):
    assert requested_devices(visible) == count


def test_processes_for_devices_that_are_there():
    assert processes_for(1, 1) == 1
    assert processes_for(2, 4) == 2
    assert processes_for(2, 0) == 1  # the CPU
    with pytest.raises(UserError, match="--gpu or CUDA_VISIBLE_DEVICES asks for 2 devices, but torch sees 1"):
        processes_for(2, 1)


@pytest.mark.parametrize(
    ("card", "needed"),
    [
        ("NVIDIA GeForce RTX 3090", True),
        ("NVIDIA GeForce RTX 4090", True),
        ("NVIDIA RTX 4000 SFF Ada Generation", True),
        ("NVIDIA GeForce RTX 5090", True),
        ("NVIDIA H100 80GB HBM3", False),
        ("Tesla V100-SXM2-16GB", False),
        ("NVIDIA RTX A6000", False),
    ],
)
def test_switches_for_cards_without_peer_to_peer(card, needed):
    both = {"NCCL_P2P_DISABLE": "1", "NCCL_IB_DISABLE": "1"}
    assert nccl_switches([card, "NVIDIA H100"], {}) == (both if needed else {})


def test_switches_that_the_user_has_set_stay():
    assert nccl_switches(["RTX 4090"], {"NCCL_P2P_DISABLE": "0"}) == {"NCCL_IB_DISABLE": "1"}
    assert nccl_switches([], {}) == {}


def test_the_command_leaves_nothing_to_guess(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    cpu = launch_command(["train.py", "--x=y z"], 1, on_cpu=True)
    assert cpu[-2:] == ["train.py", "--x=y z"]
    assert {"--cpu", "--num_processes=1", "--num_machines=1", "--mixed_precision=no", "--dynamo_backend=no"} <= set(cpu)
    assert "--num_cpu_threads_per_process=3" in cpu
    one = launch_command(["train.py"], 1, on_cpu=False)
    assert not {"--cpu", "--multi_gpu"} & set(one)
    two = launch_command(["train.py"], 2, on_cpu=False)
    assert {"--multi_gpu", "--num_processes=2", "--gpu_ids=all"} <= set(two)


@pytest.mark.parametrize(
    ("program", "status"),
    [("pass", 0), ("raise SystemExit(7)", 7), ("import os; os.kill(os.getpid(), 9)", 137)],
)
def test_status_comes_back(program, status):
    assert run_and_forward([sys.executable, "-c", program], os.environ) == status


# A launcher between the two, as accelerate is one: it ignores requests to stop and waits.
TRAINING = """
import os, signal, sys, time
def stop(number, frame):
    os.write(1, b"saving\\n")  # print is not to be called while another one is under way
    time.sleep(0.3)
    os.write(1, b"saved\\n")
    sys.exit({status})
signal.signal(signal.SIGINT, stop)
os.write(1, b"ready\\n")
time.sleep({seconds})
"""
LAUNCHER = """
import signal, subprocess, sys
signal.pthread_sigmask(signal.SIG_SETMASK, ())
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, signal.SIG_IGN)
sys.exit(subprocess.call([sys.executable, "-c", sys.argv[1]]))
"""
SLOW = "import time\nprint('loading', flush=True)\ntime.sleep(120)\n"
# What `accelerate launch` does for one process.
FAKE_LAUNCH = """
import os, subprocess, sys
def main():
    command = [sys.executable, sys.argv[1], "--config=x", "--name=x"]
    process = subprocess.Popen(command, env=os.environ | {{"PYTHONPATH": {path!r}}})
    if process.wait():
        raise subprocess.CalledProcessError(process.returncode, command)
"""
OUTER = """
import os, sys
sys.path.insert(0, {root!r})
from utils.launch import run_and_forward
sys.exit(run_and_forward([sys.executable, *sys.argv[1:]], os.environ | {settings}))
"""


def start(training: str) -> subprocess.Popen[str]:
    """The launcher's process with a training process that is ready."""
    outer = start_outer(["-c", LAUNCHER, training])
    assert outer.stdout is not None and outer.stdout.readline() == "ready\n"
    return outer


def start_outer(command: list[str], **settings: str) -> subprocess.Popen[str]:
    """A process that forwards to this Python command, which runs with these environment variables."""
    program = OUTER.format(root=str(ROOT), settings=settings)
    # A background process of a shell ignores Ctrl-C from the start, one under nohup a hang-up; the tests may be either.
    return subprocess.Popen(
        [sys.executable, "-c", program, *command], text=True, preexec_fn=hear_all_signals,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def hear_all_signals():
    """Let a process be stopped, whatever its parent ignores."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("status", [0, 130])
def test_a_request_to_stop_reaches_the_training_and_its_end_is_waited_for(number, status):
    outer = start(TRAINING.format(status=status, seconds=120))
    outer.send_signal(number)
    assert outer.wait(timeout=60) == 130  # Also for a training that says 0: no further stage may follow.
    assert outer.stdout.read() == "saving\nsaved\n"


# Says the time again and again until a file is there, and once more.
CLOCK = """
import os, time
print("ready", flush=True)
over = False
while not over:
    over = os.path.exists({path!r})
    time.sleep(0.05)
    print(time.monotonic(), flush=True)
"""


def test_a_pause_pauses_the_training_and_it_goes_on(tmp_path):
    outer = start(CLOCK.format(path=str(tmp_path / "enough")))
    times = [float(outer.stdout.readline())]
    outer.send_signal(signal.SIGTSTP)
    _, state = os.waitpid(outer.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(state)
    began = time.monotonic()
    time.sleep(2)
    ended = time.monotonic()
    outer.send_signal(signal.SIGCONT)
    (tmp_path / "enough").touch()
    assert outer.wait(timeout=60) == 0
    times += [float(line) for line in outer.stdout.read().split()]
    assert times[0] < began and times[-1] > ended
    assert not any(began + 0.5 < at < ended for at in times)  # what was under way when it was stopped has an excuse


# Hears everything that can be heard, and goes on.
HUNG = """
import os, signal, time
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, lambda number, frame: os.write(1, b"heard %d\\n" % number))
os.write(1, b"ready\\n")
while True:
    time.sleep(1)
"""


def test_the_third_request_ends_a_training_that_hangs():
    outer = start(HUNG)
    for heard in (signal.SIGINT, signal.SIGTERM):
        outer.send_signal(signal.SIGINT)
        assert outer.stdout.readline() == f"heard {int(heard)}\n"
    outer.send_signal(signal.SIGINT)
    assert outer.wait(timeout=60) == 137


# The main thread blocks signals while it starts the child, and hears of them afterwards. When another thread receives
# one, the main thread runs the handler at once, before it knows the child.
SEND = """
import os, signal, threading
def send(number, by_another_thread):
    if not by_another_thread:
        return os.kill(os.getpid(), number)
    def receive():
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
        signal.pthread_kill(threading.get_ident(), number)
    thread = threading.Thread(target=receive)
    thread.start()
    thread.join()
"""
# Is told to stop when it has not yet started the child.
STOPPED_EARLY = """
import os, subprocess, sys
sys.path.insert(0, {root!r})
from utils.launch import run_and_forward
class Popen(subprocess.Popen):
    def __init__(self, *arguments, **named):
        send(signal.SIGTERM, {by_another_thread})
        super().__init__(*arguments, **named)
subprocess.Popen = Popen
program = "import signal, time; signal.pthread_sigmask(signal.SIG_SETMASK, ()); time.sleep(20)"
sys.exit(run_and_forward([sys.executable, "-c", program], os.environ))
"""


@pytest.mark.parametrize("by_another_thread", [False, True])
def test_a_request_while_the_training_is_started_reaches_it(by_another_thread):
    program = SEND + STOPPED_EARLY.format(root=str(ROOT), by_another_thread=by_another_thread)
    done = subprocess.run(
        [sys.executable, "-c", program], preexec_fn=hear_all_signals, stderr=subprocess.PIPE, timeout=60, check=False
    )
    assert done.returncode == 130 and done.stderr.endswith(b"KeyboardInterrupt\n")


def test_a_request_while_the_interpreter_of_the_child_starts_waits_for_the_program(tmp_path):
    # Every Python imports this one before anything of its program runs.
    (tmp_path / "sitecustomize.py").write_text("import time\nprint('starting', flush=True)\ntime.sleep(2)\n")
    program = (
        "import signal, sys, time\n"
        "try:\n    signal.pthread_sigmask(signal.SIG_SETMASK, ())\n    time.sleep(60)\n"
        "except KeyboardInterrupt:\n    print('answered', flush=True)\n    sys.exit(130)\n"
    )
    outer = start_outer(["-c", program], PYTHONPATH=str(tmp_path))
    assert outer.stdout is not None and outer.stdout.readline() == "starting\n"
    outer.send_signal(signal.SIGINT)
    assert outer.communicate(timeout=60) == ("answered\n", "")
    assert outer.returncode == 130


# Is told to pause when the child runs, but before it knows of it.
PAUSED_EARLY = """
import os, subprocess, sys
sys.path.insert(0, {root!r})
from utils.launch import run_and_forward
class Popen(subprocess.Popen):
    def __init__(self, *arguments, **named):
        super().__init__(*arguments, **named)
        send(signal.SIGTSTP, {by_another_thread})
subprocess.Popen = Popen
sys.exit(run_and_forward([sys.executable, "-c", "import time; time.sleep(1); print('ready')"], os.environ))
"""


@pytest.mark.parametrize("by_another_thread", [False, True])
def test_a_pause_while_the_training_is_started_reaches_it(by_another_thread):
    program = SEND + PAUSED_EARLY.format(root=str(ROOT), by_another_thread=by_another_thread)
    outer = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    _, state = os.waitpid(outer.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(state) and outer.stdout is not None
    assert select.select([outer.stdout], [], [], 4)[0] == [], "the child has not stopped"
    outer.send_signal(signal.SIGCONT)
    assert outer.communicate(timeout=60)[0] == "ready\n"
    assert outer.returncode == 0


@pytest.mark.parametrize("loading", [True, False])
def test_ctrl_c_under_accelerate(tmp_path, loading):
    # In the place of accelerate, or of the training's packages: some that take long to load.
    if loading:
        (tmp_path / "accelerate.py").write_text(SLOW)
    else:
        fake = tmp_path / "accelerate" / "commands"
        fake.mkdir(parents=True)
        (fake.parent / "__init__.py").touch()
        (fake / "__init__.py").touch()
        (fake / "launch.py").write_text(FAKE_LAUNCH.format(path=str(tmp_path / "slow")))
        (tmp_path / "slow").mkdir()
        (tmp_path / "slow" / "pydantic.py").write_text(SLOW)
    command = [str(ROOT / "utils/accelerate_child.py"), str(ROOT / "bins/train.py")]
    outer = start_outer(command, PYTHONPATH=str(tmp_path))
    assert outer.stdout is not None and outer.stdout.readline() == "loading\n"
    outer.send_signal(signal.SIGINT)
    assert outer.communicate(timeout=60) == ("", "")
    assert outer.returncode == 130


def test_accelerate_itself_on_the_cpu_without_warnings_or_a_users_settings(tmp_path):
    settings = tmp_path / "accelerate"
    settings.mkdir()
    (settings / "default_config.yaml").write_text("distributed_type: MULTI_GPU\nnum_processes: 7\n")
    script = tmp_path / "train it.py"
    script.write_text(
        "import os, sys\n"
        "print(sys.argv[1:], os.environ['ACCELERATE_USE_CPU'], os.environ['OMP_NUM_THREADS'], flush=True)\n"
        "raise SystemExit(5)\n"
    )
    done = subprocess.run(
        [sys.executable, str(ROOT / "bins/launch.py"), str(script), '--text=it\'s "two"\nlines'],
        env={**os.environ, "HF_HOME": str(tmp_path), "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 5
    assert done.stdout == "['--text=it\\'s \"two\"\\nlines'] True 1\n"
    assert done.stderr == "note: no CUDA device is visible, so training runs on the CPU, slowly\n"
