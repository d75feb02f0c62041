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

from models.registry import load_config
from preprocessors import features, pipeline
from processors.corpus import ProcessedCorpus
from tests.preprocessors.conftest import folder_bytes, make_corpus, write_config
from tests.scripts import load_script
from utils.errors import UserError
from utils.files import PROJECT_ROOT

# bins/preprocess.py, with small groups, and without the pictures, which take most of the time.
PROGRAM = f"""
import runpy, sys
sys.path.insert(0, {str(PROJECT_ROOT)!r})
from preprocessors import features, pipeline
features.LARGEST_GROUP = 3
pipeline.write_plots = lambda folder, figures: folder.mkdir(exist_ok=True)
sys.argv[0] = {str(PROJECT_ROOT / "bins/preprocess.py")!r}
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def start(config: Path) -> subprocess.Popen:
    # From another folder, in a process group of its own.
    command = [sys.executable, "-c", PROGRAM, "--config", str(config)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd="/", stdout=pipe, stderr=pipe, text=True, start_new_session=True)


def finish(config: Path) -> tuple[int, str, str]:
    process = start(config)
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
def write(tmp_path: Path) -> Callable[..., Path]:
    """Function from preprocess keys to a config file for two workers and tmp_path/data."""
    voice = make_corpus(tmp_path / "voice", 12, seconds=0.8)
    return lambda data="data", **keys: write_config(
        tmp_path / f"{data}.json", voice, tmp_path / data, **{"num_workers": 2, **keys}
    )


def test_interrupted_again_and_again(
    quick: None, tmp_path: Path, write: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed after the first shard, stopped after the third: the end has the same bytes."""
    config, corpus, kept = write(), tmp_path / "data/voice", 0

    def shards() -> int:
        return len(list(corpus.glob("shards/*.arrow")))

    for kind, least in ((signal.SIGKILL, 1), (signal.SIGINT, 3)):
        process = start(config)
        assert wait_until(lambda least=least: shards() >= least, process), process.communicate()
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
        assert shards() >= max(kept, least), "finished work was lost"
        kept = shards()
    code, out, err = finish(config)
    assert code == 0 and "x real time" in out, err
    monkeypatch.setattr(features, "LARGEST_GROUP", 3)
    whole = pipeline.preprocess_dataset(load_config(write("uninterrupted")), "voice")
    assert folder_bytes(corpus) == folder_bytes(whole)
    assert [path.name for path in corpus.parent.iterdir()] == ["voice"]


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
    tmp_path: Path, write: Callable, arguments: list[str], words: str, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    monkeypatch.setattr(sys, "argv", ["preprocess.py", "--config", str(write()), *arguments])
    assert load_script("preprocess").main() == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and err.startswith("error: ") and words in err
    assert not (tmp_path / "data").exists()


def test_a_mistake_that_only_workers_meet(tmp_path: Path, write: Callable) -> None:
    """The lexicon is read where it is needed; its error is still one line."""
    (tmp_path / "words.txt").write_text("house NO PHONES\n")
    code, _, err = finish(write(lexicon_path=str(tmp_path / "words.txt")))
    assert code == 2
    assert "Traceback" not in err and err.strip().splitlines()[-1].startswith("error: ") and "words.txt" in err
