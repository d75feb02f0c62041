"""Judge synthesised speech: every measure of every utterance, whether it failed, and why others were not judged."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from config.schema import ExperimentConfig, PreprocessConfig
from models.evaluation.comparison import summarise
from models.evaluation.listening import QualityNetworks, Recogniser, text_errors, whisper_language
from models.evaluation.page import Media, utterance_media
from models.evaluation.report import AlignmentRecord, Item, Report, UtteranceRecord, Value, parts, relative
from models.evaluation.signal_measures import (
    Signal,
    analyse,
    correlation,
    load_audio,
    measure_against,
    measure_alone,
    measure_copy,
)
from models.evaluation.speaker_similarity import SpeakerEncoder, judge_speakers
from processors.audio.recording import FULL_SCALE, AudioProblem, active_level_db
from processors.text.tokens import NO_SOUND
from utils.errors import UserError

MAX_WORKERS = 8
SETTINGS = ("sample_rate", "n_fft", "win_size", "hop_size", "f0_min", "f0_max")  # of preprocess, that change figures
LONGEST_TOKEN = 0.6  # seconds: longer than read speech holds one sound
WORST_CER = 0.5
DURATION_RATIOS = (0.5, 2.0)
WORST_DIAGONALITY = 0.7
MOST_UNSPOKEN = 0.2


def evaluate(
    items: list[Item],
    config: ExperimentConfig,
    report: Report,
    folder: Path,
    examples: Mapping[str, Sequence[Path]] | None = None,
) -> dict[str, Media]:
    """Judge `items` and fill `report`, which will lie in `folder`; returns what report.html shows besides, by id.

    `examples` are recordings of speakers, for those of whom `items` have none.
    What cannot be judged is skipped with its reason; an absent optional package is a note. Raises UserError when
    nothing is left, or when the recogniser that was asked for does not load.
    """
    settings = config.evaluate
    recogniser = open_recogniser(config, report.notes)
    networks = QualityNetworks(settings)
    report.settings = {key: getattr(config.preprocess, key) for key in SETTINGS} | networks.settings
    if recogniser is not None:
        languages = sorted({whisper_language(item.language or config.preprocess.language) for item in items})
        how = f"{settings.asr_compute_type}, beam {settings.asr_beam_size}, {', '.join(languages)}"
        report.settings["asr"] = f"{Path(str(settings.asr_model)).name}, {how}"
    judge = _Judge(config, networks, folder)
    media: dict[str, Media] = {}
    # The arithmetic runs outside the interpreter's lock. Each utterance gets one thread: several libraries that each
    # start a thread for every core only stand in each other's way.
    with single_threaded(), ThreadPoolExecutor(min(MAX_WORKERS, os.cpu_count() or 1)) as pool:
        jobs = [pool.submit(judge, item, i < settings.report_players) for i, item in enumerate(items)]
        try:
            for item, job in zip(items, tqdm(jobs, desc="measures", unit="utt", disable=None)):
                try:
                    record, shown = job.result()
                except AudioProblem as reason:
                    report.skipped.append({"id": item.id, "reason": str(reason)})
                    continue
                report.utterances.append(record)
                if shown is not None:
                    media[item.id] = shown
        except BaseException:
            pool.shutdown(cancel_futures=True)  # Ctrl-C must not wait for the rest
            raise
    if not report.utterances:
        first = report.skipped[0]
        raise UserError(f"none of {len(items)} utterances can be judged; the first, {first['id']}: {first['reason']}")
    if recogniser is not None:
        listen_to_all(report, recogniser, config.preprocess.sample_rate, folder)
    if settings.speaker_similarity:
        try:
            encoder = SpeakerEncoder()
        except ImportError as error:
            report.notes.append(f"Speaker similarity was left out: {error}.")
        else:
            with single_threaded():
                judge_speakers(report.utterances, folder, examples or {}, encoder)
    for record in report.utterances:
        record.failures += value_failures(record.values)
    report.notes += networks.notes
    if not any(record.recording for record in report.utterances):
        report.notes.append("There are no recordings: measures against them and the ceiling were left out.")
    summarise(report, settings)
    return media


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


def open_recogniser(config: ExperimentConfig, notes: list[str]) -> Recogniser | None:
    """The recogniser that config.evaluate names, or None and a note of the reason."""
    model = config.evaluate.asr_model
    if model is None:
        notes.append("WER and CER were left out: name a recogniser in evaluate.asr_model.")
        return None
    try:
        return Recogniser(config.evaluate, config.preprocess.language)
    except ImportError as error:
        notes.append(f"WER and CER were left out: {error}; install egs/tts/Jets/requirements-evaluate.txt.")
        return None
    except (ValueError, RuntimeError, OSError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"evaluate.asr_model: {model} cannot be loaded: {reason}") from error


@dataclass(frozen=True)
class _Judge:
    """Everything about one utterance but the recogniser's part."""

    config: ExperimentConfig
    networks: QualityNetworks
    folder: Path

    def __call__(self, item: Item, with_media: bool) -> tuple[UtteranceRecord, Media | None]:
        """Its record, and what report.html shows of it; AudioProblem where it cannot be judged."""
        preprocess = self.config.preprocess
        if not item.text.strip():
            raise AudioProblem("no text", "its text is empty")
        synthesis = self.signal(item.audio)
        language = item.language or preprocess.language
        audio = relative(item.audio, self.folder)
        record = UtteranceRecord(item.id, item.text, audio, speaker=item.speaker, language=language)
        record.seconds = len(synthesis.audio) / preprocess.sample_rate
        record.values = measure_alone(synthesis, item.text, preprocess)
        record.failures = audio_failures(synthesis.audio, preprocess)
        signals, path = {"synthesis": synthesis}, None
        with noted("no recording", record):
            if item.recording is not None:
                reference = signals["recording"] = self.signal(item.recording)
                record.recording = relative(item.recording, self.folder)
                record.recording_values = measure_alone(reference, item.text, preprocess)
        if "recording" in signals and item.copy is not None:
            with noted("no copy synthesis", record):
                copy = signals["copy"] = self.signal(item.copy)
                record.copy = relative(item.copy, self.folder)
                record.values |= measure_copy(signals["recording"], copy, preprocess)
        if "recording" in signals:
            with noted("not compared with the recording", record):
                values, path = measure_against(signals["recording"], synthesis, preprocess)
                record.values |= values
        for name, target in (("synthesis", record.values), ("recording", record.recording_values)):
            if name in signals:
                with noted(f"no predicted quality of the {name}", record):
                    target |= self.networks(signals[name].audio, preprocess.sample_rate)
        if item.alignment is not None:
            record.values |= alignment_health(item.alignment, preprocess.hop_size / preprocess.sample_rate)
        record.values = {key: value for key, value in record.values.items() if parts(value)}
        record.recording_values = {key: value for key, value in record.recording_values.items() if parts(value)}
        return record, utterance_media(signals, path, item.alignment, self.config) if with_media else None

    def signal(self, path: Path) -> Signal:
        """The features of a file; AudioProblem where it cannot be used."""
        if not path.is_file():
            raise AudioProblem("missing", f"{path.name} is missing")
        return analyse(load_audio(path, self.config.preprocess.sample_rate), self.config.preprocess)


