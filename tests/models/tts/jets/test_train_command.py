"""bins/train.py as its users start it: alone, interrupted, and as two processes."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path
from unittest.mock import Mock

import pytest
import torch

from models.base.checkpoints import latest_checkpoint, list_checkpoints, load_training, load_weights
from tests.scripts import load_script
from utils.errors import OwnError, UserError
from utils.files import FileLock

ROOT = Path(__file__).resolve().parents[4]


def command(overrides: list[str], *flags: str) -> list[str]:
    settings = [f"--set={override}" for override in overrides]
    return [str(ROOT / "bins/train.py"), "--config", str(ROOT / "config/jets.json"), *flags, *settings]


# A training and its continuation, in the processes of one start.
TWICE = """
import sys
sys.path.insert(0, {root!r})
from tests.scripts import load_script
for sys.argv in {both!r}:
    assert load_script("train").main() == 0
"""


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")


def test_interrupt_saves_and_resume_goes_on(
    environment, tiny_corpus, tiny_overrides, tmp_path, monkeypatch, capsys
) -> None:
    rare = ["train.valid_interval=1000000", "train.save_checkpoints_steps=1000000"]
    long = [*tiny_overrides, *rare, "train.max_epoch=10000"]
    process = subprocess.Popen(
        [sys.executable, *command(long, "--name", "voice")], stderr=subprocess.PIPE, text=True, cwd=tmp_path
    )
    folder = tmp_path / "runs/voice"
    log, deadline = folder / "train.log", time.monotonic() + 240
    while not (log.exists() and "step 2/" in log.read_text()):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.1)
    with pytest.raises(UserError, match=f"process {process.pid} on"):
        FileLock(folder / ".lock", "in use").acquire()
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=120)
    assert process.returncode == 130, stderr  # no further stage may follow
    saved = latest_checkpoint(folder)
    assert saved is not None and f"stopped after step {saved.step} (SIGINT); go on with --resume" in stderr
    assert "Traceback" not in stderr
    epochs = saved.step // 4 + 1
    complete = "note: training was complete already"
    script = load_script("train")
    for told in (False, True):  # the second time nothing is left to do
        goal = f"train.max_epoch={epochs}"
        monkeypatch.setattr(sys, "argv", command([*long, goal], "--name", "voice", "--resume"))
        assert script.main() == 0
        stderr = capsys.readouterr().err
        assert latest_checkpoint(folder).step == 4 * epochs
        assert (complete in stderr) == told
    assert f"raise it, for instance --resume --set train.max_epoch={2 * epochs}\n" in stderr


def test_two_processes_end_with_one_set_of_weights(environment, tiny_corpus, tiny_overrides, tmp_path) -> None:
    overrides = [*tiny_overrides, "train.batch_size=3", "train.ema_decay=0.9"]
    both = [command(overrides, "--name", "voice", *flags) for flags in (["--set=train.max_epoch=1"], ["--resume"])]
    (tmp_path / "twice.py").write_text(TWICE.format(root=str(ROOT), both=both))
    launcher = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node=2", "--standalone"]
    run = subprocess.run([*launcher, str(tmp_path / "twice.py")], capture_output=True, text=True, timeout=240)
    assert run.returncode == 0, run.stderr[-3000:]
    folder = tmp_path / "runs/voice"
    steps = [checkpoint.step for checkpoint in list_checkpoints(folder)]
    assert steps == [4, 8]
    training = load_training(latest_checkpoint(folder).path)
    assert len(training["processes"]) == 2
    one, other = (state["random"]["torch"] for state in training["processes"])
    assert not torch.equal(one, other)  # each draws its own dropout
    digests = [state["weights"] for state in training["processes"]]
    assert digests[0] == digests[1]
    assert all(torch.isfinite(value).all() for value in load_weights(latest_checkpoint(folder).path).values())
    assert "2 x the CPU" in (folder / "train.log").read_text()


def test_mistakes_get_one_sentence(environment, tiny_overrides, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(sys, "argv", command(tiny_overrides, "--name", "voice"))
    assert load_script("train").main() == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1 and "run stage 1" in told
    assert not (tmp_path / "runs/voice").exists()


def test_another_process_says_only_what_it_alone_may_meet(environment, tiny_overrides, monkeypatch, capsys) -> None:
    monkeypatch.setattr(sys, "argv", command(tiny_overrides, "--name", "voice"))
    for name in ("RANK", "LOCAL_RANK"):
        monkeypatch.setenv(name, "1")
    script = load_script("train")
    for kind, told in ((UserError, ""), (OwnError, "error: a shard is damaged\n")):
        monkeypatch.setattr(script, "train", Mock(side_effect=kind("a shard is damaged")))
        assert script.main() == 2 and capsys.readouterr().err == told
