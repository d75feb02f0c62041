"""The recipe's flags, each defined once: for run.sh's help and command line, and for the scripts of the stages.

Needs nothing but Python's own library, so that a mistake on the command line is told at once.
"""

from __future__ import annotations

import argparse
import difflib
import os
import re
import sys
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from utils.errors import UserError

# The stages' scripts know run.sh's flags for speech and measures by their names without it; run.sh sets this variable,
# so that they call them as they were typed.
PREFIX, PREFIX_VARIABLE = "infer_", "JETS_FLAG_PREFIX"
PORTS = ("serve_port", "wyoming_port")


@dataclass(frozen=True)
class Flag:
    """One flag of run.sh: `value` is what the help calls its value ("" for a switch), `stages` who has a use for it."""

    name: str
    value: str
    what: str
    default: str = ""
    stages: str = ""
    short: str = ""
    choices: tuple[str, ...] = ()
    may_be_empty: bool = False

    @property
    def dest(self) -> str:
        """The name that a stage's script has for it."""
        return self.name[len(PREFIX) :] if self.name.startswith(PREFIX) else self.name

    def help(self) -> str:
        """Its entry in the help of run.sh."""
        begin = f"  {f'-{self.short}, ' if self.short else '    '}--{self.name} {self.value} ".ljust(29)
        text = f"{self.what} ({f'default: {self.default}' if self.default else 'no default'})"
        return textwrap.fill(text, 119, initial_indent=begin, subsequent_indent=" " * 29, break_on_hyphens=False)


# A table.
# fmt: off
SET = Flag("set", "KEY=VALUE", "change one config value, for instance --set train.batch_size=8; repeatable", "none")
SECTIONS: dict[str, tuple[Flag, ...]] = {
    "flags, as `--flag value` or `--flag=value`": (
        Flag("stage", "STAGE", "what to do", short="s"),
        Flag("config", "FILE", "config", "exp_config.json beside run.sh; stages 3 to 5: the experiment's own",
             short="c"),
        Flag("name", "NAME", "name of the experiment", short="n"),
        SET,
        Flag("gpu", "IDS", 'CUDA devices, for instance 0 or 0,1; "cpu" for none',
             "CUDA_VISIBLE_DEVICES of your environment if it is set, otherwise 0; without CUDA: the CPU"),
    ),
    "stage 2": (
        Flag("resume", "", "go on from the newest checkpoint of --name", "start a new experiment", "2"),
        Flag("finetune_from", "DIR", "start from the weights of another experiment or packed voice", "random weights",
             "2"),
    ),
    "stages 3 to 5": (
        Flag("infer_expt_dir", "DIR",
             "experiment or packed voice, looked for in the current folder, then in the project's",
             "<log_dir>/<name> of the config and --name; for your own text the bundled voice, egs/tts/Jets/voice",
             "345"),
        Flag("infer_output_dir", "DIR", "where the wavs or the report go",
             "<expt_dir>/result, for stage 4 <expt_dir>/evaluation; for the bundled voice ckpts/tts/voice/result, "
             "ckpts/tts/voice/evaluation", "34"),
        Flag("infer_dataset", "NAME", "corpus of the split", "the first of the config; stage 4: all of them", "34"),
        Flag("infer_testing_set", "S", "split: test, valid or train", "test", "34",
             choices=("test", "valid", "train")),
    ),
    "stage 3": (
        Flag("infer_mode", "MODE", "batch: a split of a corpus; single: your own text", "batch; with a text: single",
             "3", choices=("batch", "single")),
        Flag("infer_text", "TEXT", "text or SSML to speak; - reads lines from standard input, a wav for each",
             stages="3", may_be_empty=True),
        Flag("infer_text_file", "FILE", "plain text or SSML (one wav), or lines of id|text (a wav for each)",
             stages="3"),
        Flag("infer_stream", "", "raw 16-bit mono audio to standard output while it is made, for aplay", "off", "3"),
        Flag("infer_explain", "", "print what each piece of the text is taken for, the words for it, and their phones",
             "speak", "3"),
        Flag("infer_timestamps", "FORMAT",
             "beside each wav, when each word is heard: srt, vtt, json or textgrid; the last two have phones, too",
             "none", "3", choices=("srt", "vtt", "json", "textgrid")),
        Flag("infer_speaker", "NAME", 'who speaks: a name, or a mixture such as "anna:0.6+ben:0.4"',
             "inference.speaker of the config; the first one of the language", "3"),
        Flag("infer_language", "CODE", "which language the text is in, for instance de",
             "inference.language of the config; the speaker's own", "3"),
        Flag("list_voices", "", "print the voice's speakers and languages", "speak", "3"),
        Flag("infer_speed", "X", "tempo, 2 is twice as fast", "inference.speed of the config, 1.0", "3"),
        Flag("infer_pitch", "X", "pitch shift in semitones", "inference.pitch_semitones of the config, 0.0", "3"),
        Flag("infer_energy", "X", "vocal effort in dB", "inference.energy_db of the config, 0.0", "3"),
    ),
    "stage 5": (
        Flag("serve_host", "ADDRESS", "where clients may come from: 127.0.0.1 is this machine, 0.0.0.0 every other",
             "127.0.0.1", "5"),
        Flag("serve_port", "PORT", "port; JETS_API_KEY in the environment is the key that clients need", "8880", "5"),
        Flag("wyoming_port", "PORT", "port for Home Assistant, for instance 10200", "none", "5"),
    ),
}
# fmt: on
FLAGS = {flag.name: flag for section in SECTIONS.values() for flag in section}
_SHORT = {flag.short: flag for flag in FLAGS.values() if flag.short}
_STAGES = """usage: sh egs/tts/Jets/run.sh --stage STAGE [flags]

stages, one (--stage 2) or a range (--stage 1-3)
  0  get the data            downloads the corpora that the config names
  1  make features           corpus -> processed_dir
  2  train                   features -> <log_dir>/<name>; needs --name
  3  speak                   trained voice -> wav files; your own text needs no other flag: the bundled voice speaks it
  4  measure                 trained voice -> a report on a held-out split; needs --infer_expt_dir or --name
  5  serve                   trained voice -> OpenAI's speech endpoint, for other programs (default: the bundled voice)
"""


