"""Stage 3 on the command line: what is spoken, where it goes, and what is said about it.

Works with any model whose package has `synthesizer.Synthesizer`, a `models.tts.voice.Voice`.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from config.schema import EXPERIMENT_CONFIG, ExperimentConfig
from models.base.experiment import TOKENS
from models.registry import load_config, load_experiment_config, model_module
from models.tts.text_files import check_id, has_ids, id_lines, pieces_of
from models.tts.voice import Voice, cast_of, frontends_of
from processors.audio.wav import WavWriter, to_pcm16, write_wav
from processors.corpus import ProcessedCorpus, Utterance, corpus_directory, require_features
from processors.script import Line, Scriptwriter, explained
from processors.text.characters import TextError
from processors.text.tokens import NO_SOUND, load_tokens
from processors.timestamps import FORMATS, Timeline
from utils.errors import UserError
from utils.files import disk_errors, make_folder, remove_leftovers, write_json_lines, write_text

MANIFEST = "manifest.jsonl"
SOME_SKIPPED = 1  # exit status: of several texts that a user listed, some could not be spoken
_SHOWN_WORDS, _SHOWN_LETTERS = 5, 30


def run(arguments: argparse.Namespace) -> int:
    """Do what the flags of bins/inference.py, checked, say; the exit status, 0 or SOME_SKIPPED."""
    if not arguments.expt_dir.is_dir():
        raise UserError(f"--expt_dir {arguments.expt_dir}: no such folder; give an experiment, <log_dir>/<name>")
    config = loaded_config(arguments)
    dataset = arguments.dataset or config.dataset[0]
    if arguments.mode == "batch":  # before the voice is loaded for nothing
        require_features(config, [dataset], arguments.config or arguments.expt_dir / EXPERIMENT_CONFIG)
    file = arguments.text_file
    listed = file is not None and has_ids(file)
    if arguments.explain or arguments.list_voices:
        cast = cast_of(config, load_tokens(arguments.expt_dir / TOKENS))
        if arguments.list_voices:
            print("\n".join(cast.lines()))
            return 0
        manner = cast.manner(config.inference.speaker, config.inference.language)
        frontends = frontends_of(arguments.expt_dir, config, cast)
        for text in streamed_texts(arguments, listed, lambda name, error: say(f"skipped {name}: {error}")):
            for row in explained(frontends, text, cast, manner):
                print(row)
        return 0
    voice: Voice = model_module(config.model_type, "synthesizer").Synthesizer.from_experiment(
        arguments.expt_dir, arguments.device, arguments.checkpoint, config=config
    )
    # One of several texts may fail; the only one may not.
    told = Told(voice.script, tolerant=listed or arguments.mode == "batch" or arguments.text == "-")
    told.timestamps = arguments.timestamps
    if arguments.stream:
        return to_standard_output(voice, streamed_texts(arguments, listed, told.skip), told)
    output_dir = arguments.output_dir or arguments.expt_dir / "result"
    make_folder(output_dir, "--output_dir")
    with disk_errors(output_dir):
        remove_leftovers(output_dir)
    if arguments.mode == "batch":
        return split_to_wavs(voice, dataset, arguments.testing_set, output_dir, told)
    if file is None:
        return texts_to_wavs(voice, given_texts(arguments.text), output_dir, told)
    return list_to_wavs(voice, file, output_dir, told) if listed else file_to_wav(voice, file, output_dir, told)


def loaded_config(arguments: argparse.Namespace) -> ExperimentConfig:
    """The experiment's config, or the given one, with the flags on top."""
    flags = {"speed": arguments.speed, "pitch_semitones": arguments.pitch, "energy_db": arguments.energy}
    overrides = list(arguments.overrides)
    overrides += [f"inference.{key}={value}" for key, value in flags.items() if value is not None]
    # Names are texts, whatever they look like.
    names = {"speaker": arguments.speaker, "language": arguments.language}
    overrides += [f"inference.{key}={json.dumps(name)}" for key, name in names.items() if name is not None]
    if arguments.config is not None:
        return load_config(arguments.config, overrides)
    return load_experiment_config(arguments.expt_dir, overrides)


def given_texts(text: str) -> Iterator[str]:
    """What --text gives to speak: itself, or the lines of standard input."""
    if text == "-":
        sys.stdin.reconfigure(encoding="utf-8", errors="replace")  # type: ignore[union-attr]
        yield from (line for line in sys.stdin if line.strip())
    else:
        # Bytes of the command line that are no UTF-8 arrive as lone surrogates, which nothing can write.
        yield text.encode("utf-8", errors="replace").decode("utf-8")


def streamed_texts(
    arguments: argparse.Namespace, listed: bool, skip: Callable[[str, TextError], None]
) -> Iterator[str | Iterable[str]]:
    """What the flags give to speak, one text after the other; `skip` hears of lines of a list that are none."""
    if arguments.text_file is None:
        yield from given_texts(arguments.text)
    elif listed:
        yield from (text for _, text, _ in id_lines(arguments.text_file, skip))
    else:
        yield pieces_of(arguments.text_file)


