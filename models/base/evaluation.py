"""Judge synthesised speech: every measure of every utterance, and what could not be judged, with the reason."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from models.base.evaluation_items import AlignmentRecord, Item
from processors.audio import AudioProblem
from processors.measures import dnsmos
from processors.measures.alignment_health import diagonality, duration_health, path_probability, sharpness
from processors.measures.asr import Recogniser
from processors.measures.failures import audio_failures, value_failures
from processors.measures.text_distance import text_errors
from processors.measures.utterance import (
    Signal,
    Value,
    analyse,
    load_audio,
    measure_against,
    measure_alone,
    measure_copy,
)
from processors.text.tokens import END, PUNCTUATION, START, WORD_BOUNDARY
from utils.config.schema import EvaluateConfig, ExperimentConfig, PreprocessConfig
from utils.errors import UserError
from utils.report.media import Media, alignment_picture, curve, encode_picture, make_clip, warped
from utils.report.report import Report, UtteranceRecord

MAX_WORKERS = 8


class Unjudgeable(Exception):
    """An utterance that is skipped; the message is the reason."""


@dataclass
class Judged:
    """A record with its pictures, and whether its recording can be used."""

    record: UtteranceRecord
    media: Media | None = None
    has_recording: bool = False


@dataclass
class Evaluation:
    """A report and what only report.html shows."""

    report: Report
    media: dict[str, Media] = field(default_factory=dict)


def evaluate(items: list[Item], config: ExperimentConfig, report: Report, folder: Path) -> Evaluation:
    """Judge `items` and fill `report`; `folder` is where the report will lie.

    Needs no network. An utterance that cannot be judged is skipped with its reason; an absent optional package or
    model is a note. Raises UserError when nothing is left, or when the recogniser that was asked for does not load.
    """
    settings = config.evaluate
    recogniser, notes = open_recogniser(config)
    use_dnsmos = settings.dnsmos and dnsmos.available()
    if settings.dnsmos and not use_dnsmos:
        notes.append("DNSMOS was left out: the package speechmos is not installed.")
    report.settings = figures_settings(config, recogniser, use_dnsmos)
    judge = _Judge(config.preprocess, settings, use_dnsmos, folder)

    judged: list[Judged] = []
    # The arithmetic runs outside the interpreter's lock. Each utterance gets one thread: several libraries that each
    # start a thread for every core only stand in each other's way.
    with single_threaded(), ThreadPoolExecutor(min(MAX_WORKERS, os.cpu_count() or 1)) as pool:
        jobs = [pool.submit(judge, item, i < settings.report_players) for i, item in enumerate(items)]
        try:
            for item, job in zip(items, tqdm(jobs, desc="measures", unit="utt", disable=None)):
                try:
                    judged.append(job.result())
                except Unjudgeable as reason:
                    report.skipped.append({"id": item.id, "reason": str(reason)})
        except BaseException:
            pool.shutdown(cancel_futures=True)  # Ctrl-C must not wait for the rest
            raise
    if not judged:
        first = report.skipped[0]
        raise UserError(f"none of {len(items)} utterances can be judged; the first, {first['id']}: {first['reason']}")
    if recogniser is not None:
        listen(judged, recogniser, config.preprocess.sample_rate, folder)
    for entry in judged:
        entry.record.failures += value_failures(entry.record.values)
    if not any(entry.has_recording for entry in judged):
        notes.append("There are no recordings: measures against them and the ceiling were left out.")
    report.utterances = [entry.record for entry in judged]
    report.notes += notes
    report.summarise(settings)
    return Evaluation(report, {entry.record.id: entry.media for entry in judged if entry.media is not None})


@contextmanager
def single_threaded() -> Iterator[None]:
    """Inside the block, linear algebra and torch use one thread each."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1):
            yield
    finally:
        torch.set_num_threads(threads)


def open_recogniser(config: ExperimentConfig) -> tuple[Recogniser | None, list[str]]:
    """The recogniser that config.evaluate names, or None and the reason."""
    settings = config.evaluate
    if settings.asr_model is None:
        return None, ["WER and CER were left out: name a recogniser in evaluate.asr_model."]
    try:
        language = config.preprocess.language
        return Recogniser(
            settings.asr_model, language, settings.asr_device, settings.asr_compute_type, settings.asr_beam_size
        ), []
    except ImportError as error:
        return None, [f"WER and CER were left out: {error}; install egs/tts/Jets/requirements-evaluate.txt."]
    except (ValueError, RuntimeError, OSError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"evaluate.asr_model: {settings.asr_model} cannot be loaded: {reason}") from error


def figures_settings(config: ExperimentConfig, recogniser: Recogniser | None, use_dnsmos: bool) -> dict[str, Any]:
    """What changes figures: two reports compare well when these are equal."""
    keys = ("sample_rate", "n_fft", "win_size", "hop_size", "f0_min", "f0_max")
    result: dict[str, Any] = {key: getattr(config.preprocess, key) for key in keys}
    settings = config.evaluate
    if recogniser is not None:
        name = Path(str(settings.asr_model)).name
        result["asr"] = f"{name}, {settings.asr_compute_type}, beam {settings.asr_beam_size}, {recogniser.language}"
    if use_dnsmos:
        result["dnsmos_level_db"] = settings.dnsmos_level_db
    return result


