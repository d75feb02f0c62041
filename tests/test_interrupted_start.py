"""Ctrl-C while a script still loads its packages, which takes seconds: status 130, and no traceback."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from utils.files import PROJECT_ROOT

# In the place of packages, whichever a script imports first: says so, and takes long.
SLOW = "import time\nprint('loading', flush=True)\ntime.sleep(120)\n"
EXPT, CONFIG = "--expt_dir=x", "--config=x"
FLAGS = {
    "calibrate": [EXPT], "convert": ["--to_espnet", EXPT, "--out=y"], "download": [CONFIG], "evaluate": [EXPT],
    "export": [EXPT, "--out=y"], "inference": [EXPT], "pack": [EXPT, "--corpus=x", "--licence=x"],
    "preprocess": [CONFIG], "train": [CONFIG, "--name=x"],
}  # fmt: skip


@pytest.mark.parametrize("script", FLAGS)
def test_no_traceback(tmp_path: Path, script: str) -> None:
    for package in ("numpy", "pydantic", "torch", "tqdm"):
        (tmp_path / f"{package}.py").write_text(SLOW)
    process = subprocess.Popen(
        [sys.executable, str(PROJECT_ROOT / f"bins/{script}.py"), *FLAGS[script]], cwd=tmp_path, text=True,
        env={**os.environ, "PYTHONPATH": str(tmp_path)}, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None and process.stdout.readline() == "loading\n"
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130 and "Traceback" not in said, said
