"""Set-up of the virtual environment, with stubs in place of every interpreter."""

from __future__ import annotations

import os
import shutil
import subprocess
import venv
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.run_sh_project import ROOT, run_among_stubs

HELPFUL = ("egs/tts/Jets/demo.sh", "egs/tts/Jets/speedrun.sh", "egs/tts/Jets/run.sh", "tests/run.sh")
NAMES = ("python3", "python3.13", "python3.12", "python3.11", "python3.10")

# An interpreter that is new enough or not, makes virtual environments or not, and notes what pip is asked for.
STUB = """#!/bin/sh
case "$*" in
    *version_info*) exit "${STUB_TOO_OLD:-0}" ;;
    *"-m venv"*)
        [ -z "${STUB_NO_VENV:-}" ] || { mkdir -p "$3"; echo "ensurepip is not available" >&2; exit 1; }
        mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
    *"-m pip install"*) echo "$*" >> "$STUB_LOG"; exit "${STUB_PIP:-0}" ;;
    *urlopen*) exit 1 ;;
esac
"""


class Machine:
    """A copy of the project's set-up on a machine with stub interpreters."""

    def __init__(self, folder: Path, shell: str) -> None:
        self.root, self.shell, self.log = folder / "a project", shell, folder / "log"
        (self.root / "bins").mkdir(parents=True)
        shutil.copy(ROOT / "bins/setup.sh", self.root / "bins/setup.sh")
        (self.root / "requirements.txt").write_text("torch\n")
        self.bin = folder / "bin"
        self.bin.mkdir()
        for name in NAMES:
            (self.bin / name).write_text(STUB)
            (self.bin / name).chmod(0o755)

    def setup(self, *lists: Path, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run setup.sh."""
        command = [self.shell, str(self.root / "bins/setup.sh"), *map(str, lists)]
        path = f"{self.bin}:{os.environ['PATH']}"
        return run_among_stubs(command, self.root.parent, self.log, {"PATH": path, **environment})

    def installed(self) -> list[str]:
        """Names of the lists that pip was given so far."""
        if not self.log.exists():
            return []
        return [Path(line.split(" -r ")[1]).name for line in self.log.read_text().splitlines()]


@pytest.fixture(params=[shell for shell in ("dash", "bash") if shutil.which(shell)])
def machine(request, tmp_path) -> Machine:
    """One for each shell."""
    return Machine(tmp_path, request.param)


def test_packages_are_installed_once_and_again_when_their_list_changes(machine, tmp_path):
    more = tmp_path / "more requirements.txt"
    more.write_text("pytest\n")
    done = machine.setup(more)
    assert done.returncode == 0, done.stderr
    assert machine.installed() == ["requirements.txt", "more requirements.txt"]
    assert machine.setup(more).stdout == ""
    assert len(machine.installed()) == 2
    (machine.root / "requirements.txt").write_text("torch>=2\n")
    machine.setup(more)
    assert machine.installed()[2:] == ["requirements.txt"]


def test_python_of_the_environment_finds_the_project_from_any_folder(tmp_path: Path) -> None:
    machine = Machine(tmp_path, "sh")
    venv.create(machine.root / ".venv", with_pip=True)
    (machine.bin / "nvidia-smi").touch(0o755)  # so that nobody looks for another torch
    (machine.root / "requirements.txt").write_text("")
    (machine.root / "models.py").write_text("")
    assert machine.setup().returncode == 0
    subprocess.run([machine.root / ".venv/bin/python", "-c", "import models"], cwd=tmp_path, check=True)


def test_failed_installation_is_tried_again(machine):
    done = machine.setup(STUB_PIP="1")
    assert done.returncode == 1
    assert "pip could not install" in done.stderr
    assert machine.setup().returncode == 0
    assert machine.installed() == ["requirements.txt"] * 2


def test_no_python_that_is_new_enough(machine):
    done = machine.setup(STUB_TOO_OLD="1")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "Python 3.10 or newer is needed" in done.stderr
    assert not (machine.root / ".venv").exists()


def test_help_installs_nothing(machine):
    scripts = [machine.root / "bins/setup.sh", *(ROOT / name for name in HELPFUL)]
    for script in scripts:
        done = subprocess.run([machine.shell, script, "--help"], capture_output=True, text=True, timeout=60)
        assert (done.returncode, done.stderr) == (0, "") and len(done.stdout.splitlines()) > 1, script
        assert "set -u" not in done.stdout
    assert machine.installed() == [] and not (machine.root / ".venv").exists()


def test_the_lock_holds_every_requirement_within_its_range() -> None:
    locked: dict[str, list[str]] = {}
    for line in (ROOT / "requirements.lock").read_text().splitlines():
        if "==" in line:
            name, version = line.split(";")[0].rstrip("\\ ").split("==")
            locked.setdefault(name, []).append(version.strip())
    for line in (ROOT / "requirements.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            wanted = Requirement(line)
            assert all(wanted.specifier.contains(v) for v in locked[wanted.name.lower()]), line