def usage() -> str:
    """The help of run.sh."""
    sections = ["\n".join([title, *(flag.help() for flag in flags)]) for title, flags in SECTIONS.items()]
    sections[0] += "\n  -h, --help".ljust(30) + "this text"
    return "\n\n".join([_STAGES.rstrip(), *sections])


def parse(arguments: Sequence[str]) -> argparse.Namespace | None:
    """The flags of run.sh, None for those that are not given (`set` is a list), or None where help is asked for.

    Unlike argparse, it takes a value that begins with a dash, as texts may, unless the value is a flag itself.
    """
    given: dict[str, object] = dict.fromkeys(FLAGS)
    overrides: list[str] = []
    rest = list(arguments)
    while rest:
        argument = rest.pop(0)
        typed, equals, value = argument.partition("=") if argument.startswith("--") else (argument, "", "")
        if typed in ("-h", "--help") and not equals:
            return None
        flag = _known(typed)
        if flag is None:
            raise UserError(_unknown(typed))
        if not flag.value:
            if equals:
                raise UserError(f"{typed} takes no value")
            given[flag.name] = True
            continue
        if not equals:
            if not rest:
                raise UserError(f"{typed} needs a value")
            value = rest.pop(0)
            if value in ("-h", "--help") or _known(value) is not None:
                raise UserError(f'{typed} needs a value; if "{value}" is meant as one, write {typed}={value}')
        if flag is SET:
            if not value.partition("=")[0] or "=" not in value:
                raise UserError(f"--set {value}: expected key=value, for instance --set train.batch_size=8")
            overrides.append(value)
        elif not value and not flag.may_be_empty:
            raise UserError(f"{typed} needs a value that is not empty")
        else:
            given[flag.name] = value
    return argparse.Namespace(**{**given, "set": overrides})


def _known(typed: str) -> Flag | None:
    return FLAGS.get(typed[2:]) if typed.startswith("--") else _SHORT.get(typed[1:]) if typed[:1] == "-" else None


def _unknown(typed: str) -> str:
    if not typed.startswith("-"):
        return f'unexpected argument "{typed}"; values belong to a flag, and text with spaces needs quotes'
    names = {name.replace(PREFIX, ""): name for name in FLAGS}
    wanted = typed.lstrip("-").lower().replace("-", "_").replace(PREFIX, "")
    near = difflib.get_close_matches(wanted, names, n=1, cutoff=0.7) if len(typed) > 2 else []
    hint = f"did you mean --{names[near[0]]}? " if near else ""
    return f"unknown flag {typed}; {hint}sh run.sh --help lists all flags"


def check_choice(flags: argparse.Namespace, name: str) -> None:
    """UserError for a flag whose value is not one of its choices."""
    value, choices = getattr(flags, name), FLAGS[name].choices
    if value is not None and value not in choices:
        listed = f"{', '.join(choices[:-1])} or {choices[-1]}"
        raise UserError(f'--{name} must be {listed}, but "{value}" is given')


