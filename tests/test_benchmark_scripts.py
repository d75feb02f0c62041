"""The benchmarks that train: what they make of folders that are there already, with trainings that are only played."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from config.schema import save_config
from models.base.run_log import RunLog
from models.registry import load_config

CONFIG = Path(__file__).resolve().parents[1] / "config/jets.json"


def flag(command: list[str], name: str) -> str:
    return command[command.index(name) + 1]


def write_run(folder: Path, steps: int, overrides: list[str], module: ModuleType) -> None:
    """What a training leaves that went up to this step: each loss is the step."""
    save_config(load_config(CONFIG, overrides), folder / "config.json")
    # As a real run does, it begins in a later second than the one before: TensorBoard reads its files in that order.
    log = RunLog(folder, True, 0, steps)
    for step in range(100, steps + 1, 100):
        losses = {f"train/generator/{loss}": step for loss in getattr(module, "LOSSES", ())}
        log.scalars({"speed/steps_per_second": 7.0, **losses}, step)
    log.close()


def played(module: ModuleType, steps: int, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, list]]:
    """Runs the script's main with flags; its exit status, and the commands of the trainings it would have made."""

    def call(*flags: str) -> tuple[int, list[list[str]]]:
        commands: list[list[str]] = []

        def run(command: list[str], **named: object) -> subprocess.CompletedProcess[bytes]:
            commands.append(command)
            overrides = [command[i + 1] for i, word in enumerate(command) if word == "--set"]
            log_dir = next(text for text in overrides if text.startswith("log_dir=")).partition("=")[2]
            write_run(Path(log_dir) / flag(command, "--name"), steps, overrides, module)
            return subprocess.CompletedProcess(command, 0)

        monkeypatch.setattr(module.subprocess, "run", run)
        monkeypatch.setattr(sys, "argv", ["script", "--config", str(CONFIG), *flags])
        return module.main(), commands

    return call


@pytest.fixture
def scaling(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, list]]:
    from tests.benchmarks import gpu_scaling

    return played(gpu_scaling, 600, monkeypatch)


def test_scaling_numbers_its_runs(scaling, tmp_path, capsys) -> None:
    status, commands = scaling("--gpus", "0", "0", "0,1", "--out", str(tmp_path / "out"))
    assert status == 0
    assert [flag(command, "--name") for command in commands] == ["1-gpus-0", "2-gpus-0", "3-gpus-0-1"]
    assert capsys.readouterr().out.splitlines()[-1].endswith("| 2.00 |")


@pytest.fixture
def curves(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., tuple[int, list]]:
    from tests.benchmarks import loss_curves

    call = played(loss_curves, 2000, monkeypatch)
    return lambda *flags: call("--variants", "eager-fp32", "--seeds", "1", "--out", str(tmp_path), *flags)


def test_loss_curves_reads_finished_runs_up_to_the_steps_asked_for(curves, tmp_path) -> None:
    status, commands = curves("--steps", "2000")
    assert (status, len(commands)) == (0, 1) and "--resume" not in commands[0]
    assert "| mel | 1950.0000 |" in (tmp_path / "table.md").read_text()
    assert curves("--steps", "1000") == (0, [])
    assert "| mel | 1000.0000 |" in (tmp_path / "table.md").read_text()


@pytest.mark.parametrize("reached", [None, 0, 1000])
def test_loss_curves_goes_on_with_a_half_finished_run(curves, tmp_path, reached) -> None:
    from tests.benchmarks import loss_curves

    folder = tmp_path / "eager-fp32-seed1"
    if reached is None:  # killed before it had written anything
        folder.mkdir()
    else:
        write_run(folder, reached, loss_curves.settings("eager-fp32", 1, 2000, tmp_path, []), loss_curves)
    status, commands = curves("--steps", "2000")
    assert (status, len(commands)) == (0, 1) and "--resume" in commands[0]
    assert "| mel | 1950.0000 |" in (tmp_path / "table.md").read_text()
    assert curves("--steps", "2000") == (0, [])


def test_loss_curves_refuses_runs_with_other_settings(curves, tmp_path, capsys) -> None:
    assert curves("--steps", "2000")[0] == 0
    capsys.readouterr()
    assert curves("--steps", "2000", "--set", "train.batch_size=3") == (2, [])
    folder = tmp_path / "eager-fp32-seed1"
    told = f"error: {folder} holds a run with other settings (train.batch_size was "
    assert capsys.readouterr().err.startswith(told)
    (folder / "config.json").unlink()
    assert curves("--steps", "2000") == (2, [])
    assert "config.json cannot be read" in capsys.readouterr().err


def test_phone_errors_are_those_of_an_alignment_and_spelling_does_not_count(tmp_path, capsys, monkeypatch) -> None:
    from models.evaluation.report import Report, UtteranceRecord, write_report_json
    from tests.benchmarks import phone_errors

    heard = {"a grey cat": "a gray bat", "the hat": "the hat", "two dogs": "two dogs now"}
    records = [
        UtteranceRecord(id=str(i), text=said, audio=f"{i}.wav", seconds=1.0, expected=said, heard=text)
        for i, (said, text) in enumerate(heard.items())
    ]
    write_report_json(Report(system="mine", utterances=records), tmp_path)
    monkeypatch.setattr("sys.argv", ["phone_errors.py", str(tmp_path), "--least", "1"])
    assert phone_errors.main() == 0
    table = capsys.readouterr().out.splitlines()
    # Of AH G R EY K AE T, DH AH HH AE T and T UW D AO G Z one phone is replaced; N and AW are heard beside them.
    assert "| all, with 2 heard only | 18 | 16.7 | – | |" in table
    assert "| K | 1 | 100.0 | – | B 1 |" in table
    assert "| T | 3 | 0.0 | – |  |" in table
