"""Stage 3 on the command line: what is spoken, where it goes, and what is said about it.

Works with any model whose package has `inference.Synthesizer`, with the methods of the one in models/tts/jets.
"""

from __future__ import annotations

import argparse
import io
import os
import re
import sys
import time
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import numpy as np
from tqdm import tqdm

from models.registry import model_module
from models.tts.speaking_notes import Failures, LeftOut
from processors.text.errors import TextError
from processors.text.tokens import NO_SOUND
from utils.atomic import disk_errors, make_folder, remove_leftovers, write_json_lines
from utils.config import load_config, load_experiment_config
from utils.config.load import EXPERIMENT_CONFIG
from utils.config.schema import ExperimentConfig
from utils.corpus import ProcessedCorpus, Utterance, corpus_directory, require_features
from utils.errors import UserError
from utils.wav import WavWriter, to_pcm16, write_wav

if TYPE_CHECKING:
    from models.tts.jets.script import Line
    from models.tts.jets.synthesizer import Synthesizer

MANIFEST = "manifest.jsonl"
_PIECE = 1 << 12  # characters of a text file that are read at once
_ID = re.compile(r"\w(?:[\w.+@=,~ -]*[\w+@=~-])?")
_ID_LINE = re.compile(r"\s*([^|\s]{1,200})\|")


def run(arguments: argparse.Namespace) -> None:
    """Do what the flags of bins/inference.py say."""
    if not arguments.expt_dir.is_dir():
        raise UserError(f"--expt_dir {arguments.expt_dir}: no such folder; give an experiment, <log_dir>/<name>")
    mode = chosen_mode(arguments)
    config = loaded_config(arguments)
    if mode == "batch":  # before the voice is loaded for nothing
        source = arguments.config or arguments.expt_dir / EXPERIMENT_CONFIG
        require_features(config, [arguments.dataset or config.dataset[0]], source)
    voice = model_module(config.model_type, "inference").Synthesizer.from_experiment(
        arguments.expt_dir, arguments.device, arguments.checkpoint, config=config
    )
    output_dir = arguments.output_dir or arguments.expt_dir / "result"
    if arguments.stream:
        stream(voice, texts(arguments), failures_for(arguments))
        return
    make_folder(output_dir, "--output_dir")
    with disk_errors(output_dir):
        remove_leftovers(output_dir)
    if mode == "batch":
        speak_split(voice, config, arguments.dataset or config.dataset[0], arguments.testing_set, output_dir)
    elif arguments.text_file is None:
        speak_lines(voice, texts(arguments), output_dir, failures_for(arguments))
    elif has_ids(arguments.text_file):
        speak_id_lines(voice, arguments.text_file, output_dir)
    else:
        speak_long_text(voice, arguments.text_file, output_dir)


def chosen_mode(arguments: argparse.Namespace) -> str:
    """ "batch" or "single"; UserError for flags that do not go together."""
    has_text = arguments.text is not None or arguments.text_file is not None
    mode = arguments.mode or ("single" if has_text or arguments.stream else "batch")
    if mode == "single" and not has_text:
        raise UserError("--mode single and --stream need --text (- for standard input) or --text_file")
    if mode == "batch" and (has_text or arguments.stream):
        raise UserError("--mode batch speaks a split of a corpus: leave out --text, --text_file and --stream")
    if arguments.stream and sys.stdout.isatty():
        raise UserError("--stream writes raw audio to standard output: pipe it, as in | aplay -r 22050 -f S16_LE")
    if arguments.text_file is not None and arguments.text_file.is_dir():
        raise UserError(f"--text_file {arguments.text_file} is a folder; give a text file")
    if arguments.text_file is not None and not arguments.text_file.exists():
        raise UserError(f"--text_file {arguments.text_file}: there is no such file")
    return mode


def loaded_config(arguments: argparse.Namespace) -> ExperimentConfig:
    """The experiment's config, or the given one, with the flags on top."""
    flags = {"speed": arguments.speed, "pitch_semitones": arguments.pitch, "energy_db": arguments.energy}
    overrides = list(arguments.overrides)
    overrides += [f"inference.{key}={value}" for key, value in flags.items() if value is not None]
    if arguments.config is not None:
        return load_config(arguments.config, overrides)
    return load_experiment_config(arguments.expt_dir, overrides)


def texts(arguments: argparse.Namespace) -> Iterator[str | Iterable[str]]:
    """What the flags give to speak, one text after the other."""
    if arguments.text_file is not None:
        if has_ids(arguments.text_file):
            yield from (text for _, text in id_lines(arguments.text_file))
        else:
            yield pieces_of(arguments.text_file)
    elif arguments.text == "-":
        sys.stdin.reconfigure(encoding="utf-8", errors="replace")  # type: ignore[union-attr]
        yield from (line for line in sys.stdin if line.strip())
    else:
        # Bytes of the command line that are no UTF-8 arrive as lone surrogates, which nothing can write.
        yield arguments.text.encode("utf-8", errors="replace").decode("utf-8")


