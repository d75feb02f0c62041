"""run.sh as a user meets it: real shells, with stubs in place of the stages, so that only its own work is seen."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bins.recipe import FLAGS
from tests.run_sh_project import SHELLS, Project


@pytest.fixture(params=SHELLS)
def in_each_shell(request, tmp_path) -> Project:
    """One for each shell: for what depends on how run.sh itself reads."""
    return Project(tmp_path, request.param)


@pytest.fixture
def project(tmp_path) -> Project:
    """One, in the strictest shell there is."""
    return Project(tmp_path, ["dash"] if shutil.which("dash") else ["sh"])


def test_values_arrive_as_they_were_given_in_each_shell(in_each_shell):
    """Through symbolic links, too; and without an argument there is help."""
    link, second = in_each_shell.elsewhere / "say this", in_each_shell.elsewhere / "again"
    link.symlink_to(in_each_shell.script)
    second.symlink_to("say this")
    values = ["a.b='x y'", 'c={"d": [1, "$e"]}', "f=*", "g=a=b\nc", "h="]
    sets = [part for value in values for part in ("--set", value)]
    texts = ["it's", 'say "x"', "$HOME `id` $(id)", "line\nbreak\n", "-5 degrees", "--weird", "*", "a\\b", "é…", ""]
    for text in texts:
        for flag in (["--infer_text", text], [f"--infer_text={text}"]):
            done = in_each_shell.run(*sets[:4], "-s", "3", "--infer_expt_dir=voice", *flag, *sets[4:], script=second)
            assert done.returncode == 0, done.stderr
            assert in_each_shell.started()[0][4:] == [f"--text={text}", *(f"--set={value}" for value in values)]
    for arguments in ([], ["-h"], ["--stage", "2", "--help"]):
        assert in_each_shell.run(*arguments).stdout.startswith("usage: sh egs/tts/Jets/run.sh")
        assert in_each_shell.started() == []


def test_help_names_every_flag_with_its_default(project):
    text = project.run("--help").stdout
    entries = re.findall(r"(?ms)^ {2,6}(?:-\w, )?(--[a-z_]+ .*?)(?=^ {2,6}-|\n\n|\Z)", text)
    assert {entry.split()[0] for entry in entries} == {f"--{name}" for name in (*FLAGS, "help")} and len(FLAGS) == 26
    assert all("default" in entry for entry in entries if not entry.startswith("--help")), entries


def test_the_three_stages_of_the_recipe(project):
    config = f"--config={project.script.parent}/exp_config.json"
    assert project.run("--stage", "1").returncode == 0
    assert project.started() == [["preprocess.py", config]]
    assert project.run("--stage", "2", "--name", "my voice").returncode == 0
    assert project.started() == [["train.py", config, "--name=my voice"]]
    done = project.run(
        "--stage", "3", "--infer_expt_dir", "voice", "--infer_output_dir", "out put", "--infer_mode", "batch",
        "--infer_dataset", "LJSpeech", "--infer_testing_set", "test",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert project.started() == [
        ["inference.py", "--expt_dir=voice", "--output_dir=out put", "--dataset=LJSpeech", "--testing_set=test",
         "--mode=batch"]
    ]  # fmt: skip
    done = project.run("-s", "3", "--infer_expt_dir=voice", "--infer_mode=single", "--infer_text=Hello there.")
    assert project.started() == [
        ["inference.py", "--expt_dir=voice", "--output_dir=voice/result", "--mode=single", "--text=Hello there."]
    ]


def test_range_runs_in_order_and_finds_the_experiment_by_its_name(project):
    done = project.run("--stage=0-4", "--name=v", "--set", "train.batch_size=2")
    assert done.returncode == 0, done.stderr
    calls = project.started()
    assert [call[0] for call in calls] == [
        "train.py", "download.py", "preprocess.py", "train.py", "inference.py", "evaluate.py",
    ]  # fmt: skip
    assert all(call[-1] == "--set=train.batch_size=2" for call in calls)
    assert calls[4][1:4] == ["--expt_dir=/runs/some voice", "--output_dir=/runs/some voice/result", "--mode=batch"]
    assert calls[5][1:3] == ["--expt_dir=/runs/some voice", "--output_dir=/runs/some voice/evaluation"]
    project.run("--stage=3-4", "--name=v", "--infer_output_dir=mine")
    _, speech, report = project.started()
    assert (speech[2], report[2]) == ("--output_dir=mine", "--output_dir=mine/evaluation")


def test_every_flag_reaches_its_stage(project):
    (project.elsewhere / "my text").write_text("x")
    (project.elsewhere / "c.json").write_text("{}")
    done = project.run(
        "-s", "3", "--infer_expt_dir", "voice", "--infer_text_file", "my text", "--infer_stream", "-c", "c.json",
        "--infer_speed", "1.5", "--infer_pitch", "-2", "--infer_energy=-3", PYTHONPATH="/mine",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert project.started()[0][1:] == [
        "--config=c.json", "--expt_dir=voice", "--output_dir=voice/result", "--mode=single", "--text_file=my text",
        "--stream", "--speed=1.5", "--pitch=-2", "--energy=-3",
    ]  # fmt: skip
    assert project.environment()["PYTHONPATH"] == f"{project.root}:/mine"
    assert project.environment()["JETS_FLAG_PREFIX"] == "infer_", "so that mistakes are told with what was typed"
    for flags in (["--resume"], ["--finetune_from=voice"]):
        project.run("-s", "2", "-n", "v", *flags)
        assert project.started()[0][3:] == flags


def bundled_voice(project: Project) -> Path:
    """The folder where run.sh looks for it."""
    folder = project.script.parent / "voice"
    folder.mkdir()
    return folder


@pytest.mark.parametrize(
    "flags", [["--infer_mode", "single", "--infer_text", "Any sentence."], ["--infer_text=-"], ["--infer_text_file=t"]]
)
def test_the_bundled_voice_speaks_without_another_flag(project, flags):
    voice = bundled_voice(project)
    (project.elsewhere / "t").write_text("x")
    done = project.run("--stage", "3", *flags)
    assert (done.returncode, done.stderr) == (0, "")
    (call,) = project.started()
    result = project.root / "ckpts/tts/voice/result"
    assert call[:4] == ["inference.py", f"--expt_dir={voice}", f"--output_dir={result}", "--mode=single"]


def test_what_the_bundled_voice_says_never_goes_into_its_folder(project):
    voice = bundled_voice(project)
    (project.elsewhere / "link").symlink_to(voice)
    places = f"--output_dir={project.root}/ckpts/tts/voice/"
    for stage, flags, place in (("3", ["--infer_text=x"], "result"), ("3", [], "result"), ("4", [], "evaluation")):
        project.run("-s", stage, "--infer_expt_dir", "link", *flags)
        assert project.started()[0][1:3] == ["--expt_dir=link", places + place]
    project.run("-s", "3", "--infer_text=x", "--infer_output_dir", "mine")
    assert project.started()[0][2] == "--output_dir=mine"
    # An experiment that is named is meant.
    project.run("-s", "3", "--infer_text=x", "--infer_expt_dir", "voice")
    assert project.started()[0][1:3] == ["--expt_dir=voice", "--output_dir=voice/result"]
    project.run("-s", "3", "--infer_text=x", "--name", "v")
    assert project.started()[1][1] == "--expt_dir=/runs/some voice"


def test_the_bundled_voice_sets_up_what_it_needs(project):
    bundled_voice(project)
    python = project.root / ".venv/bin/python"
    ready = project.elsewhere / "ready"
    python.rename(ready)
    setup = project.root / "bins/setup.sh"
    setup.write_text(f"echo installing; mv '{ready}' '{python}'\n")
    done = project.run("-s", "3", "--infer_text=x", "--infer_stream", PYTHON="/nowhere/python")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "installing\n")
    assert project.started()[0][0] == "inference.py"
    setup.write_text("exit 7\n")
    assert project.run("-s", "3", "--infer_text=x", STUB_PACKAGES="1").returncode == 7
    assert project.started() == []


def test_a_voice_that_cannot_be_tuned_is_refused_before_the_features_are_made(project):
    flags = ["--finetune_from=voice", "--set", "a=b"]
    config = f"--config={project.script.parent}/exp_config.json"
    asked = ["train.py", "--check", config, "--name=v", "--finetune_from=voice", "--set=a=b"]
    done = project.run("-s", "0-2", "-n", "v", *flags, STUB_FAILS="train.py --check", STUB_STATUS="2")
    assert (done.returncode, project.started()) == (2, [asked])
    project.run("-s", "1-2", "-n", "v", *flags)
    assert [call[0] for call in project.started()] == ["train.py", "preprocess.py", "train.py"]
    # A script that goes on with stage 2 later.
    project.run("-s", "1", *flags, JETS_STAGES="1-3")
    assert [call[0] for call in project.started()] == ["train.py", "preprocess.py"]
    for stage in (["-s", "1"], ["-s", "2", "-n", "v"]):
        project.run(*stage, *flags)
        assert len(project.started()) == 1


@pytest.mark.parametrize(
    ("gpu", "inherited", "seen"),
    [(None, None, "0"), (None, "2,3", "2,3"), (None, "", ""), ("1", "7", "1"), ("0,1", "7", "0,1"), ("cpu", "7", "")],
)
def test_devices(project, gpu, inherited, seen):
    variable = {} if inherited is None else {"CUDA_VISIBLE_DEVICES": inherited}
    project.run("-s", "1", *([] if gpu is None else ["--gpu", gpu]), **variable)
    assert project.environment()["CUDA_VISIBLE_DEVICES"] == seen


def test_one_of_several_processes_takes_the_device_of_its_number_and_only_trains(project):
    assert project.run("-s", "2", "-n", "v", RANK="1").returncode == 0
    assert project.environment()["CUDA_VISIBLE_DEVICES"] is None
    done = project.run("-s", "1-2", "-n", "v", RANK="1")
    assert done.returncode == 2 and "several processes (RANK is set) can only train" in done.stderr


def test_several_gpus_of_the_environment_are_told(project):
    told = "note: training uses every GPU of CUDA_VISIBLE_DEVICES=2,3, which your environment sets; --gpu 0 uses one\n"
    for arguments, inherited, said in (
        (["-s", "2", "-n", "v"], "2,3", told),
        (["-s", "2", "-n", "v"], "2", ""),
        (["-s", "2", "-n", "v"], "2,", ""),
        (["-s", "2", "-n", "v", "--gpu", "0,1"], "2,3", ""),
        (["-s", "1"], "2,3", ""),
    ):
        done = project.run(*arguments, CUDA_VISIBLE_DEVICES=inherited)
        assert (done.returncode, done.stderr) == (0, said)


def test_flags_of_stages_that_are_not_run_are_named(project):
    (project.elsewhere / "t").write_text("x")
    for arguments, flags in (
        (["--stage", "1", "--infer_text", ""], "--infer_text"),
        (["--stage", "0-1", "--resume", "--infer_speed=2", "--infer_dataset", "x"],
         "--resume, --infer_speed, --infer_dataset"),
        (["--stage", "3", "--infer_expt_dir", "voice", "--resume"], "--resume"),
        (["--stage", "4", "--infer_expt_dir", "voice", "--infer_text_file", "t"], "--infer_text_file"),
    ):  # fmt: skip
        done = project.run(*arguments)
        assert done.returncode == 0
        told = f"note: no effect in stage {arguments[1]}: {flags}; sh run.sh --help says which stage a flag belongs to"
        assert done.stderr == told + "\n"
        assert len(project.started()) == (2 if "-" in arguments[1] else 1)
    for arguments in (["-s", "3", "--infer_expt_dir=voice", "--infer_text=x"], ["-s", "1", "-n", "v"]):
        assert project.run(*arguments).stderr == ""


def test_a_folder_that_is_not_here_is_looked_for_in_the_project(project):
    place = project.root / "ckpts/tts/X"
    place.mkdir(parents=True)
    for flags, stage in ((["-s", "3", "--infer_text=x"], "inference.py"), (["-s", "4"], "evaluate.py")):
        assert project.run(*flags, "--infer_expt_dir", "ckpts/tts/X").returncode == 0
        script, folder, output, *_ = project.started()[0]
        assert (script, folder) == (stage, f"--expt_dir={place}") and output.startswith(f"--output_dir={place}/")
    project.run("-s", "2", "-n", "v", "--finetune_from", "ckpts/tts/X")
    assert project.started()[0][-1] == f"--finetune_from={place}"
    # What is here goes first.
    (project.elsewhere / "ckpts/tts/X").mkdir(parents=True)
    project.run("-s", "3", "--infer_expt_dir", "ckpts/tts/X", "--infer_text=x")
    assert project.started()[0][1] == "--expt_dir=ckpts/tts/X"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--stage"], "--stage needs a value"),
        (["--stage", "--name", "x"], '--stage needs a value; if "--name" is meant as one, write --stage=--name'),
        (["--stage="], "--stage needs a value that is not empty"), (["--name", "x"], "--stage is missing: 0 to 5"),
        (["--stage", "6"], '--stage must be 0 to 5 or a range such as 1-3, but "6" is given'),
        (["--stage", "3-1"], "--stage 3-1 runs backwards; write 1-3"), (["--stage", "2"], "stage 2 needs --name"),
        (["--stage", "2", "--name", "a/b"], '--name "a/b" names a folder below log_dir'),
        (["--stage", "3", "--infer_text", "x"], "there is no bundled voice in "),
        (["--stage", "3", "--infer_expt_dir", "nowhere"], "--infer_expt_dir nowhere: no such folder"),
        (["--stage", "3", "--infer_expt_dir", "voice", "--infer_mode", "duo"], "--infer_mode must be batch or single"),
        (["--stage", "4", "--infer_expt_dir", "voice", "--infer_testing_set", "tests"],
         '--infer_testing_set must be test, valid or train, but "tests" is given'),
        (["--stage", "3-4", "--infer_expt_dir", "voice", "--infer_text=x", "--infer_testing_set", "tests"],
         '--infer_testing_set must be test, valid or train, but "tests" is given'),
        (["--stage", "3", "--infer_expt_dir", "voice", "--infer_text_file", "no"],
         "--infer_text_file no: no such file"),
        (["--stage", "3", "--infer_expt_dir", "voice", "--infer_text_file", "voice"],
         "--infer_text_file voice is a folder; give a text file"),
        (["-s", "3", "--infer_expt_dir", "voice", "--infer_text=a", "--infer_text_file=b"], "exclude each other"),
        (["--stage", "1", "--config", "nowhere.json"], "--config nowhere.json: no such file"),
        (["--stage", "1", "--gpus=0"], "unknown flag --gpus; did you mean --gpu? sh run.sh --help lists all flags"),
        (["-s", "3", "--text", "x"], "unknown flag --text; did you mean --infer_text?"),
        (["-s", "2", "--tensorboard"], "unknown flag --tensorboard; sh run.sh --help"),
        (["--stage", "1", "more"], 'unexpected argument "more"'),
        (["--stage", "3", "--infer_expt_dir", "voice", "--infer_text", "two", "words"],
         "text with spaces needs quotes"),
        (["--stage", "1", "--gpu", "first"], "--gpu must be device numbers"),
        (["-s", "5", "--infer_expt_dir=voice", "--wyoming_port", "none"],
         '--wyoming_port must be a number from 1 to 65535, but "none" is given'),
        (["-s", "5", "--infer_expt_dir=voice", "--serve_port=65536"], "--serve_port must be a number from 1 to 65535"),
        (["--stage", "1", "--resume=yes"], "--resume takes no value"),
        (["--stage", "1", "--set", "batch_size"], "--set batch_size: expected key=value"),
    ],
)  # fmt: skip
def test_mistakes_get_one_sentence_and_start_nothing(project, arguments, message):
    done = project.run(*arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1
    assert done.stdout == ""
    assert project.started() == []


def test_status_of_a_failing_stage_is_passed_on_and_nothing_follows(project):
    done = project.run("-s", "1-3", "-n", "v", STUB_FAILS="preprocess.py", STUB_STATUS="37")
    assert done.returncode == 37
    assert [call[0] for call in project.started()] == ["train.py", "preprocess.py"]
    assert project.run("-s", "3", "--infer_expt_dir", "voice", STUB_FAILS="inference.py").returncode == 9
    done = project.run("-s", "1-3", "-n", "v", STUB_FAILS="train.py --check", STUB_STATUS="2")
    assert (done.returncode, len(project.started())) == (2, 1)


def test_interpreter_of_the_environment_is_used_without_a_virtual_environment(in_each_shell):
    python = in_each_shell.root / ".venv/bin/python"
    other = in_each_shell.elsewhere / "my python"
    python.rename(other)
    assert in_each_shell.run("--stage", "1", PYTHON=str(other)).returncode == 0
    assert len(in_each_shell.started()) == 1
    done = in_each_shell.run("--stage", "1", PYTHON=str(other), STUB_PACKAGES="1")
    assert done.returncode == 2 and "bins/setup.sh" in done.stderr
    done = in_each_shell.run("--stage", "1", PYTHON="/nowhere/python")
    assert done.returncode == 2
    assert 'no Python at "/nowhere/python"' in done.stderr


# A stage that others follow: says when it is there, and what reaches it.
WAITING = """#!/bin/sh
case $1 in
    -c) exit 0 ;;
    */run.py) exec {real} "$@" ;;
