"""A trained voice: text in, waveform out, whatever network makes the samples."""

from __future__ import annotations

import os
import time
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from config.schema import ExperimentConfig, InferenceConfig, PreprocessConfig
from models.base.checkpoints import find_checkpoint, load_strictly, load_weights
from models.base.device import out_of_memory_advice, resolve_precision
from models.base.experiment import LEXICON, TOKENS, language_lexicon, misfit, voice_tokens
from models.registry import load_experiment_config
from models.tts.pieces import FrameGenerator, generate_in_chunks, group_by_size, on_host, rows_of, windows
from models.tts.pitch_shifts import stretched
from processors.audio.finish import finished, gain_of
from processors.cast import Cast
from processors.controls import Controls, controlled
from processors.pitch_response import PitchResponse
from processors.script import Line, Scriptwriter
from processors.speaker import Key, Speaker, Spoken, checked
from processors.text.frontend import FrontEnds, TextFrontEnd
from processors.text.tokens import WORD_BOUNDARY, load_tokens
from utils.errors import UserError
from utils.files import project_path

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

# Of read English, about, for planning batches only: of whole phones, and of IPA with word boundaries.
_TOKENS_PER_SECOND, _FINE_TOKENS_PER_SECOND = 11, 18
_HALF = {"bf16": torch.bfloat16, "fp16": torch.float16}


class Plan(Protocol):
    """What a network decides about a batch of lines before it makes samples of them."""

    durations: Tensor  # (B, T_text) frames of each token
    decoder_states: Tensor  # (B, T, C) what samples are made of
    host_frame_lengths: tuple[int, ...]