@contextmanager
def noted(what: str, record: UtteranceRecord) -> Iterator[None]:
    """Inside the block, audio that cannot be used is a note of the record."""
    try:
        yield
    except AudioProblem as reason:
        record.notes.append(f"{what}: {reason}")


def listen_to_all(report: Report, recogniser: Recogniser, sample_rate: int, folder: Path) -> None:
    """Add WER and CER to all records of a report, each heard in its language, or a note of a language that is not."""
    in_language: dict[str, Recogniser | None] = {}
    for record in tqdm(report.utterances, desc="recogniser", unit="utt", disable=None):
        language = record.language
        if language not in in_language:
            same = whisper_language(language) == recogniser.language
            in_language[language] = recogniser if same else recogniser.for_language(language)
            if in_language[language] is None:
                report.notes.append(f"WER and CER of {language} were left out: the recogniser does not know it.")
        known = in_language[language]
        if known is not None:
            listen(record, known, sample_rate, folder)


def listen(record: UtteranceRecord, recogniser: Recogniser, sample_rate: int, folder: Path) -> None:
    """Add WER and CER of synthesis and recording to a record, and what was heard."""
    record.expected = recogniser.normalise(record.text)
    if not record.expected:
        record.notes.append("no WER and CER: the text has no words")
        return

    def heard(path: str) -> str:
        return recogniser.transcribe(load_audio(folder / path, sample_rate), sample_rate)

    record.heard = heard(record.audio)
    record.values.update(text_errors(record.expected, record.heard))
    if record.recording is not None:
        record.recording_heard = heard(record.recording)
        record.recording_values.update(text_errors(record.expected, record.recording_heard))