esac
exec {real} -c 'import signal, sys, time
def stop(number, frame):
    print("told", number, flush=True)
    sys.exit(0)
for number in (1, 2, 15):
    signal.signal(number, stop)
print("ready", flush=True)
time.sleep(60)'
"""


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM])
def test_a_request_to_stop_reaches_a_stage_in_the_middle_and_ends_the_recipe(project, number):
    (project.root / ".venv/bin/python").write_text(WAITING.replace("{real}", sys.executable))
    process = subprocess.Popen(
        ["sh", str(project.script), "-s", "0-1"], stdout=subprocess.PIPE, text=True, preexec_fn=hear_all_signals
    )
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    time.sleep(0.2)
    process.send_signal(number)
    assert process.communicate(timeout=60)[0] == f"told {int(number)}\n"
    assert process.returncode == 128 + number


def hear_all_signals():
    """A background process of a shell ignores Ctrl-C from the start, one under nohup a hang-up; so may the tests."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def test_a_gpu_that_is_asked_for_serves(project):
    for gpu, device in (([], []), (["--gpu", "cpu"], []), (["--gpu", "1"], ["--device=cuda"])):
        assert project.run("-s", "5", "--infer_expt_dir=voice", "--wyoming_port=10200", *gpu).returncode == 0
        assert project.started() == [["serve.py", "--expt_dir=voice", "--wyoming_port=10200", *device]]
