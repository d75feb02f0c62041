"""Stage 1 as a real command: killed, interrupted, continued, with one worker and with two."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from processors.corpus import ProcessedCorpus
from utils.errors import UserError
from utils.files import PROJECT_ROOT

# bins/preprocess.py, with small groups.
PROGRAM = f"""
import runpy, sys
sys.path.insert(0, {str(PROJECT_ROOT)!r})
from preprocessors import features
features.LARGEST_GROUP = 5
sys.argv[0] = {str(PROJECT_ROOT / "bins/preprocess.py")!r}
runpy.run_path(sys.argv[0], run_name="__main__")
"""
COMMAND = [sys.executable, "-c", PROGRAM]


def start(config: Path, *more: str) -> subprocess.Popen:
    # From another folder, in a process group of its own.
    return subprocess.Popen(
        [*COMMAND, "--config", str(config), *more],
        cwd="/",
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def finish(config: Path, *more: str) -> tuple[int, str, str]:
    process = start(config, *more)
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


def wait_until(ready: Callable[[], bool], process: subprocess.Popen) -> bool:
    """True as soon as `ready`; False when the process ended before."""
    deadline = time.monotonic() + 120
    while not ready():
        assert time.monotonic() < deadline
        if process.poll() is not None:
            return False
        time.sleep(0.002)
    return True


def group_is_gone(process: subprocess.Popen) -> bool:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            os.killpg(process.pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


@pytest.fixture
def write(tmp_path: Path, voice_folder: Path, config_writer: Callable) -> Callable[..., Path]:
    """Function from preprocess keys to a config file for two workers and tmp_path/data."""
    return lambda data="data", **keys: config_writer(
        tmp_path / f"{data}.json", voice_folder, tmp_path / data, **{"num_workers": 2, **keys}
    )


def test_interrupted_again_and_again(tmp_path: Path, write: Callable, content_of: Callable) -> None:
    """After the first shard, after the third, while the corpus is put together: the end has the same bytes."""
    config, corpus = write(), tmp_path / "data/voice"

    def shards() -> int:
        return len(list(corpus.glob("shards/*.arrow")))

    moments = [
        (signal.SIGKILL, lambda: shards() >= 1),
        (signal.SIGINT, lambda: shards() >= 3),
        (signal.SIGKILL, lambda: (corpus / "report.txt").exists()),
    ]
    kept = 0
    for kind, moment in moments:
        process = start(config)
        assert wait_until(moment, process), process.communicate()
        if kind == signal.SIGINT:
            os.killpg(process.pid, kind)  # as a terminal does it: to the parent and the workers
            _, err = process.communicate(timeout=120)
            assert process.returncode == 130 and "Traceback" not in err
            assert err.strip().splitlines()[-1] == "stopped; run the same command again to continue"
        else:
            os.kill(process.pid, kind)
            process.communicate()
        assert group_is_gone(process), "a worker outlived its parent"
        with pytest.raises(UserError, match="no finished features"):
            ProcessedCorpus.open(corpus)
        assert shards() >= max(kept, 1), "finished work was lost"
        kept = shards()
    code, out, err = finish(config)
    assert code == 0, err
    assert "0 utterances worked on" in out and "everything was reused" in out
    code, out, err = finish(write("uninterrupted", num_workers=1))
    assert code == 0 and "x real time" in out, err
    assert content_of(corpus) == content_of(tmp_path / "uninterrupted/voice")
    assert [path.name for path in corpus.parent.iterdir()] == ["voice"]

    code, out, err = finish(config)
    assert (code, err) == (0, "") and out.startswith("voice: nothing to do")


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["--set", "dataset_path.voice=/nowhere/at/all"], "the corpus folder /nowhere/at/all does not exist"),
        (["--dataset", "other"], "--dataset other is not in the config's dataset list: voice"),
        (["--set", "preprocess.hop_sise=3"], "hop_sise"),
        (["--set", "preprocess.lexicon_path=/nowhere/words.txt"], "preprocess.lexicon_path: /nowhere/words.txt"),
    ],
)
def test_a_mistake_gives_one_line_and_status_2(
    tmp_path: Path, write: Callable, arguments: list[str], words: str
) -> None:
    code, out, err = finish(write(), *arguments)
    assert code == 2 and out == ""
    lines = err.strip().splitlines()
    assert len(lines) == 1 and lines[0].startswith("error: ") and words in lines[0]
    assert not (tmp_path / "data").exists()


def test_a_mistake_that_only_workers_meet(tmp_path: Path, write: Callable) -> None:
    """The lexicon is read where it is needed; its error is still one line."""
    (tmp_path / "words.txt").write_text("house NO PHONES\n")
    code, _, err = finish(write(lexicon_path=str(tmp_path / "words.txt")))
    assert code == 2
    assert "Traceback" not in err and err.strip().splitlines()[-1].startswith("error: ") and "words.txt" in err