class Told:
    """What is said about texts that cannot be spoken, or not wholly: one note for each, and which were skipped."""

    def __init__(self, script: Scriptwriter, tolerant: bool) -> None:
        """Listen to what a voice's script leaves out; `tolerant`: a text that cannot be spoken is skipped."""
        self.tolerant = tolerant
        self.skipped: list[str] = []
        self.timestamps: str | None = None  # the format of the files beside the wavs that say when words are heard
        self._words: dict[str, None] = {}
        self._notes: list[str] = []
        script.on_left_out, script.on_note = self._leave_out, self._notes.append

    def _leave_out(self, word: str) -> None:
        # A book may lose every word of it: no more are kept than are needed to see that there are more.
        if len(self._words) <= _SHOWN_WORDS:
            self._words[word if len(word) <= _SHOWN_LETTERS else f"{word[:_SHOWN_LETTERS]}…"] = None

    @contextmanager
    def about(self, name: str) -> Iterator[None]:
        """Say what is wrong with this text, or lost of it; anything else, such as a full disk, ends the run."""
        self._words.clear()
        self._notes.clear()
        try:
            yield
        except TextError as error:
            if not self.tolerant:
                raise
            self.skip(name, error)
            return
        where = f" of {name}" if self.tolerant else ""
        for sentence in self._notes:
            say(f"note{where}: {sentence}")
        if self._words:
            shown = ", ".join(f'"{word}"' for word in list(self._words)[:_SHOWN_WORDS])
            more = " and more" if len(self._words) > _SHOWN_WORDS else ""
            say(f"note: left out{where}, the voice cannot read it: {shown}{more}")

    def timeline(self, voice: Voice) -> Timeline | None:
        """One that learns when words are heard, if that is asked for: it grows with a text."""
        return None if self.timestamps is None else voice.timeline()

    def write_timestamps(self, wav: Path, timeline: Timeline | None) -> None:
        """Write when words are heard beside a wav, if that is asked for."""
        if self.timestamps is not None and timeline is not None:
            with disk_errors(wav):
                write_text(wav.with_suffix(FORMATS[self.timestamps]), timeline.written(self.timestamps))

    def skip(self, name: str, error: TextError) -> None:
        """Say that a text is skipped, and why."""
        self.skipped.append(name)
        say(f"skipped {name}: {error}")

    def status(self, count: int) -> int:
        """Exit status after `count` texts; UserError if none of them was spoken."""
        if count == 0:
            raise UserError("there is nothing to speak: the input is empty")
        if len(self.skipped) >= count:
            raise UserError("nothing was spoken")
        return SOME_SKIPPED if self.skipped else 0


def to_standard_output(voice: Voice, texts: Iterable[str | Iterable[str]], told: Told) -> int:
    """Raw little-endian 16-bit mono audio of each text to standard output, while it is being made."""
    output, count = sys.stdout.buffer, 0
    for count, text in enumerate(texts, 1):
        with told.about(f"text {count}"):
            for piece in voice.stream(text):
                output.write(to_pcm16(piece).tobytes())
                output.flush()
    return told.status(count)


def texts_to_wavs(voice: Voice, texts: Iterable[str], output_dir: Path, told: Told) -> int:
    """A wav for each text, 0001.wav and so on; each is told as soon as it is there."""
    count = 0
    for count, text in enumerate(texts, 1):
        with told.about(f"line {count}"):
            started = time.perf_counter()
            timeline = told.timeline(voice)
            wave = np.concatenate(list(voice.narrate(text, timeline=timeline)))
            spent = time.perf_counter() - started
            path = output_dir / f"{count:04d}.wav"
            replaced = path.exists()
            write_wav(path, wave, voice.sample_rate)
            told.write_timestamps(path, timeline)
            print_wav(path, len(wave) / voice.sample_rate, spent, replaced)
    return told.status(count)


def file_to_wav(voice: Voice, file: Path, output_dir: Path, told: Told) -> int:
    """One wav of a whole text file, written while it is being made."""
    path = output_dir / f"{file.stem}.wav"
    started, replaced, timeline = time.perf_counter(), path.exists(), told.timeline(voice)
    with (
        progress(file.stat().st_size or None, "B", file.name) as bar,  # a pipe has no size
        WavWriter(path, voice.sample_rate) as writer,
        told.about(file.name),
    ):
        pieces = (piece for piece in pieces_of(file) if bar.update(len(piece.encode())) or True)
        try:
            for wave in voice.narrate(pieces, lambda error: say(f"left out: {error}"), timeline):
                writer.write(wave)
        except UserError as error:
            raise UserError(f"{file}: {error}") from None
    told.write_timestamps(path, timeline)
    print_wav(path, writer.seconds, time.perf_counter() - started, replaced)
    return 0


def print_wav(path: Path, seconds: float, spent: float, replaced: bool) -> None:
    """Say that a wav is there, and whether an earlier one of its name is gone."""
    note = "  (replaced an earlier one)" if replaced else ""
    print(f"{path}  {seconds:.2f} s  RTF {ratio(spent, seconds):.3f}{note}", flush=True)