class Voice(Speaker):
    """Speaks with one trained voice; a model adds `build`, `plan`, `generate` and `generator`.

    The same text gives the same samples each time, alone or in a batch (within 1e-4 in fp32). A voice's speed is its
    real-time factor (RTF): seconds of computing per second of audio, below 1 is faster than real time.
    """

    MODEL_TYPE: ClassVar[str]
    UNUSED: ClassVar[tuple[str, ...]] = ()  # keys below which a config may differ from the weights' own
    # The module of the model's package, if any, whose `shortfall` compares a voice with its recordings for calibrate.
    SHORTFALL: ClassVar[str | None] = None
    # A GPU gains from many utterances at once. A CPU makes one after the other: padding would cost time.
    batches_generator = False

    def __init__(
        self, network: nn.Module, frontend: TextFrontEnd, tokens: list[str], config: ExperimentConfig,
        device: torch.device, cast: Cast | None = None, frontends: FrontEnds | None = None,
    ) -> None:  # fmt: skip
        """Take over a network, for good; `tokens` is the table of its ids, `frontends` are those of its languages."""
        if config.inference.precision == "fp16" and device.type == "cpu":
            raise UserError("inference.precision fp16 needs a GPU: set it to fp32, bf16 or auto")
        self.config, self.settings, self.device = config, config.inference, device
        self.network = network.eval().to(device)
        self.sample_rate, self.hop_size = config.preprocess.sample_rate, config.preprocess.hop_size
        self.precision = resolve_precision(config.inference.precision, device)
        self.half = _HALF.get(self.precision)
        self.pitch_response: PitchResponse | None = None
        own = config.preprocess.phone_extractor != "espnet"
        self.script = Scriptwriter(frontend, tokens, self.mean_f0, own, cast, frontends)

    @staticmethod
    @abstractmethod
    def build(config: Any, n_tokens: int, cast: Cast) -> nn.Module:
        """The network of a config, with any weights."""

    @property
    @abstractmethod
    def mean_f0(self) -> float:
        """The voice's mean pitch in Hz, to which pitches in Hz refer."""

    @property
    @abstractmethod
    def generator(self) -> FrameGenerator:
        """Makes samples of a piece of a plan's decoder states, for streaming."""

    @abstractmethod
    def plan(self, lines: list[Line], settings: InferenceConfig) -> Plan:
        """Everything but the waveform, in float32: a rounded duration must not depend on the precision."""

    @abstractmethod
    def generate(self, states: Tensor, frame_lengths: Sequence[int]) -> Tensor:
        """Waveforms (B, T * hop_size) of decoder states (B, T, C), each as if alone and zero behind its end."""

    @classmethod
    def from_experiment(
        cls,
        expt_dir: str | os.PathLike[str],
        device: str | torch.device | None = None,
        checkpoint: str | None = None,
        overrides: Sequence[str] = (),
        config: ExperimentConfig | None = None,
    ) -> Self:
        """Load the voice that stage 2 trained in `expt_dir`, which may be relative to the project's root, too.

        `device` is "cpu", "cuda", "cuda:1" ... (default: the GPU if there is one); `checkpoint` is "last", "best" or
        the name of a folder in checkpoints/ (default: config.inference.checkpoint); `overrides` are "key=value", as
        after --set; `config` is one in place of the experiment's own.

        :raises UserError: no such folder, no experiment, no such checkpoint, or a config that does not fit it.
        """
        here, of_project = Path(expt_dir).expanduser(), project_path(expt_dir)
        folder = here if here.is_dir() else of_project
        if not folder.is_dir():
            raise UserError(f"{expt_dir}: there is no such folder; give an experiment, <log_dir>/<name>")
        loaded = load_experiment_config(folder, overrides) if config is None else config
        if loaded.model_type != cls.MODEL_TYPE:
            raise UserError(f"{expt_dir} holds a {loaded.model_type} model, not a {cls.MODEL_TYPE} one")
        chosen = find_checkpoint(folder, checkpoint or loaded.inference.checkpoint)
        # Not only what torch would refuse: another sample rate or number of heads would load, and speak wrongly.
        with suppress(OSError, ValueError):
            if details := misfit(folder, loaded, cls.UNUSED):
                advice = "speak with its own settings: leave out --config, and --set of these keys"
                raise UserError(f"{expt_dir} does not fit this config: {details}; {advice}")
        tokens, table = voice_tokens(folder, chosen.path), load_tokens(folder / TOKENS)
        cast = cast_of(loaded, table)
        if (response := PitchResponse.load(folder, chosen.name)) is not None:
            own = loaded.inference
            unset = {name: value for name, value in response.inference.items() if getattr(own, name, name) is None}
            loaded = loaded.model_copy(update={"inference": own.model_copy(update=unset)})
        network = cls.build(loaded, len(tokens), cast)
        load_strictly(network, speaking_weights(chosen.path), f"checkpoint {chosen.path}")
        frontends = frontends_of(folder, loaded, cast)
        voice = cls(network, frontends.main, tokens, loaded, resolved_device(device), cast, frontends)
        voice.script.hear(table.get("counts"))
        voice.pitch_response = response
        return voice

    def pieces(self, line: Line, settings: InferenceConfig) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Pieces (n,) of a line's waveform, each made when it is asked for, and its tokens' frames (T_text,)."""
        with self._computing():
            planned = self.plan([line], settings)
        pieces = generate_in_chunks(self.generator, planned.decoder_states)
        while True:
            with self._computing(), self.autocast():
                piece = next(pieces, None)
            if piece is None:
                return
            yield on_host(piece), planned.durations[0].cpu().numpy()

    def expect_mixed_batches(self) -> None:
        """From now on batches of any size come, as a server's do: nothing is kept for a size that may not recur."""

    def synthesize_ids(self, ids: Sequence[Sequence[int]], **controls: Unpack[Controls]) -> list[np.ndarray]:
        """Speak token ids, start and end tokens included: a waveform (frames * hop_size,) float32 each.

        Nothing is added: no silence, no mark. Level and tempo controls apply.
        """
        settings = controlled(self.settings, controls)
        manner = self.script.cast.manner(settings.speaker, settings.language)
        lines = [(i, Line("", tuple(row), (manner,) * len(row), 0.0)) for i, row in enumerate(ids)]
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
            counts = {i: len(line.ids) for i, (_, line) in enumerate(window) if line.ids}
            sizes = {i: max(1, round(count * frames_per_token)) for i, count in counts.items()}
            nothing = np.zeros(0, dtype=np.float32)
            spoken = dict.fromkeys(range(len(window)), (nothing, nothing.astype(np.int64)))
            for group in group_by_size(sizes, settings.max_batch_frames):
                with self._computing():
                    spoken.update(zip(group, self._speak_batch([window[i][1] for i in group], settings)))
            spent = time.perf_counter() - started
            total = sum(len(wave) for wave, _ in spoken.values()) or 1
            for i, (key, line) in enumerate(window):
                wave, durations = spoken[i]
                yield Spoken(key, line, wave, spent * len(wave) / total, durations)

    def _speak_batch(self, lines: list[Line], settings: InferenceConfig) -> list[tuple[np.ndarray, np.ndarray]]:
        """The finished waveform (N,) of each line, and the frames of its tokens (T_text,)."""
        planned = self.plan(lines, settings)
        lengths, rests = planned.host_frame_lengths, [self._rest(line, settings) for line in lines]
        waves: dict[int, np.ndarray] = {}

        def finish(i: int, wave: np.ndarray) -> None:
            gain = None
            if any(p.gain_db != 0 for p in lines[i].prosody):  # otherwise nobody waits for the durations
                samples = planned.durations[i].cpu().numpy() * self.hop_size
                gain = gain_of(lines[i].prosody, samples, self.sample_rate)
            waves[i] = finished(wave, gain, settings.target_level_db, self.sample_rate)

        for i, rest in enumerate(rests):
            if rest != 0:
                finish(i, self._moved(planned.decoder_states[i : i + 1, : lengths[i]], rest))
        # The generator takes nearly all the memory, and by now the lengths are exact.
        plain = {i: lengths[i] for i, rest in enumerate(rests) if rest == 0}
        for group in group_by_size(plain, settings.max_batch_frames if self.batches_generator else 1):
            states = rows_of(planned.decoder_states, group)[:, : lengths[group[0]]]
            for i, wave in zip(group, on_host(self.generate(states, [lengths[i] for i in group]))):
                finish(i, wave[: lengths[i] * self.hop_size])
        durations = planned.durations.cpu().numpy()  # by now nobody waits for them
        return [(waves[i], durations[i, : len(line.ids)]) for i, line in enumerate(lines)]

    def _moved(self, states: Tensor, semitones: float) -> np.ndarray:
        """Waveform (T * hop_size,) of decoder states (1, T, C), moved by semitones that the network leaves undone."""
        from processors.audio.pitch import squeezed  # brings scipy, which most sentences do without

        slower = stretched(states, semitones)
        wave = on_host(self.generate(slower, [slower.shape[1]]))[0]
        return squeezed(wave, states.shape[1] * self.hop_size, self.sample_rate).clip(-1, 1)

    def comes_in_pieces(self, line: Line, settings: InferenceConfig) -> bool:
        """Whether a line can be made piece by piece: not where its whole must be known, or stretched."""
        return super().comes_in_pieces(line, settings) and self._rest(line, settings) == 0

    def _rest(self, line: Line, settings: InferenceConfig) -> float:
        """Semitones that the network leaves undone of what is asked for in a line."""
        if self.pitch_response is None:
            return 0.0
        return self.pitch_response.rest([p.semitones + settings.pitch_semitones for p in line.prosody])

    def needed_semitones(self, semitones: list[float]) -> list[float]:
        """Shifts of the pitch input that move the voice by `semitones`, as far as that was measured."""
        return semitones if self.pitch_response is None else self.pitch_response.needed(semitones)

    def autocast(self) -> AbstractContextManager[object]:
        """Half precision, if the voice has it, for what makes samples."""
        return nullcontext() if self.half is None else torch.autocast(self.device.type, dtype=self.half)

    @contextmanager
    def _computing(self) -> Iterator[None]:
        inference = self.config.inference
        lower = [f"inference.max_batch_frames (now {inference.max_batch_frames})", "inference.max_sentence_chars"]
        with out_of_memory_advice("while speaking", self.device, lower), torch.inference_mode():
            yield


