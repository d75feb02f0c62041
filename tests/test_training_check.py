"""bins/train.py --check: where an experiment is, and what stage 2 would say of a voice that it cannot start from."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.scripts import load_script
from tests.tiny_voice import ROOT, TINY, make_experiment

Check = Callable[..., tuple[int, str]]


@pytest.fixture(scope="module")
def voice(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_experiment(tmp_path_factory.mktemp("voice"), steps=(1,))


def log_dir(settings: tuple[str, ...]) -> str:
    return next(setting.partition("=")[2] for setting in settings if setting.startswith("log_dir="))


@pytest.fixture
def check(voice: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Check:
    """Exit status and standard error for a config with these settings."""
    script = load_script("train")

    def call(*settings: str, source: Path = voice, name: str | None = None) -> tuple[int, str]:
        flags = [f"--config={ROOT / 'config/jets.json'}", f"--finetune_from={source}"]
        flags += [] if name is None else [f"--name={name}"]
        monkeypatch.setattr(
            sys, "argv", ["train", "--check", *flags, *(f"--set={setting}" for setting in [*TINY, *settings])]
        )
        status = script.main()
        told = capsys.readouterr()
        assert told.out == (f"{log_dir(settings)}/{name}\n" if name and status == 0 else "")
        return status, told.err

    return call


def test_what_fits_needs_no_word(check: Check) -> None:
    # The voice holds no discriminator, so that others may judge.
    other = ("model.discriminator.periods=[3]", "model.encoder.dropout=0", "preprocess.trim_silence=true")
    assert check(*other) == (0, "")


def test_a_name_that_is_taken_is_refused(check: Check, tmp_path: Path) -> None:
    assert check(f"log_dir={tmp_path}", name="mine") == (0, "")
    expt = make_experiment(tmp_path / "mine")
    status, told = check(f"log_dir={tmp_path}", name="mine")
    assert status == 2 and told.startswith(f"error: {expt} holds an experiment already: ")
