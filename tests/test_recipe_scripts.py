"""demo.sh, speedrun.sh and train.sbatch in real shells, with a stub for run.sh: what they start, in which order."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.run_sh_project import ROOT, SHELLS, run_among_stubs

NOTE = "import json, sys; print(json.dumps(sys.argv[1:]))"
# Stands for run.sh, set-up and Python: notes its arguments, and fails where it is told to.
STUB = f"""#!/bin/sh
python3 -c '{NOTE}' "${{0##*/}}" "$@" >> "$STUB_LOG"
case "$*" in
    *"${{STUB_FAILS:-nothing at all}}"*) exit 9 ;;
esac
exit 0
"""


class Recipe:
    """A project with one script of the recipe, and stubs for what it starts."""

    def __init__(self, folder: Path, shell: list[str]) -> None:
        self.root, self.shell, self.log = folder / "a project", shell, folder / "log"
        self.here = self.root / "egs/tts/Jets"
        for path in (self.here / "run.sh", self.root / "bins/setup.sh", self.root / ".venv/bin/python"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(STUB)
            path.chmod(0o755)
        (self.root / "ckpts/tts/demo/result").mkdir(parents=True)
        (self.here / "voice").mkdir()
        (self.root / "preprocessors").mkdir()
        (self.root / "preprocessors/demo_sentences.txt").write_text("# mine\nA lamp hums.\n\nWhy?\n")
        for name in ("demo.sh", "speedrun.sh", "train.sbatch"):
            shutil.copy(ROOT / "egs/tts/Jets" / name, self.here / name)

    def run(self, script: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        self.log.unlink(missing_ok=True)
        command = [*self.shell, str(self.here / script), *arguments]
        return run_among_stubs(command, self.root.parent, self.log, environment)

    def started(self, script: str = "run.sh") -> list[list[str]]:
        """Arguments of each start of a stub, in order."""
        calls = [json.loads(line) for line in self.log.read_text().splitlines()] if self.log.exists() else []
        return [arguments for name, *arguments in calls if name == script]


@pytest.fixture(params=SHELLS)
def recipe(request: pytest.FixtureRequest, tmp_path: Path) -> Recipe:
    return Recipe(tmp_path, request.param)


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    folder = tmp_path / "my corpus.v1"
    folder.mkdir()
    (folder / "metadata.csv").write_text("a|b\n")
    return folder


def test_the_demonstration_begins_with_the_bundled_voice(recipe: Recipe) -> None:
    done = recipe.run("demo.sh", "--gpu", "cpu")
    assert (done.returncode, done.stderr) == (0, "")
    stages = [call[:2] for call in recipe.started()]
    assert stages == [["--stage", number] for number in "331233"]
    spoken = f"{recipe.root}/ckpts/tts/voice/result"
    first = recipe.started()[0]
    assert first[2:6] == ["--infer_mode", "single", "--infer_output_dir", spoken] and first[-2:] == ["--gpu", "cpu"]
    assert f"{spoken}/0001.wav" in done.stdout
    assert len(recipe.started("setup.sh")) == 1
    demo = f"{recipe.root}/corpora/demo"
    assert recipe.started()[1][4:8] == ["--infer_output_dir", f"{demo}/wavs", "--infer_text_file", f"{demo}/lines.txt"]
    assert Path(demo, "metadata.csv").read_text() == "demo-001|A lamp hums.\ndemo-002|Why?\n"
    recipe.run("demo.sh")  # the corpus is there now
    assert [call[1] for call in recipe.started()] == list("31233")


def test_the_demonstration_stops_at_a_failure(recipe: Recipe) -> None:
    assert recipe.run("demo.sh", STUB_FAILS="--stage 2").returncode == 9
    assert [call[1] for call in recipe.started()] == list("3312")


def test_a_speedrun_is_three_stages_with_their_times(recipe: Recipe, corpus: Path) -> None:
    given = ["--set", "train.max_epoch=2", "--gpu", "1"]
    done = recipe.run("speedrun.sh", "my corpus.v1", "quick", *given)
    assert (done.returncode, done.stderr) == (0, "")
    config = ["--config", f"{recipe.here}/speedrun_config.json", "--name", "quick"]
    sets = ["--set", 'dataset=["my_corpus_v1"]', "--set", f"dataset_path.my_corpus_v1={corpus}"]
    stages = (["--stage", "1"], ["--stage", "2"],
              ["--stage", "3", "--infer_mode", "batch", "--infer_testing_set", "test"])  # fmt: skip
    assert recipe.started() == [[*config, *sets, *stage, *given] for stage in stages]
    for label in ("features", "training", "speech"):
        assert re.search(rf"== {label} took \d+:\d\d", done.stdout)
        assert re.search(rf"(?m)^{label} +\d+:\d\d$", done.stdout)
    assert re.search(r"together +\d+:\d\d", done.stdout)


def test_the_flags_are_for_all_three_stages(recipe: Recipe, corpus: Path) -> None:
    (recipe.here / "run.sh").write_text('echo "stages $JETS_STAGES"\n')
    for arguments in (["demo.sh"], ["speedrun.sh", str(corpus)]):
        assert len(re.findall("(?m)^stages 1-3$", recipe.run(*arguments, "--resume").stdout)) >= 3


def test_a_speedrun_that_fails_or_cannot_begin(recipe: Recipe, corpus: Path) -> None:
    done = recipe.run("speedrun.sh", str(corpus), STUB_FAILS="--stage 2")
    assert done.returncode == 9 and len(recipe.started()) == 2 and "together" not in done.stdout
    for arguments, message in (
        ([], "the first argument is the corpus"),
        (["--gpu", "0"], "the first argument is the corpus"),
        (["nowhere"], "there is no folder nowhere"),
    ):
        done = recipe.run("speedrun.sh", *arguments)
        assert done.returncode == 2 and done.stderr.startswith("error: ") and message in done.stderr
        assert done.stderr.count("\n") == 1 and recipe.started() == []
    told = recipe.run("speedrun.sh", "--help").stdout.splitlines()
    assert told[0].startswith("From a corpus to a voice") and told[-1].startswith("Settings:") and len(told) == 5


def test_slurm_starts_a_process_for_each_gpu(recipe: Recipe) -> None:
    stubs = recipe.root / "stubs"
    stubs.mkdir()
    (stubs / "scontrol").write_text("#!/bin/sh\nprintf 'one\\ntwo\\n'\n")
    # Both tasks, one after the other; the first arguments are srun's own.
    (stubs / "srun").write_text(
        '#!/bin/sh\n[ "$1" = --cpus-per-task=8 ] || exit\nshift 2\n'
        'for task in 0 1; do SLURM_PROCID=$task SLURM_LOCALID=$task "$@" || exit; done\n'
    )
    variables = " ".join(f"${name}" for name in ("RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"))
    (recipe.here / "run.sh").write_text(f'echo {variables} "$@"\n')
    for stub in stubs.iterdir():
        stub.chmod(0o755)
    environment = {
        "PATH": f"{stubs}:{os.environ['PATH']}",
        "SLURM_JOB_NODELIST": "one,two",
        "SLURM_JOB_ID": "1",
        "SLURM_NTASKS": "2",
        "SLURM_CPUS_PER_TASK": "8",
    }
    for flags, go_on in (
        (["--set", "train.max_epoch=2"], " --resume"),
        (["--finetune_from", "old"], ""),
        (["--finetune_from=old"], ""),
    ):
        done = subprocess.run(
            [*recipe.shell, str(recipe.here / "train.sbatch"), "my voice", *flags],
            cwd=recipe.root,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        said = f"2 one 20001 --stage 2 --name my voice {' '.join(flags)}{go_on}"
        assert (done.returncode, done.stdout.splitlines()) == (0, [f"0 0 {said}", f"1 1 {said}"]), done.stderr