@dataclass(frozen=True)
class _Judge:
    """Everything about one utterance but the recogniser's part."""

    preprocess: PreprocessConfig
    settings: EvaluateConfig
    use_dnsmos: bool
    folder: Path

    def __call__(self, item: Item, with_media: bool) -> Judged:
        if not item.text.strip():
            raise Unjudgeable("its text is empty")
        signal = self._signal(item.audio)
        record = UtteranceRecord(item.id, item.text, relative(item.audio, self.folder))
        record.seconds = len(signal.audio) / self.preprocess.sample_rate
        record.values = measure_alone(signal, item.text, self.preprocess)
        record.failures = audio_failures(signal.audio, self.preprocess)
        signals = {"synthesis": signal}
        path = None
        reference = self._optional(item.recording, "recording", record)
        if reference is not None:
            record.recording = relative(item.recording, self.folder)
            record.recording_values = measure_alone(reference, item.text, self.preprocess)
            against = measure_against(reference, signal, self.preprocess)
            record.values.update(against.values)
            path = against.path
            signals["recording"] = reference
            copy = self._optional(item.copy, "copy synthesis", record)
            if copy is not None:
                record.copy = relative(item.copy, self.folder)
                signals["copy"] = copy
                self._copy(reference, copy, record)
        self._dnsmos(signals, record)
        if item.alignment is not None:
            record.values.update(self._alignment(item.alignment))
        media = self._media(signals, path, item.alignment) if with_media else None
        for values in (record.values, record.recording_values):
            for key in [key for key, value in values.items() if isinstance(value, float) and not math.isfinite(value)]:
                del values[key]
        return Judged(record, media, reference is not None)

    def _signal(self, path: Path) -> Signal:
        if not path.is_file():
            raise Unjudgeable(f"{path.name} is missing")
        try:
            return analyse(load_audio(path, self.preprocess.sample_rate), self.preprocess)
        except (AudioProblem, ValueError) as error:
            raise Unjudgeable(str(error)) from error

    def _optional(self, path: Path | None, what: str, record: UtteranceRecord) -> Signal | None:
        """The signal of a file that one can do without: a note when it is bad."""
        if path is None:
            return None
        try:
            return self._signal(path)
        except Unjudgeable as reason:
            record.notes.append(f"no {what}: {reason}")
            return None

    def _copy(self, reference: Signal, copy: Signal, record: UtteranceRecord) -> None:
        try:
            record.values.update(measure_copy(reference, copy, self.preprocess))
        except ValueError as error:
            record.notes.append(str(error))

    def _dnsmos(self, signals: dict[str, Signal], record: UtteranceRecord) -> None:
        if not self.use_dnsmos:
            return
        for name, values in (("synthesis", record.values), ("recording", record.recording_values)):
            if name not in signals:
                continue
            try:
                level = self.settings.dnsmos_level_db
                values.update(dnsmos.dnsmos(signals[name].audio, self.preprocess.sample_rate, level))
            except ValueError as error:
                record.notes.append(f"no DNSMOS of the {name}: {error}")

    def _alignment(self, alignment: AlignmentRecord) -> dict[str, Value]:
        values: dict[str, Value] = {}
        if alignment.log_p_attn is not None and alignment.path is not None:
            values["diagonality"] = diagonality(alignment.log_p_attn)
            values["sharpness"] = sharpness(alignment.log_p_attn)
            values["path_probability"] = path_probability(alignment.log_p_attn, alignment.path)
        pause = np.isin(alignment.tokens, (START, END, WORD_BOUNDARY, *PUNCTUATION))
        seconds = self.preprocess.hop_size / self.preprocess.sample_rate
        health = duration_health(alignment.durations, seconds, pause)
        return {**values, **{key: health[key] for key in ("zero_durations", "long_durations")}}

    def _media(self, signals: dict[str, Signal], path: np.ndarray | None, alignment: AlignmentRecord | None) -> Media:
        rate, audio_type = self.preprocess.sample_rate, self.settings.report_audio
        media = Media(hop_seconds=self.preprocess.hop_size / rate)
        for name in ("recording", "synthesis", "copy"):
            if name in signals:
                media.clips[name] = make_clip(signals[name].audio, rate, audio_type)
        f0 = signals["synthesis"].f0
        media.f0 = curve(f0)
        if path is not None:
            media.recording_f0 = curve(warped(signals["recording"].f0, path, len(f0)))
        if alignment is not None:
            media.tokens = list(alignment.tokens)
            media.durations = [int(frames) for frames in alignment.durations]
            if alignment.log_p_attn is not None and alignment.path is not None:
                media.alignment = encode_picture(alignment_picture(alignment.log_p_attn))
                counts = np.bincount(alignment.path, minlength=len(alignment.tokens))
                media.path = [int(frames) for frames in counts]
        return media


def listen(judged: Iterable[Judged], recogniser: Recogniser, sample_rate: int, folder: Path) -> None:
    """Add WER and CER of synthesis and recording to each record, and what was heard."""
    for entry in tqdm(list(judged), desc="recogniser", unit="utt", disable=None):
        record = entry.record
        record.expected = recogniser.normalise(record.text)
        if not record.expected:
            record.notes.append("no WER and CER: the text has no words")
            continue
        record.heard = recogniser.transcribe(load_audio(folder / record.audio, sample_rate), sample_rate)
        record.values.update(text_errors(record.expected, record.heard))
        if entry.has_recording and record.recording is not None:
            audio = load_audio(folder / record.recording, sample_rate)
            record.recording_heard = recogniser.transcribe(audio, sample_rate)
            record.recording_values.update(text_errors(record.expected, record.recording_heard))


def relative(path: Path, folder: Path) -> str:
    """How a report in `folder` names `path`: relative to it, so that both can move together."""
    return Path(os.path.relpath(path, folder)).as_posix()