def speaking_weights(checkpoint: Path) -> dict[str, Tensor]:
    """The state dict that speaks: averaged weights, where there are some; what they lack is in the network's file."""
    return {**load_weights(checkpoint, prefer_ema=False), **load_weights(checkpoint)}


def cast_of(config: ExperimentConfig, table: Mapping[str, Any]) -> Cast:
    """The cast of a voice, from its token table."""
    size = getattr(getattr(config, "model", None), "spk_embed_dim", None)
    return replace(Cast.read(table), vector_size=size or 0)


def frontends_of(folder: Path, config: ExperimentConfig, cast: Cast) -> FrontEnds:
    """The text front-ends of an experiment, with the lexicons and the token table in its folder."""
    corpora = {preprocess.language: preprocess for preprocess in map(config.preprocess_of, reversed(config.dataset))}

    def settings(language: str) -> PreprocessConfig:
        chosen = corpora.get(language) or config.preprocess.for_language(language)
        usual, own = folder / LEXICON, folder / language_lexicon(language)
        found = own if own.is_file() else usual if language == config.preprocess.language else None
        paths = {"lexicon_path": str(found.resolve())} if found is not None and found.is_file() else {}
        if chosen.phone_extractor == "espnet":
            paths["tokens_path"] = str((folder / TOKENS).resolve())
        return chosen.model_copy(update=paths)

    by_language = config.preprocess.phone_extractor != "espnet"
    language = cast.main_language if by_language and cast.languages else config.preprocess.language
    return FrontEnds(settings, language, cast.espeak, by_language)


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