def list_to_wavs(voice: Voice, file: Path, output_dir: Path, told: Told) -> int:
    """A wav for each `id|text` line, and a manifest."""
    script, usual = voice.script, voice.config.inference
    started = time.perf_counter()
    texts = (
        (name, text, partial(script.lines, text, usual.model_copy(update={"speaker": speaker or usual.speaker})))
        for name, text, speaker in id_lines(file, told.skip, script.cast.listed)
    )
    rows = to_wavs(voice, texts, output_dir, told, progress(None, "utterance", file.name))
    status = told.status(len(rows) + len(told.skipped))
    conclude(output_dir, list(rows.values()), time.perf_counter() - started)
    return status


def split_to_wavs(voice: Voice, dataset: str, split: str, output_dir: Path, told: Told) -> int:
    """A wav for each utterance of a split, made from the tokens that stage 1 stored, and a manifest."""
    corpus = ProcessedCorpus.open(corpus_directory(voice.config.preprocess, dataset))
    utterances: list[Utterance] = corpus.split(split)
    if not utterances:
        raise UserError(f"the split {split} of {dataset} is empty; choose another with --testing_set")

    cast, asked = voice.script.cast, voice.config.inference

    def script(utterance: Utterance) -> list[Line]:
        check_id(utterance.id)
        speaker = asked.speaker or (utterance.speaker if utterance.speaker in cast.speakers else None)
        language = asked.language or (utterance.language if utterance.language in cast.languages else None)
        return [voice.script.line_of(utterance.text, utterance.phones, cast.manner(speaker, language))]

    started = time.perf_counter()
    # Similar lengths together; the longest first, so that memory runs out at once or not at all.
    order = sorted(utterances, key=lambda u: (-len(u.phones), u.id))
    texts = ((utterance.id, utterance.text, partial(script, utterance)) for utterance in order)
    rows = to_wavs(voice, texts, output_dir, told, progress(len(utterances), "utterance", f"{dataset} {split}"))
    told.status(len(utterances))
    recorded = [utterance for utterance in utterances if utterance.id in rows]
    conclude(output_dir, [rows[utterance.id] for utterance in recorded], time.perf_counter() - started)
    count = sum(1 for utterance in recorded for phone in utterance.phones if phone not in NO_SOUND)
    length = sum(utterance.length for utterance in recorded) / corpus.sample_rate
    spoken_seconds = sum(rows[utterance.id]["seconds"] for utterance in recorded)
    print(f"speaking rate {ratio(count, spoken_seconds):.2f} phones/s, recordings {ratio(count, length):.2f}")
    return 0


def to_wavs(
    voice: Voice, texts: Iterable[tuple[str, str, Callable[[], Iterable[Line]]]], output_dir: Path, told: Told,
    bar: tqdm,
) -> dict[str, dict[str, Any]]:  # fmt: skip
    """Write a wav for each id, text and what makes its lines; rows of the manifest by id."""

    def lines() -> Iterator[tuple[tuple[str, str], Line]]:
        for name, text, script in texts:
            made: list[Line] = []
            with told.about(name):  # a text is spoken as a whole or not at all
                made = list(script())
            yield from (((name, text), line) for line in made)

    rows = {}
    with bar:
        for (name, text), spoken in groupby(voice.speak_lines(lines(), voice.config.inference), lambda one: one.key):
            parts = list(spoken)  # not below: the next text, which is scripted meanwhile, has notes of its own
            with told.about(name):
                timeline = told.timeline(voice)
                wave = np.concatenate([wave for _, wave in voice.with_silences(parts, timeline)])
                write_wav(output_dir / f"{name}.wav", wave, voice.sample_rate)
                told.write_timestamps(output_dir / f"{name}.wav", timeline)
                seconds = len(wave) / voice.sample_rate
                phones = sum(voice.script.count_phones(one.line.ids) for one in parts)
                rows[name] = {
                    "id": name,
                    "text": text,
                    "wav": f"{name}.wav",
                    "seconds": round(seconds, 4),
                    "phones_per_second": round(ratio(phones, seconds), 3),
                    "rtf": round(ratio(sum(one.seconds_spent for one in parts), seconds), 5),
                }
            bar.update()
    return rows


def conclude(output_dir: Path, rows: list[dict[str, Any]], spent: float) -> None:
    """Write the manifest and say what there is now."""
    with disk_errors(output_dir):
        write_json_lines(output_dir / MANIFEST, rows)
    seconds = sum(row["seconds"] for row in rows)
    print(
        f"{len(rows)} utterances, {seconds:.1f} s of audio in {spent:.1f} s: RTF {ratio(spent, seconds):.4f} "
        f"({ratio(seconds, spent):.1f} x real time); {output_dir / MANIFEST}"
    )


def progress(total: int | None, unit: str, label: str) -> tqdm:
    """A progress bar on standard error, if that is a terminal."""
    return tqdm(total=total, unit=unit, unit_scale=unit == "B", desc=label, disable=None, leave=False)


def say(sentence: str) -> None:
    """Write to standard error, beside a progress bar."""
    tqdm.write(sentence, file=sys.stderr)


def ratio(value: float, by: float) -> float:
    """value / by, 0 where there is nothing to divide by."""
    return value / by if by else 0.0