def failures_for(arguments: argparse.Namespace) -> Failures:
    """One of several texts may fail; the only one may not."""
    several = arguments.text == "-" or (arguments.text_file is not None and has_ids(arguments.text_file))
    return Failures(tolerant=several)


def stream(voice: Synthesizer, spoken: Iterable[str | Iterable[str]], failures: Failures) -> None:
    """Raw little-endian 16-bit mono audio of each text to standard output, while it is being made."""
    output, count, left_out = sys.stdout.buffer, 0, LeftOut(voice.script)
    for count, text in enumerate(spoken, 1):
        name = f"text {count}"
        with failures.of(name), left_out.of(name if failures.tolerant else ""):
            for piece in voice.stream(text):
                output.write(to_pcm16(piece).tobytes())
                output.flush()
    failures.finish(count)


def speak_lines(voice: Synthesizer, spoken: Iterable[str], output_dir: Path, failures: Failures) -> None:
    """A wav for each text, 0001.wav and so on; each is told as soon as it is there."""
    count, left_out = 0, LeftOut(voice.script)
    for count, text in enumerate(spoken, 1):
        path, name = output_dir / f"{count:04d}.wav", f"line {count}"
        with failures.of(name):
            started = time.perf_counter()
            with left_out.of(name if failures.tolerant else ""):
                wave, sample_rate = voice.tts(text)
            spent = time.perf_counter() - started
            write_wav(path, wave, sample_rate)
            seconds = len(wave) / sample_rate
            print(f"{path}  {seconds:.2f} s  RTF {ratio(spent, seconds):.3f}", flush=True)
    failures.finish(count)


def speak_long_text(voice: Synthesizer, text_file: Path, output_dir: Path) -> None:
    """One wav of a whole file, written while it is being made."""
    path = output_dir / f"{text_file.stem}.wav"
    started = time.perf_counter()
    with (
        progress(text_file.stat().st_size or None, "B", text_file.name) as bar,  # a pipe has no size
        WavWriter(path, voice.sample_rate) as writer,
        LeftOut(voice.script).of(),
    ):
        refused = lambda error: bar.write(f"left out: {error}", file=sys.stderr)  # noqa: E731
        try:
            for wave in voice.narrate(pieces_of(text_file, bar), on_refused=refused):
                writer.write(wave)
        except UserError as error:
            raise UserError(f"{text_file}: {error}") from None
    spent = time.perf_counter() - started
    print(f"{path}  {writer.seconds:.2f} s  RTF {ratio(spent, writer.seconds):.3f}", flush=True)


def speak_id_lines(voice: Synthesizer, text_file: Path, output_dir: Path) -> None:
    """A wav for each `id|text` line, and a manifest."""
    failures, left_out, rows = Failures(), LeftOut(voice.script), []
    settings = voice.config.inference

    def lines() -> Iterator[tuple[tuple[str, str], Line]]:
        for name, text in id_lines(text_file, failures):
            with failures.of(name):
                # A text is spoken as a whole or not at all.
                with left_out.of(name):
                    made = [((name, text), line) for line in voice.script.lines(text, settings)]
                yield from made

    started = time.perf_counter()
    parts: list[np.ndarray] = []
    spent, phones = 0.0, 0
    key = None

    def finish() -> None:
        if key is not None:
            with failures.of(key[0]):
                rows.append(saved(voice, output_dir, key, np.concatenate(parts), spent, phones))

    with progress(None, "utterance", text_file.name) as bar:
        for spoken in voice.speak_lines(lines(), settings):
            if spoken.key != key:
                finish()
                bar.update(key is not None)
                key, parts, spent, phones = spoken.key, [], 0.0, 0
            parts += [voice.silence(spoken.line.silence), spoken.wave]
            spent += spoken.seconds_spent
            phones += voice.script.count_phones(spoken.line.ids)
        finish()
        bar.update(key is not None)
    failures.finish(len(rows) + len(failures.told))
    conclude(output_dir, rows, time.perf_counter() - started)