def check_name(name: str | None) -> None:
    """UserError unless --name, where it is given, is that of a plain folder."""
    if name is not None and (not name or name[0] in ".-" or "/" in name or "\\" in name):
        raise UserError(f'--name "{name}" names a folder below log_dir: no slash, and no dot or dash in front')


def check_start(flags: argparse.Namespace) -> None:
    """UserError for a training that is to begin in two ways."""
    if flags.resume and flags.finetune_from is not None:
        raise UserError("--resume and --finetune_from exclude each other")


def chosen_mode(flags: argparse.Namespace, prefix: str = "") -> str:
    """ "batch" or "single"; UserError unless mode, texts and stream go together.

    `prefix` is what the names of the flags, here and for whoever typed them, begin with.
    """
    names = ("text", "text_file", "mode", "stream", "explain")
    text, file, mode, stream, explain = (getattr(flags, prefix + name) for name in names)
    has_text, dashes = text is not None or file is not None, f"--{prefix}"
    mode = mode or ("single" if has_text else "batch")
    if text is not None and file is not None:
        raise UserError(f"{dashes}text and {dashes}text_file exclude each other")
    if mode == "batch" and stream:
        raise UserError(f"{dashes}stream speaks a text: give {dashes}text or {dashes}text_file, not a split")
    if explain and (stream or mode == "batch"):
        raise UserError(f"{dashes}explain prints: give {dashes}text or {dashes}text_file, without {dashes}stream")
    if getattr(flags, f"{prefix}timestamps") is not None and (stream or explain):
        raise UserError(f"{dashes}timestamps go beside wavs: leave out {dashes}stream and {dashes}explain")
    if mode == "batch" and has_text:
        raise UserError(f"{dashes}mode batch speaks a split of a corpus: leave out {dashes}text and {dashes}text_file")
    if mode == "single" and not has_text:
        raise UserError(f"{dashes}mode single needs {dashes}text or {dashes}text_file")
    if stream and sys.stdout.isatty():
        pipe = "pipe it, as in | aplay -r 22050 -f S16_LE"
        raise UserError(f"{dashes}stream writes raw audio to standard output: {pipe}")
    if file is not None:
        kind, named = Path(file), f"{dashes}text_file {file}"
        if kind.is_dir():
            raise UserError(f"{named} is a folder; give a text file")
        if not kind.exists():
            raise UserError(f"{named}: no such file")
        if kind.is_char_device() or kind.is_block_device():
            raise UserError(f"{named} is a device; give a text file, a pipe, or {dashes}text - for standard input")
        if not os.access(file, os.R_OK):
            raise UserError(f"{named} cannot be read")
    return mode


def port(flags: argparse.Namespace, name: str) -> int | None:
    """The port of one of PORTS, None for none; UserError for what cannot be one."""
    text = getattr(flags, name) or FLAGS[name].default
    if not text.isdecimal():
        if getattr(flags, name) is None:
            return None
    elif 0 < int(text) < 65536:
        return int(text)
    raise UserError(f'--{name} must be a number from 1 to 65535, but "{text}" is given')


def add_flags(parser: argparse.ArgumentParser, stage: int, required: Sequence[str] = ()) -> None:
    """Give a stage's script `--config`, `--set` (`overrides`) and the flags of run.sh that are for this stage."""
    add = parser.add_argument
    for flag in FLAGS.values():
        if flag is SET:
            add("--set", action="append", default=[], dest="overrides", metavar=flag.value, help=flag.what)
        elif not flag.value and str(stage) in flag.stages:
            add(f"--{flag.dest}", action="store_true", help=flag.what)
        elif str(stage) in flag.stages or flag.name == "config" or flag.dest in required:
            add(
                f"--{flag.dest}", type=Path if flag.value in ("DIR", "FILE") else str, choices=flag.choices or None,
                metavar=None if flag.choices else flag.value, help=flag.what, required=flag.dest in required,
            )  # fmt: skip


_OURS = "|".join(flag.dest for flag in FLAGS.values() if flag.name.startswith(PREFIX))
_PREFIXED = re.compile(rf"(?<![\w/-])--(?=(?:{_OURS})(?![\w-]))")


def as_typed(message: str) -> str:
    """The message with the flags that run.sh's user typed: "--text" is "--infer_text" there."""
    prefix = os.environ.get(PREFIX_VARIABLE, "")
    return _PREFIXED.sub(f"--{prefix}", message) if prefix else message
