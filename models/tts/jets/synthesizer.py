"""A trained JETS voice: text in, waveform out."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np
import torch
from torch import Tensor

from models.base.checkpoints import find_checkpoint, load_strictly, load_weights
from models.base.experiment import LEXICON, TOKENS, misfit
from models.base.memory import out_of_memory_advice
from models.base.precision import resolve_precision
from models.tts.jets.batching import group_by_size, padded, windows
from models.tts.jets.config import JetsConfig
from models.tts.jets.controls import Controls, controlled
from models.tts.jets.gpu_inference import GpuInference
from models.tts.jets.network import InferenceOutput, JetsNetwork
from models.tts.jets.pitch_response import PitchResponse, stretched
from models.tts.jets.script import Line, Scriptwriter
from models.tts.jets.streaming import fade_edges, generate_in_chunks
from models.vocoders.layers import fold_weight_norm
from models.vocoders.tails import generate_each
from processors.formants import squeezed
from processors.loudness import limit_peaks, to_level
from processors.prosody import NEUTRAL
from processors.text.errors import TextError
from processors.text.frontend import TextFrontEnd
from processors.text.tokens import WORD_BOUNDARY, load_tokens
from utils.config import load_experiment_config
from utils.config.schema import ExperimentConfig, InferenceConfig
from utils.errors import UserError

if TYPE_CHECKING:
    from typing_extensions import Unpack

Key = TypeVar("Key")
# Of read English, about, for planning batches only: of whole phones, and of IPA with word boundaries.
_TOKENS_PER_SECOND, _FINE_TOKENS_PER_SECOND = 11, 18
_GAIN_RAMP_SECONDS = 0.01
_HALF = {"bf16": torch.bfloat16, "fp16": torch.float16}
_FADE_SECONDS = 0.003  # at both ends of a sentence, against clicks


@dataclass(frozen=True)
class Spoken(Generic[Key]):
    """One line's speech."""

    key: Key
    line: Line
    wave: np.ndarray  # (N,) float32, without the silence in front
    seconds_spent: float  # its share of the time that its batch took


