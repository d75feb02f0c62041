"""The recipe, stage by stage: checks what the flags of run.sh mean together, then starts each stage's script.

usage: python bins/run.py PYTHON [flags of run.sh]; PYTHON is the interpreter that the stages are to run in

Every mistake is told before any work starts; bins/recipe.py lists the flags.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from argparse import Namespace
from pathlib import Path
from types import FrameType

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bins import recipe
from utils.errors import UserError, command

ROOT = Path(__file__).resolve().parents[1]
HERE = ROOT / "egs/tts/Jets"
BUNDLED = HERE / "voice"
PACKAGES = ("torch", "accelerate", "json5", "pydantic", "pyarrow", "xxhash", "rapidfuzz")


@command
def main() -> int:
    """Exit status: 0, that of the first stage that fails, or 2 for flags that make no sense."""
    python, *arguments = sys.argv[1:]
    flags = recipe.parse(arguments)
    if flags is None or not arguments:
        print(recipe.usage())
        return 0
    if flags.list_voices and flags.stage is None:
        flags.stage = "3"
    order = Order(flags)
    order.check()
    python = with_packages(python, may_set_up=order.speaks_bundled_voice)
    os.environ.update(order.environment())
    asked = order.question()
    if asked:
        answer = subprocess.run([python, *asked], stdout=subprocess.PIPE, text=True, check=False)
        if answer.returncode != 0:
            return answer.returncode
        order.found_expt_dir = order.found_expt_dir or answer.stdout.rstrip("\n")
    *first, last = order.stages()
    for stage in first:
        status = run(python, stage)
        if status != 0:
            return status
    sys.stdout.flush()
    os.execvp(python, [python, *last])  # the last one replaces this process, so that signals reach it


class Order:
    """What the flags ask for: `first` to `last` of the stages; `check` comes before everything else."""

    def __init__(self, flags: Namespace) -> None:
        self.flags = flags
        self.first, self.last = stage_range(flags.stage)
        # A script that gives the same flags to one stage after another says in JETS_STAGES which: what another one of
        # them uses is not without effect.
        served = re.fullmatch(r"([0-5])-([0-5])", os.environ.get("JETS_STAGES", ""))
        self.served = range(int(served[1]), int(served[2]) + 1) if served else range(0)
        self.speaks_bundled_voice = False
        self.found_expt_dir = ""

    def includes(self, *stages: int) -> bool:
        """Whether one of these stages is run now."""
        return any(self.first <= stage <= self.last for stage in stages)

    def serves(self, stage: int) -> bool:
        """Whether this stage is run now, or by the script that calls."""
        return self.includes(stage) or stage in self.served

    def check(self) -> None:
        """Raise UserError for what makes no sense; notes tell of flags without effect."""
        flags = self.flags
        if flags.config is not None and not Path(flags.config).exists():
            raise UserError(f"--config {flags.config}: no such file")
        if flags.gpu is not None and flags.gpu.lower() != "cpu" and not re.fullmatch(r"[0-9]+(,[0-9]+)*", flags.gpu):
            raise UserError(f'--gpu must be device numbers such as 0 or 0,1, or cpu, but "{flags.gpu}" is given')
        recipe.check_name(flags.name)
        if "RANK" in os.environ and (self.first, self.last) != (2, 2):
            raise UserError(
                "several processes (RANK is set) can only train: run the other stages before, by themselves"
            )
        if self.includes(2) and flags.name is None:
            raise UserError("stage 2 needs --name, the name of the experiment")
        if self.serves(2) and flags.finetune_from is not None:
            recipe.check_start(flags)
            flags.finetune_from = from_root(flags.finetune_from)
            if not Path(flags.finetune_from).is_dir():
                raise UserError(f"--finetune_from {flags.finetune_from}: no such folder")
        if self.serves(3):
            recipe.check_choice(flags, "infer_mode")
            recipe.check_choice(flags, "infer_timestamps")
        if self.includes(3):
            self._check_speech()
        if self.includes(5):
            for name in recipe.PORTS:
                recipe.port(flags, name)
        if self.includes(3, 4, 5):
            self._check_voice()
        given_flags = [flag for flag in recipe.FLAGS.values() if flag.stages and getattr(flags, flag.name) is not None]
        unused = [flag for flag in given_flags if not any(self.serves(int(stage)) for stage in flag.stages)]
        if unused:
            names = ", ".join(f"--{flag.name}" for flag in sorted(unused, key=lambda flag: flag.stages))
            note(f"no effect in stage {flags.stage}: {names}; sh run.sh --help says which stage a flag belongs to")

    def _check_speech(self) -> None:
        flags = self.flags
        has_text = flags.infer_text is not None or flags.infer_text_file is not None
        if flags.infer_mode == "batch" and has_text and not flags.infer_stream:
            note("the text is not used with --infer_mode batch")
            flags.infer_text = flags.infer_text_file = None
        flags.infer_mode = "single" if flags.list_voices else recipe.chosen_mode(flags, recipe.PREFIX)
        if flags.infer_mode == "single" and (flags.infer_dataset or flags.infer_testing_set) and not self.includes(4):
            note("--infer_dataset and --infer_testing_set are not used with --infer_mode single")

    def _check_voice(self) -> None:
        flags = self.flags
        only_speaks = self.first == self.last and (self.last == 5 or self.last == 3 and flags.infer_mode == "single")
        if flags.infer_expt_dir is None and flags.name is None:
            needed = f"stage {self.last} needs --infer_expt_dir (or --name), the folder of a trained experiment"
            if not only_speaks:
                raise UserError(needed + (", or --infer_text alone, for the bundled voice" if self.last == 3 else ""))
            if not BUNDLED.is_dir():
                raise UserError(f"{needed}: there is no bundled voice in {BUNDLED}")
            self.speaks_bundled_voice = True
            flags.infer_expt_dir = str(BUNDLED)
        # A split that nothing reads is only noted.
        if self.includes(3, 4) and not (self.last == 3 and flags.infer_mode == "single"):
            recipe.check_choice(flags, "infer_testing_set")
        expt_dir = flags.infer_expt_dir
        # Stage 2 may be about to make the folder.
        if expt_dir is not None and not self.includes(2) and not Path(from_root(expt_dir)).is_dir():
            raise UserError(f"--infer_expt_dir {expt_dir}: no such folder, neither here nor in {ROOT}")

    def environment(self) -> dict[str, str]:
        """Variables for the stages."""
        devices = self.flags.gpu
        # A process that torchrun, accelerate or SLURM has started takes that of its number on this machine.
        if devices is None and "RANK" not in os.environ:
            # Devices that the user or a job scheduler has chosen stay chosen; "" is a choice, too.
            devices = os.environ.get("CUDA_VISIBLE_DEVICES", "0")
            if self.includes(2) and len([part for part in devices.split(",") if part.strip()]) > 1:
                every = f"training uses every GPU of CUDA_VISIBLE_DEVICES={devices}"
                note(f"{every}, which your environment sets; --gpu 0 uses one")
        path = os.environ.get("PYTHONPATH")
        chosen = {} if devices is None else {"CUDA_VISIBLE_DEVICES": "" if devices.lower() == "cpu" else devices}
        return {
            **chosen,
            "PYTHONPATH": f"{ROOT}:{path}" if path else str(ROOT),
            "PYTHONUTF8": "1",
            recipe.PREFIX_VARIABLE: recipe.PREFIX,
            # Idle threads sleep: spinning ones slow the CPU down by an order of magnitude when other programs use it.
            "OMP_WAIT_POLICY": os.environ.get("OMP_WAIT_POLICY", "PASSIVE"),
        }

    def question(self) -> list[str]:
        """What has to be asked before the stages start: where --name is, and whether a voice can be tuned at all."""
        flags = self.flags
        needs_folder = self.includes(3, 4, 5) and flags.infer_expt_dir is None
        # Refused now, and not by stage 2 after all the work of stage 1.
        tunes = self.includes(1) and self.serves(2) and flags.finetune_from is not None
        if not needs_folder and not tunes:
            return []
        asked = given("name", flags.name) + (given("finetune_from", flags.finetune_from) if tunes else [])
        return [script("train"), "--check", f"--config={self.config}", *asked, *self.overrides]

    @property
    def config(self) -> str:
        return self.flags.config or str(HERE / "exp_config.json")

    @property
    def overrides(self) -> list[str]:
        return [f"--set={override}" for override in self.flags.set]

    def stages(self) -> list[list[str]]:
        """Script and arguments of each stage."""
        flags, own_config = self.flags, [f"--config={self.config}"]
        expt_dir = from_root(flags.infer_expt_dir or self.found_expt_dir)
        # The bundled voice is part of the project: what it says goes elsewhere.
        is_bundled = BUNDLED.is_dir() and os.path.realpath(expt_dir) == os.path.realpath(BUNDLED)
        home = f"{ROOT}/ckpts/tts/voice" if is_bundled else expt_dir
        output_dir = flags.infer_output_dir or f"{home}/result"
        # Stages 3 and 4 each write a manifest: never into the same folder.
        report_dir = flags.infer_output_dir or f"{home}/evaluation"
        if self.includes(3) and flags.infer_output_dir is not None:
            report_dir = f"{flags.infer_output_dir}/evaluation"
        no_split = {"infer_dataset": None, "infer_testing_set": None} if flags.infer_mode == "single" else {}
        # An exported voice is served by the CPU unless somebody wants it otherwise.
        chosen_gpu = ["--device=cuda"] if flags.gpu is not None and flags.gpu.lower() != "cpu" else []
        commands = (
            [script("download"), *own_config],
            [script("preprocess"), *own_config],
            [script("train"), *own_config, *given("name", flags.name), *self.own(2)],
            [script("inference"), *self.own(3, infer_expt_dir=expt_dir, infer_output_dir=output_dir, **no_split)],
            [script("evaluate"), *self.own(4, infer_expt_dir=expt_dir, infer_output_dir=report_dir)],
            [script("serve"), *self.own(5, infer_expt_dir=expt_dir), *chosen_gpu],
        )
        return [[*command, *self.overrides] for command in commands[self.first : self.last + 1]]

    def own(self, stage: int, **instead: str | None) -> list[str]:
        """The flags of one stage as its script takes them, some with another value."""
        arguments = given("config", self.flags.config) if stage > 2 else []
        for flag in recipe.FLAGS.values():
            value = instead.get(flag.name, getattr(self.flags, flag.name))
            if str(stage) in flag.stages and value is not None:
                arguments.append(f"--{flag.dest}={value}" if flag.value else f"--{flag.dest}")
        return arguments


def stage_range(text: str | None) -> tuple[int, int]:
    """First and last stage of `--stage`."""
    if text is None:
        raise UserError("--stage is missing: 0 to 5, or a range such as 1-3")
    found = re.fullmatch(r"([0-5])(?:-([0-5]))?", text)
    if found is None:
        raise UserError(f'--stage must be 0 to 5 or a range such as 1-3, but "{text}" is given')
    first, last = int(found[1]), int(found[2] or found[1])
    if first > last:
        raise UserError(f"--stage {text} runs backwards; write {last}-{first}")
    return first, last


def note(message: str) -> None:
    """Tell something that is no mistake."""
    print(f"note: {message}", file=sys.stderr)


def given(name: str, value: str | None) -> list[str]:
    """The flag as one argument, or none."""
    return [] if value is None else [f"--{name}={value}"]


def script(name: str) -> str:
    """Path of a script in bins/."""
    return f"{ROOT}/bins/{name}.py"


def from_root(folder: str) -> str:
    """A relative folder that is not here is looked for in the project's, where relative paths of a config start."""
    elsewhere = ROOT / folder
    return str(elsewhere) if folder and not os.path.isdir(folder) and elsewhere.is_dir() else folder