def alignment_health(alignment: AlignmentRecord, seconds_per_frame: float) -> dict[str, Value]:
    """Measures of an alignment: of the recording, where it has been aligned, and of the synthesis' durations."""
    values: dict[str, Value] = {}
    if alignment.log_p_attn is not None and alignment.path is not None:
        values["diagonality"] = diagonality(alignment.log_p_attn)
        values["sharpness"] = float(np.exp(alignment.log_p_attn.max(1)).mean())
        # Geometric mean along the path: near the sharpness where the two agree.
        chosen = alignment.log_p_attn[np.arange(len(alignment.path)), alignment.path]
        values["path_probability"] = float(np.exp(chosen.mean()))
    # Pauses, boundaries of words, and marks of stress and length may vanish or last.
    spoken = alignment.durations[~np.isin(alignment.tokens, tuple(NO_SOUND))]
    values["zero_durations"] = float(np.mean(spoken <= 0)) if len(spoken) else 0.0
    values["long_durations"] = float(np.mean(spoken * seconds_per_frame > LONGEST_TOKEN)) if len(spoken) else 0.0
    return values


def diagonality(log_p_attn: np.ndarray) -> float:
    """Correlation of time with the expected token of soft alignment log_p_attn (T, T_text), rows log-normalised.

    1 for a straight diagonal, near 0 for an alignment that has not formed; natural speech reaches about 0.98.
    """
    probability = np.exp(log_p_attn)
    expected = probability @ np.arange(probability.shape[1]) / probability.sum(1)
    value = correlation(np.arange(len(expected), dtype=np.float64), expected)
    return 0.0 if np.isnan(value) else value


def audio_failures(audio: np.ndarray, config: PreprocessConfig) -> list[str]:
    """What is wrong with synthesised audio (N,) by itself: silence, or clipping; by the limits stage 1 sets."""
    found = []
    level = active_level_db(audio, config.sample_rate)
    if level < config.silence_level_db:
        found.append("silent" if np.isfinite(level) else "digital silence")
    clipped = float(np.mean(np.abs(audio) >= FULL_SCALE))
    if clipped > config.max_clipped_fraction:
        found.append(f"clipped: {clipped:.1%} of the samples lie at full scale")
    return found


def value_failures(values: dict[str, Value]) -> list[str]:
    """What the measures say went wrong: not understood, far too short or long, no alignment, tokens not spoken."""
    pairs = {key: parts(value) for key, value in values.items()}
    figures = {key: pair[0] / pair[1] for key, pair in pairs.items() if pair is not None and pair[1]}
    found = []
    if (cer := figures.get("cer", 0.0)) > WORST_CER:
        found.append(f"not understood: CER {cer:.0%}")
    if not DURATION_RATIOS[0] <= (duration := figures.get("duration_ratio", 1.0)) <= DURATION_RATIOS[1]:
        found.append(f"{duration:.2f} times as long as the recording")
    if (straight := figures.get("diagonality", 1.0)) < WORST_DIAGONALITY:
        found.append(f"the alignment has not formed: diagonality {straight:.2f}")
    if (unspoken := figures.get("zero_durations", 0.0)) > MOST_UNSPOKEN:
        found.append(f"{unspoken:.0%} of the tokens got no frame")
    return found
