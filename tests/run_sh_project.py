"""A copy of run.sh and bins/run.py with stubs in place of the stages, for the tests of what they do by themselves."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
# Whichever of them this machine has; one of the first two is always there.
SHELLS = [
    pytest.param(shell.split(), id=shell)
    for shell in ("dash", "bash --posix", "busybox sh", "zsh --emulate sh")
    if shutil.which(shell.split()[0])
]

# Stands for the interpreter of the stages: notes what it is asked to run, fails where it is told to.
STUB = """#!/bin/sh
if [ "$1" = -c ]; then exit "${STUB_PACKAGES:-0}"; fi
script=${1##*/}
[ "$script" != run.py ] || exec {real} "$@"
{real} -c 'import json, os, sys
keys = ("CUDA_VISIBLE_DEVICES", "PYTHONPATH", "JETS_FLAG_PREFIX")
print(json.dumps([sys.argv[1:], {key: os.environ.get(key) for key in keys}]))' "$script" "$@" >> "$STUB_LOG"
[ "$2" != --check ] || echo "/runs/some voice"
case "$script $2" in
    "${STUB_FAILS:-none}"*) exit "${STUB_STATUS:-9}" ;;
esac
exit 0
"""


def run_among_stubs(
    command: list[str], folder: Path, log: Path, environment: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder; stubs find where they note what they are asked in $STUB_LOG."""
    surroundings = {"PATH": os.environ["PATH"], "STUB_LOG": str(log), **environment}
    return subprocess.run(command, cwd=folder, env=surroundings, capture_output=True, text=True, timeout=120)


class Project:
    """A copy of run.sh with a stub interpreter, and what it started."""

    def __init__(self, folder: Path, shell: list[str]) -> None:
        self.root, self.shell = folder / "a project", shell
        recipe = self.root / "egs/tts/Jets"
        recipe.mkdir(parents=True)
        for name in ("egs/tts/Jets/run.sh", "bins/run.py", "bins/recipe.py", "utils/__init__.py", "utils/errors.py"):
            (self.root / name).parent.mkdir(exist_ok=True)
            shutil.copy(ROOT / name, self.root / name)
        python = self.root / ".venv/bin/python"
        python.parent.mkdir(parents=True)
        real = shutil.which("python3")
        python.write_text(STUB.replace("{real}", str(real)))
        python.chmod(0o755)
        self.script, self.log = recipe / "run.sh", folder / "log"
        self.elsewhere = folder / "else where"
        self.elsewhere.mkdir()
        (self.elsewhere / "voice").mkdir()

    def run(self, *arguments: str, script: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run run.sh from another folder."""
        self.log.unlink(missing_ok=True)
        command = [*self.shell, str(script or self.script), *arguments]
        return run_among_stubs(command, self.elsewhere, self.log, environment)

    def started(self) -> list[list[str]]:
        """Script name and arguments of everything that was started."""
        if not self.log.exists():
            return []
        calls = [json.loads(line)[0] for line in self.log.read_text().splitlines()]
        return [[call[0], *call[2:]] for call in calls]

    def environment(self) -> dict[str, str]:
        """What the first script saw."""
        return json.loads(self.log.read_text().splitlines()[0])[1]