class Synthesizer:
    """Speaks with one trained voice.

    The same text gives the same samples each time, alone or in a batch (within 1e-4 in fp32). A voice's speed is its
    real-time factor (RTF): seconds of computing per second of audio, below 1 is faster than real time.
    """

    def __init__(
        self, network: JetsNetwork, frontend: TextFrontEnd, tokens: list[str], config: JetsConfig, device: torch.device
    ) -> None:
        """Take over a network, whose weight normalisation is folded for good; `tokens` is the table of its ids."""
        self.config, self.device = config, device
        self.sample_rate, self.hop_size = config.preprocess.sample_rate, config.preprocess.hop_size
        self.fade = round(_FADE_SECONDS * self.sample_rate)
        self.network = network.eval().to(device)
        on_gpu = device.type == "cuda"
        # A GPU gains from many utterances at once. A CPU makes one after the other: padding would cost time.
        self.batches_generator = on_gpu
        if device.type == "cpu" and hasattr(self.network.generator, "channels_last"):
            self.network.generator.channels_last = True  # the same samples within 1e-7, in four fifths of the time
        fold_weight_norm(self.network)
        if config.inference.precision == "fp16" and device.type == "cpu":
            raise UserError("inference.precision fp16 needs a GPU: set it to fp32, bf16 or auto")
        self.precision = resolve_precision(config.inference.precision, device)
        half = _HALF.get(self.precision)
        self.gpu = GpuInference(self.network, half, config.inference.cuda_graphs) if on_gpu else None
        self.pitch_response: PitchResponse | None = None
        mean_f0 = math.exp(float(network.log_f0_mean))
        self.script = Scriptwriter(frontend, tokens, mean_f0, config.preprocess.phone_extractor != "espnet")

    @classmethod
    def from_experiment(
        cls,
        expt_dir: str | os.PathLike[str],
        device: str | torch.device | None = None,
        checkpoint: str | None = None,
        overrides: Sequence[str] = (),
        config: ExperimentConfig | None = None,
    ) -> Synthesizer:
        """Load the voice that stage 2 trained in `expt_dir`.

        `device` is "cpu", "cuda", "cuda:1" ... (default: the GPU if there is one); `checkpoint` is "last", "best" or
        the name of a folder in checkpoints/ (default: config.inference.checkpoint); `overrides` are "key=value", as
        after --set; `config` is one in place of the experiment's own.

        :raises UserError: no such folder, no experiment, no such checkpoint, or a config that does not fit it.
        """
        folder = Path(expt_dir).expanduser()
        if not folder.is_dir():
            raise UserError(f"{expt_dir}: there is no such folder; give an experiment, <log_dir>/<name>")
        loaded = load_experiment_config(folder, overrides) if config is None else config
        if not isinstance(loaded, JetsConfig):
            raise UserError(f"{expt_dir} holds a {loaded.model_type} model, not a Jets one")
        chosen = find_checkpoint(folder, checkpoint or loaded.inference.checkpoint)
        # Not only what torch would refuse: another sample rate or number of heads would load, and speak wrongly.
        with suppress(OSError, ValueError):
            if details := misfit(folder, loaded, ["model.discriminator", "model.prior_omega"]):
                advice = "speak with its own settings: leave out --config, and --set of these keys"
                raise UserError(f"{expt_dir} does not fit this config: {details}; {advice}")
        tokens = load_tokens(folder / TOKENS)["tokens"]
        network = JetsNetwork(loaded.model, len(tokens), loaded.preprocess.n_mel)
        # The average holds parameters only; the statistics are in the network's own file.
        weights = {**load_weights(chosen.path, prefer_ema=False), **load_weights(chosen.path)}
        load_strictly(network, weights, f"checkpoint {chosen.path}")
        preprocess = loaded.preprocess
        if (folder / LEXICON).is_file():
            preprocess = preprocess.model_copy(update={"lexicon_path": str((folder / LEXICON).resolve())})
        if preprocess.phone_extractor == "espnet":
            preprocess = preprocess.model_copy(update={"tokens_path": str((folder / TOKENS).resolve())})
        frontend = TextFrontEnd.from_config(preprocess)
        frontend.phonemise("one word")  # dictionaries load at the first text: let that be part of loading
        voice = cls(network, frontend, tokens, loaded, resolved_device(device))
        voice.pitch_response = PitchResponse.load(folder, chosen.name)
        return voice

    def tts(self, text: str, **controls: Unpack[Controls]) -> tuple[np.ndarray, int]:
        """Speak a text of any length: a waveform (N,) float32 in [-1, 1], and its sample rate in Hz.

        Text that starts with `<speak` is SSML. Controls (default: the config's values): speed (2.0 is twice as fast),
        pitch (semitones), energy (vocal effort in dB), leading_silence, trailing_silence, sentence_silence,
        paragraph_silence (seconds), target_level_db (level of the active speech of each sentence in dBFS, or None).

        :raises TextError: there is nothing to speak, or phones in braces are wrong.
        :raises UserError: a control is out of range, SSML is malformed, memory ran out.
        """
        return self.tts_batch([text], **controls)[0], self.sample_rate

    def tts_batch(self, texts: Sequence[str], **controls: Unpack[Controls]) -> list[np.ndarray]:
        """Speak several texts at once: a waveform (N,) float32 each, the same as one at a time, but faster on a GPU."""
        settings = controlled(self.config.inference, controls)
        lines = [(i, line) for i, text in enumerate(texts) for line in self.script.lines(text, settings)]
        parts: list[list[np.ndarray]] = [[] for _ in texts]
        for spoken in self.speak_lines(lines, settings):
            parts[spoken.key] += [self.silence(spoken.line.silence), checked(spoken.wave)]
        return [np.concatenate(part) for part in parts]

    def narrate(
        self,
        text: str | Iterable[str],
        on_refused: Callable[[TextError], None] | None = None,
        **controls: Unpack[Controls],
    ) -> Iterator[np.ndarray]:
        """Speak a text of any length sentence by sentence: waveforms (N,) float32, silences included.

        `text` may be an iterable of pieces, such as an open file: memory does not grow with its length. Sentences with
        wrong phones in braces are left out if `on_refused` is given to hear of them. For speed, several sentences are
        made at once; for the first sound as soon as possible, use `stream`.
        """
        settings = controlled(self.config.inference, controls)
        lines = ((None, line) for line in self.script.lines(text, settings, on_refused))
        for spoken in self.speak_lines(lines, settings):
            yield np.concatenate([self.silence(spoken.line.silence), checked(spoken.wave)])

    def stream(self, text: str | Iterable[str], **controls: Unpack[Controls]) -> Iterator[np.ndarray]:
        """Speak a text while it is being made: pieces (n,) float32 whose concatenation is the waveform of `tts`.

        The first piece is short, so that it comes soon. With target_level_db, SSML that raises the volume, or a pitch
        beyond the voice's own range, a sentence comes as one piece.
        """
        settings = controlled(self.config.inference, controls)
        for line in self.script.lines(text, settings):
            if line.silence > 0:
                yield self.silence(line.silence)
            if not line.ids:
                continue
            whole = settings.target_level_db is not None or any(p.gain_db > 0 for p in line.prosody)
            if whole or self._rest(line, settings) != 0:
                yield checked(next(self.speak_lines([(None, line)], settings)).wave)
                continue
            with self._computing():
                planned = self._plan([line], settings)
            gain = self._gain(line, planned.durations[0])
            start, total = 0, planned.decoder_states.shape[1] * self.hop_size
            pieces = generate_in_chunks(self.gpu or self.network.generator, planned.decoder_states)
            while True:
                with self._computing(), self._autocast():
                    piece = next(pieces, None)
                if piece is None:
                    break
                wave = fade_edges(checked(on_host(limited(piece))), start, total, self.fade)
                yield wave if gain is None else wave * gain[start : start + len(wave)]
                start += len(wave)

    def synthesize_ids(self, ids: Sequence[Sequence[int]], **controls: Unpack[Controls]) -> list[np.ndarray]:
        """Speak token ids, start and end tokens included: a waveform (frames * hop_size,) float32 each.

        Nothing is added: no silence, no mark. Level and tempo controls apply.
        """
        settings = controlled(self.config.inference, controls)
        lines = [(i, Line("", tuple(row), (NEUTRAL,) * len(row), 0.0)) for i, row in enumerate(ids)]
        waves = {spoken.key: checked(spoken.wave) for spoken in self.speak_lines(lines, settings)}
        return [waves[i] for i in range(len(ids))]

    def speak_lines(self, lines: Iterable[tuple[Key, Line]], settings: InferenceConfig) -> Iterator[Spoken[Key]]:
        """Speak lines in order, several at once, never more frames at once than inference.max_batch_frames allows."""
        rate = _FINE_TOKENS_PER_SECOND if WORD_BOUNDARY in self.script.ids else _TOKENS_PER_SECOND
        frames_per_token = self.sample_rate / self.hop_size / rate / settings.speed
        # Large windows give even batches, but delay the first result.
        limit, count = (4 * settings.max_batch_frames, 1024) if self.batches_generator else (2000, 8)
        for window in windows(lines, lambda pair: round(len(pair[1].ids) * frames_per_token), limit, count):
            started = time.perf_counter()
            waves = self._speak_window([line for _, line in window], frames_per_token, settings)
            spent = time.perf_counter() - started
            total = sum(map(len, waves)) or 1
            for (key, line), wave in zip(window, waves):
                yield Spoken(key, line, wave, spent * len(wave) / total)

    def silence(self, seconds: float) -> np.ndarray:
        """Zeros (N,) float32."""
        return np.zeros(round(seconds * self.sample_rate), dtype=np.float32)

    def _speak_window(self, lines: list[Line], frames_per_token: float, settings: InferenceConfig) -> list[np.ndarray]:
        waves: list[np.ndarray] = [self.silence(0)] * len(lines)
        speaking = [i for i, line in enumerate(lines) if line.ids]
        sizes = [max(1, round(len(lines[i].ids) * frames_per_token)) for i in speaking]
        for group in group_by_size(sizes, settings.max_batch_frames):
            members = [speaking[i] for i in group]
            with self._computing():
                planned = self._plan([lines[i] for i in members], settings)
                lengths = planned.host_frame_lengths
                rests = [self._rest(lines[i], settings) for i in members]
                for i, rest in enumerate(rests):
                    if rest != 0:
                        wave = self._moved(planned.decoder_states[i : i + 1, : lengths[i]], rest)
                        gain = self._gain(lines[members[i]], planned.durations[i])
                        waves[members[i]] = self._finished(wave, gain, settings)
                # The generator takes nearly all the memory, and by now the lengths are exact.
                plain = [i for i, rest in enumerate(rests) if rest == 0]
                limit = settings.max_batch_frames if self.batches_generator else 1
                for similar in group_by_size([lengths[i] for i in plain], limit):
                    part = [plain[i] for i in similar]
                    states = rows_of(planned.decoder_states, part)[:, : lengths[part[0]]]
                    made = on_host(limited(self._generate(states, [lengths[i] for i in part])))
                    for row, i in zip(made, part):
                        gain = self._gain(lines[members[i]], planned.durations[i])
                        wave = row[: lengths[i] * self.hop_size]
                        waves[members[i]] = self._finished(wave, gain, settings)
        return waves

    def _plan(self, lines: list[Line], settings: InferenceConfig) -> InferenceOutput:
        """Everything but the waveform, in float32: a rounded duration must not depend on the precision."""
        lengths = torch.tensor([len(line.ids) for line in lines]).to(self.device)
        text = padded([line.ids for line in lines], 0, torch.long, self.device)
        speed: float | Tensor = settings.speed
        semitones: float | Tensor = self.needed_semitones([settings.pitch_semitones])[0]
        if any(p.rate != 1 for line in lines for p in line.prosody):
            rates = [[p.rate for p in line.prosody] for line in lines]
            speed = padded(rates, 1.0, torch.float64, self.device) * settings.speed
        if any(p.semitones != 0 for line in lines for p in line.prosody):
            asked = [[p.semitones + settings.pitch_semitones for p in line.prosody] for line in lines]
            shifts = [self.needed_semitones(row) for row in asked]
            semitones = padded(shifts, 0.0, torch.float32, self.device)
        return self.network.plan(
            text,
            lengths,
            speed=speed,
            pitch_shift=semitones * (math.log(2) / 12),
            energy_scale=10 ** (settings.energy_db / 20),
            predict_from_text=self.gpu and self.gpu.predict_from_text,
            decode=self.gpu and self.gpu.decode,
        )

    def needed_semitones(self, semitones: list[float]) -> list[float]:
        """Shifts of the pitch input that move the voice by `semitones`, as far as that was measured."""
        return semitones if self.pitch_response is None else self.pitch_response.needed(semitones)

    def _moved(self, states: Tensor, semitones: float) -> np.ndarray:
        """Waveform (T * hop_size,) of decoder states (1, T, C), moved by semitones that the network leaves undone."""
        slower = stretched(states, semitones)
        wave = on_host(limited(self._generate(slower, [slower.shape[1]])))[0]
        return squeezed(wave, states.shape[1] * self.hop_size, self.sample_rate).clip(-1, 1)

    def _rest(self, line: Line, settings: InferenceConfig) -> float:
        """Semitones that the network leaves undone of what is asked for in a line."""
        if self.pitch_response is None:
            return 0.0
        return self.pitch_response.rest([p.semitones + settings.pitch_semitones for p in line.prosody])

    def _generate(self, states: Tensor, frame_lengths: Sequence[int]) -> Tensor:
        """Waveforms (B, T * hop_size) of decoder states (B, T, C), each as if alone and zero behind its end."""
        if self.gpu is not None:
            return self.gpu.generate(states, frame_lengths)
        with self._autocast():
            return generate_each(self.network.generator, states, frame_lengths)

    def _gain(self, line: Line, durations: Tensor) -> np.ndarray | None:
        """Amplitude factor of each sample (N,) where the line's prosody asks for one."""
        if all(p.gain_db == 0 for p in line.prosody):
            return None
        factors = [0.0 if p.gain_db == -math.inf else 10 ** (p.gain_db / 20) for p in line.prosody]
        samples = durations[: len(factors)].cpu().numpy() * self.hop_size
        steps = np.repeat(np.array(factors), samples)
        # Ramps instead of steps, which would click.
        ramp = max(1, round(_GAIN_RAMP_SECONDS * self.sample_rate))
        padded_steps = np.pad(steps, (ramp // 2, ramp - 1 - ramp // 2), mode="edge")
        smooth = np.convolve(padded_steps, np.full(ramp, 1 / ramp), mode="valid")
        return smooth.astype(np.float32)

    def _finished(self, wave: np.ndarray, gain: np.ndarray | None, settings: InferenceConfig) -> np.ndarray:
        """A copy of a wave (N,) with soft ends, at the level that is wanted."""
        wave = fade_edges(wave, 0, len(wave), self.fade)
        if (settings.target_level_db is None and gain is None) or not np.isfinite(wave).all():
            return wave  # the caller says what becomes of numbers that are none
        if settings.target_level_db is not None:
            wave = to_level(wave, self.sample_rate, settings.target_level_db)
        return wave if gain is None else limit_peaks(wave * gain, self.sample_rate)

    def _autocast(self) -> AbstractContextManager[object]:
        if self.precision not in _HALF:
            return nullcontext()
        return torch.autocast(self.device.type, dtype=_HALF[self.precision])

    @contextmanager
    def _computing(self) -> Iterator[None]:
        inference = self.config.inference
        lower = [f"inference.max_batch_frames (now {inference.max_batch_frames})", "inference.max_sentence_chars"]
        with out_of_memory_advice("while speaking", self.device, lower), torch.inference_mode():
            yield


def limited(waveform: Tensor) -> Tensor:
    """A waveform within [-1, 1], as some generators know no limit; infinities become nan, which nothing hides."""
    waveform = waveform.float()
    return torch.where(waveform.isinf(), math.nan, waveform.clamp(-1, 1))


def on_host(waveform: Tensor) -> np.ndarray:
    """A float32 waveform as an array; copy what is kept, for page-locked memory is dear."""
    if waveform.device.type == "cpu":
        return waveform.numpy()
    # Copies into page-locked memory are several times as fast; torch keeps it for the next one.
    host = torch.empty(waveform.shape, pin_memory=True)
    host.copy_(waveform, non_blocking=True)
    torch.cuda.current_stream(waveform.device).synchronize()
    return host.numpy()


def rows_of(values: Tensor, rows: list[int]) -> Tensor:
    """values[rows], without waiting for a GPU to finish what it is doing."""
    if rows == list(range(len(values))):
        return values
    return values[torch.tensor(rows).to(values.device, non_blocking=True)]


def checked(wave: np.ndarray) -> np.ndarray:
    """The wave; UserError if it holds anything but finite numbers."""
    if not np.isfinite(wave).all():
        raise UserError("the voice gave samples that are no numbers; use another checkpoint, or precision fp32")
    return wave


def resolved_device(device: str | torch.device | None) -> torch.device:
    """The device that is asked for, or the GPU if there is one, or the CPU; UserError for one that is not there."""
    if device is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        chosen = torch.device(device)
    except RuntimeError:
        raise UserError(f'device {device!r} is not known; use "cpu", "cuda" or "cuda:1"') from None
    if chosen.type == "cuda" and (chosen.index or 0) >= torch.cuda.device_count():
        raise UserError(f"device {device}: torch sees {torch.cuda.device_count()} CUDA devices; use cpu")
    return chosen