def with_packages(python: str, may_set_up: bool) -> str:
    """The interpreter for the stages, set up first where the bundled voice is to speak in a fresh clone."""
    ready = has_packages(python)
    if not ready and may_set_up:
        # Standard output may be a stream of audio.
        status = subprocess.run(["sh", f"{ROOT}/bins/setup.sh"], stdout=sys.stderr, check=False).returncode
        if status != 0:
            sys.exit(status)
        own = ROOT / ".venv/bin/python"
        python = str(own) if os.access(own, os.X_OK) else python
        ready = has_packages(python)
    if not ready:
        problem = f'"{python}" lacks this project\'s packages' if shutil.which(python) else f'no Python at "{python}"'
        raise UserError(f"{problem}; set everything up with: sh {ROOT}/bins/setup.sh")
    return python


def has_packages(python: str) -> bool:
    """Whether an interpreter is there and has what every stage needs."""
    if shutil.which(python) is None:
        return False
    test = f"import importlib.util as u, sys; sys.exit(not all(map(u.find_spec, {PACKAGES})))"
    return subprocess.run([python, "-c", test], stderr=subprocess.DEVNULL, check=False).returncode == 0


def run(python: str, stage: list[str]) -> int:
    """Exit status of a stage that others follow; a request to stop is for it, and ends the recipe after it."""
    asked_to_stop: list[int] = []

    def forward(number: int, frame: FrameType | None) -> None:
        asked_to_stop.append(number)
        if number != signal.SIGINT:  # Ctrl-C reaches the stage by itself
            process.send_signal(number)

    process = subprocess.Popen([python, *stage])
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup stays in force
            signal.signal(number, forward)
    status = process.wait()
    if status == 0 and asked_to_stop:
        return 128 + asked_to_stop[0]
    return 128 - status if status < 0 else status


if __name__ == "__main__":
    sys.exit(main())