def speak_split(voice: Synthesizer, config: ExperimentConfig, dataset: str, split: str, output_dir: Path) -> None:
    """A wav for each utterance of a split, made from the tokens that stage 1 stored, and a manifest."""
    corpus = ProcessedCorpus.open(corpus_directory(config.preprocess, dataset))
    utterances = corpus.split(split)
    if not utterances:
        raise UserError(f"the split {split} of {dataset} is empty; choose another with --testing_set")
    failures, left_out, rows = Failures(), LeftOut(voice.script), {}

    def lines() -> Iterator[tuple[Utterance, Line]]:
        # Similar lengths together; the longest first, so that memory runs out at once or not at all.
        for utterance in sorted(utterances, key=lambda u: (-len(u.phones), u.id)):
            with failures.of(utterance.id):
                check_id(utterance.id)
                with left_out.of(utterance.id):
                    line = voice.script.line_of(utterance.text, utterance.phones)
                yield utterance, line

    started = time.perf_counter()
    with progress(len(utterances), "utterance", f"{dataset} {split}") as bar:
        for spoken in voice.speak_lines(lines(), config.inference):
            utterance = spoken.key
            with failures.of(utterance.id):
                phones = voice.script.count_phones(spoken.line.ids)
                key = (utterance.id, utterance.text)
                rows[utterance.id] = saved(voice, output_dir, key, spoken.wave, spoken.seconds_spent, phones)
            bar.update()
    failures.finish(len(utterances))
    made = [rows[utterance.id] for utterance in utterances if utterance.id in rows]
    conclude(output_dir, made, time.perf_counter() - started)
    recorded = [utterance for utterance in utterances if utterance.id in rows]
    count = sum(1 for utterance in recorded for phone in utterance.phones if phone not in NO_SOUND)
    length = sum(utterance.length for utterance in recorded) / corpus.sample_rate
    spoken_seconds = sum(row["seconds"] for row in made)
    print(f"speaking rate {ratio(count, spoken_seconds):.2f} phones/s, recordings {ratio(count, length):.2f}")


def saved(
    voice: Synthesizer, output_dir: Path, key: tuple[str, str], wave: np.ndarray, spent: float, phones: int
) -> dict[str, object]:
    """Write one wav; its row of the manifest."""
    name, text = key
    if not np.isfinite(wave).all():
        raise TextError("the voice gave samples that are no numbers; use another checkpoint, or precision fp32")
    write_wav(output_dir / f"{name}.wav", wave, voice.sample_rate)
    seconds = len(wave) / voice.sample_rate
    return {
        "id": name,
        "text": text,
        "wav": f"{name}.wav",
        "seconds": round(seconds, 4),
        "phones_per_second": round(ratio(phones, seconds), 3),
        "rtf": round(ratio(spent, seconds), 5),
    }


def conclude(output_dir: Path, rows: list[dict[str, object]], spent: float) -> None:
    """Write the manifest and say what there is now."""
    with disk_errors(output_dir):
        write_json_lines(output_dir / MANIFEST, rows)
    seconds = float(sum(row["seconds"] for row in rows))  # type: ignore[misc]
    print(
        f"{len(rows)} utterances, {seconds:.1f} s of audio in {spent:.1f} s: RTF {ratio(spent, seconds):.4f} "
        f"({ratio(seconds, spent):.1f} x real time); {output_dir / MANIFEST}"
    )


def check_id(name: str) -> None:
    """TextError for an id that cannot name a file inside the output folder."""
    if not _ID.fullmatch(name) or ".." in name or len(name.encode()) > 200:
        raise TextError(f"the id {name[:60]!r} cannot name a file: use letters, digits, dashes, dots and underscores")


def has_ids(path: Path) -> bool:
    """Whether a text file consists of `id|text` lines, as its first line with text shows."""
    for line in pieces_of(path, lines=True):
        if line.strip():
            match = _ID_LINE.match(line)
            return match is not None and _ID.fullmatch(match[1]) is not None
    raise UserError(f"--text_file {path} is empty")


def id_lines(path: Path, failures: Failures | None = None) -> Iterator[tuple[str, str]]:
    """Id and text of each line of `id|text` (of LJSpeech's three columns, the second is the text)."""
    failures = failures or Failures()
    seen: set[str] = set()
    for number, line in enumerate(pieces_of(path, lines=True), 1):
        if not line.strip():
            continue
        with failures.of(f"line {number}"):
            name, mark, text = (part.strip() for part in line.partition("|"))
            if not mark:
                raise TextError("there is no | between id and text")
            check_id(name)
            # File systems of some machines take upper and lower case for the same.
            if name.lower() in seen:
                raise TextError(f"the id {name!r} is there already")
            seen.add(name.lower())
            yield name, text.split("|")[0].strip()


def pieces_of(path: Path, bar: tqdm | None = None, lines: bool = False) -> Iterator[str]:
    """A text file's contents in pieces, or its lines; UserError if it cannot be read or is not UTF-8."""
    try:
        with _opened(path) as file:
            while piece := (file.readline() if lines else file.read(_PIECE)):
                yield piece
                if bar is not None:
                    bar.update(len(piece.encode()))
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 text (near byte {error.start}); convert it") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {os.strerror(error.errno or 0)}") from None


def _opened(path: Path) -> TextIO:
    file = open(path, "rb") if path.is_file() else io.BytesIO(_piped(path))
    return io.TextIOWrapper(file, encoding="utf-8-sig")


@cache
def _piped(path: Path) -> bytes:
    """What comes from a pipe, which gives it once, while a text file is read twice: for its kind, and to be spoken."""
    return path.read_bytes()


def progress(total: int | None, unit: str, label: str) -> tqdm:
    """A progress bar on standard error, if that is a terminal."""
    return tqdm(total=total, unit=unit, unit_scale=unit == "B", desc=label, disable=None, leave=False)


def ratio(value: float, by: float) -> float:
    """value / by, 0 where there is nothing to divide by."""
    return value / by if by else 0.0
