"""Every command of the pages is run as written, in a copy of the project with a tiny corpus and small networks."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.models.conftest import TINY
from tests.preprocessors.conftest import make_corpus

pytestmark = pytest.mark.documents

ROOT = Path(__file__).resolve().parents[1]
RECIPE = "egs/tts/Jets"
OWN = "path/to/my/folder"  # of the reader's recordings
# In the order in which a reader has what the next page's commands take for granted.
PAGES = [
    "README.md",
    *(f"{RECIPE}/{name}.md" for name in ("EVALUATION", "README", "EXCHANGE", "SERVING", "PERFORMANCE", "RELIABILITY")),
    *(f"{RECIPE}/{name}.md" for name in ("CORPORA", "GERMAN", "DUTCH")),
    "CONTRIBUTING.md",
]
# What is not run here, by how it begins, and why.
ELSEWHERE = {
    "sh bins/setup.sh": "installs packages; tests/test_setup_sh.py",
    ".venv/bin/pip install": "installs packages",
    "sh tests/run.sh": "runs this",
    f"sh {RECIPE}/demo.sh": "minutes; tests/test_recipe_scripts.py",
    f"sh {RECIPE}/run.sh --stage STAGE": "a pattern",
    f"sh {RECIPE}/run.sh --stage 0": "downloads 2.6 GB; tests/preprocessors/test_download.py",
    ".venv/bin/tensorboard": "a server",
    f"sh {RECIPE}/run.sh --stage 5": "a server; tests/models/tts/serving/test_server.py",
    "curl http://127.0.0.1:8880": "needs the server",
    ".venv/bin/python bins/calibrate.py": "needs a trained voice; tests/models/tts/test_pitch_response.py",
    "piper ": "another program; tests/models/tts/exchange/onnx/test_other_runtimes.py",
    ".venv/bin/python bins/convert.py --espnet_model": "needs a voice from ESPnet; tests/parity/test_convert.py",
}
# The network of the bundled voice learns slowly on a CPU: one small step must do.
QUICK = "--set train.max_epoch=1 --set train.steps_per_epoch=1 --set train.batch_size=1 --set train.segment_size=8"
SMALL = " ".join(f"--set {shlex.quote(override)}" for override in TINY)
SMALL_SPEEDRUN = f"{SMALL} {QUICK} --set model.discriminator.resolutions=[64]"
APPENDED = {
    f"sh {RECIPE}/speedrun.sh": SMALL_SPEEDRUN,
    f"sh {RECIPE}/run.sh --stage 1 --config {RECIPE}/speedrun_config.json": SMALL_SPEEDRUN,
    f"sh {RECIPE}/run.sh --stage 2 --name kerstin": SMALL_SPEEDRUN,
    f"sh {RECIPE}/run.sh --stage 1-2 --name dutch": SMALL_SPEEDRUN,
    f"sh {RECIPE}/run.sh --stage 1-2 --name mine": QUICK,
}


def commands(page: str) -> list[str]:
    """Commands in a page's blocks of shell."""
    text = (ROOT / page).read_text(encoding="utf-8")
    lines = "\n".join(re.findall(r"^```sh\n(.*?)^```", text, re.M | re.S)).replace("\\\n", " ").splitlines()
    stripped = (re.sub(r"\s+#\s.*", "", line).strip() for line in lines)
    return [re.sub(r"\s+", " ", line) for line in stripped if line and not line.startswith("#")]


def begins(command: str, table: dict[str, str]) -> str | None:
    """The key of a table that a command begins with."""
    return next((start for start in table if command.startswith(start)), None)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project, whose exp_config.json trains a small network on a corpus of hums."""
    folder = tmp_path_factory.mktemp("documents") / "project"
    names = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")
    for name in filter(None, names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    (folder / ".venv").symlink_to(sys.prefix)
    for name in (*(f"corpora/{corpus}" for corpus in ("LJSpeech-1.1", "kerstin", "nathalie", "flemishguy")), OWN):
        make_corpus(folder / name, 14, seconds=0.8)
    page = (folder / RECIPE / "DUTCH.md").read_text(encoding="utf-8")
    (folder / "dutch.json").write_text(re.findall(r"^```json5\n(.*?)^```", page, re.M | re.S)[0])
    config = {"base_config": "config/jets.json", "dataset": ["LJSpeech"]}
    (folder / RECIPE / "exp_config.json").write_text(json.dumps(config))
    tts = folder / "config/jets.json"
    tts.rename(folder / "config/published.json")
    overrides: dict[str, object] = {"base_config": "config/published.json"}
    for override in [
        *TINY,
        "preprocess.test_size=2",
        "preprocess.valid_size=2",
        "preprocess.max_held_out_fraction=0.2",
    ]:
        key, value = override.split("=", 1)
        *sections, last = key.split(".")
        place = overrides
        for section in sections:
            place = place.setdefault(section, {})  # type: ignore[assignment]
        place[last] = json.loads(value)
    tts.write_text(json.dumps(overrides))
    return folder


@pytest.mark.parametrize("page", PAGES)
def test_commands(page: str, project: Path) -> None:
    environment = {**os.environ, "PYTHON": sys.executable, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    for command in commands(page):
        if begins(command, ELSEWHERE):
            continue
        extra = APPENDED.get(begins(command, APPENDED) or "", "")
        line = f"{command} {extra}".replace(f"/{OWN}", str(project / OWN))
        done = subprocess.run(
            ["sh", "-c", line], cwd=project, env=environment, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, f"{page}: {command}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"


@pytest.mark.parametrize("page", PAGES)
def test_python(page: str, project: Path, tmp_path: Path) -> None:
    """From any folder: that of .venv finds the project (tests/test_setup_sh.py)."""
    environment = {**os.environ, "PYTHONPATH": str(project)}
    for code in re.findall(r"^```python\n(.*?)^```", (ROOT / page).read_text(encoding="utf-8"), re.M | re.S):
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, f"{page}: {done.stderr[-2000:]}"


@pytest.mark.parametrize("page", PAGES)
def test_links(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        path = (ROOT / page).parent / name if name else ROOT / page
        assert path.exists(), f"{page}: {target}"
        if anchor:
            headings = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), re.M)
            made = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
            assert anchor in made, f"{page}: {target}"
