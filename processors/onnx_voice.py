"""Speak with an exported voice: numpy, onnxruntime and the text front-end, no torch."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from config.schema import InferenceConfig, PreprocessConfig
from processors.audio.finish import finished, gain_of
from processors.cast import Cast
from processors.pitch_response import PitchResponse
from processors.script import Line, Scriptwriter
from processors.speaker import Key, Speaker, Spoken
from processors.text.frontend import FrontEnds
from processors.text.tokens import load_tokens
from utils.errors import UserError, one_line, required
from utils.files import PROJECT_ROOT, read_json

MODEL = "voice.onnx"
BUNDLED = PROJECT_ROOT / "egs/tts/Jets/voice"
FIRST_FRAMES = 24  # of the first streamed piece at least: 0.28 s at 22,050 Hz and hop 256
_TEXT_COST = 1.4  # what a frame costs before there are samples of it, beside those samples: measured
_WHOLE, _LONGEST_TOKEN = 20, 100  # tokens of a line that is not worth cutting, and frames of a token
MOST_AT_ONCE = 4  # lines, each of which takes some 100 MB
_OF_VOICES = ["*.json", "*.onnx", "*.safetensors", "*.txt", "README.md"]
_MEAN_F0 = 200.0  # Hz, to which pitches in Hz refer in SSML, for voices that do not say their own
_UNUSED: dict[str, Any] = {"checkpoint": MODEL, "max_batch_frames": 1, "precision": "fp32", "cuda_graphs": False}
_UNUSED |= {"speaker": None, "language": None, "target_level_db": None, "prosody_temperature": 0.0, "prosody_seed": 0}
_UNUSED |= {"pitch_range": 1.0, "duration_scale": 1.0}  # stand in the graph


class OnnxVoice(Speaker):
    """A folder that `bins/export.py` wrote; in SSML, rate and pitch may change between sentences only."""

    def __init__(self, directory: Path | str | None = None, threads: int = 0) -> None:
        """Load a voice, the bundled one by default; `threads` of the CPU at most, 0 for all.

        :raises UserError: another folder, or a missing package.
        """
        folder = BUNDLED if directory is None else Path(directory).expanduser()
        if (folder / "config.json").is_file() and not (folder / MODEL).is_file():
            advice = f"run `python bins/export.py --expt_dir {folder} --out {folder}_onnx`, and give that"
            raise UserError(f"{folder} holds a voice for PyTorch: {advice}")
        try:
            config = read_json(folder / f"{MODEL}.json")
            own, self.name = config["jets"], str(config.get("dataset", folder.name))
            self.sample_rate, self.hop_size = config["audio"]["sample_rate"], config["hop_length"]
            self._reach, extractor = own["receptive_field"], own["phone_extractor"]
            self.settings = InferenceConfig.model_validate({**_UNUSED, **own["inference"]})
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(f"{folder} is no exported voice: {MODEL}.json cannot be read ({error})") from None
        table, mean_f0 = load_tokens(folder / "tokens.json"), own.get("mean_f0", _MEAN_F0)
        cast, by_language = Cast.read(table), extractor != "espnet"
        language = cast.main_language if by_language and cast.languages else own["language"]
        front_ends = FrontEnds(lambda one: _settings(folder, own, one), language, cast.espeak, by_language)
        self.script = Scriptwriter(front_ends.main, table["tokens"], mean_f0, by_language, cast, front_ends)
        self.script.speaker_f0 = own.get("speaker_f0", {})
        self.script.hear(table.get("counts"))
        # A shift beyond the voice's own range is made as far as that goes.
        self._pitch_response = PitchResponse.load(folder, str(own.get("checkpoint")))
        self._numbers: dict[str, int] = config.get("speaker_id_map", {})
        onnxruntime = required("onnxruntime", "an exported voice", "onnxruntime")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        # Threads that wait spinning cost several times what they save where other programs want the CPU, too.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self.at_once = min(threads or os.cpu_count() or 1, MOST_AT_ONCE)
        try:
            cpu = ["CPUExecutionProvider"]
            self._session = onnxruntime.InferenceSession(str(folder / MODEL), options, providers=cpu)
        except Exception as error:  # onnxruntime's own classes derive from nothing more precise
            raise UserError(f"{folder / MODEL} cannot be loaded ({error}); export the voice again") from None

    @classmethod
    def from_pretrained(
        cls,
        name: Path | str | None = None,
        revision: str | None = None,
        cache_dir: Path | str | None = None,
        threads: int = 0,
    ) -> OnnxVoice:
        """A voice in a folder, or by its name on the Hugging Face hub, "you/voice", which is fetched once, or our own.

        :raises UserError: neither is there, or a missing package.
        """
        folder = BUNDLED if name is None else Path(name).expanduser()
        if not folder.is_dir() and re.fullmatch(r"[\w.-]+/[\w.-]+", str(name)):
            whose = f"{name}: there is no such folder, and a name on the hub"
            hub = required("huggingface_hub", whose, "huggingface_hub")
            try:
                found = hub.snapshot_download(
                    str(name), revision=revision, cache_dir=cache_dir, allow_patterns=_OF_VOICES
                )
            except Exception as error:  # of the hub, of the network, of the disk: it has dozens
                raise UserError(f"{name}: there is no such folder, and the hub says: {one_line(error)}") from None
            folder = Path(found)
        return cls(folder, threads)

    def speak_lines(self, lines: Iterable[tuple[Key, Line]], settings: InferenceConfig) -> Iterator[Spoken[Key]]:
        """Speak lines one after the other; UserError where rate or pitch change within a sentence."""
        for key, line in lines:
            started, wave = time.perf_counter(), np.zeros(0, dtype=np.float32)
            durations = np.zeros(0, dtype=np.int64)
            if line.ids:
                wave, durations = self._run(line, settings)
                gain = gain_of(line.prosody, durations * self.hop_size, self.sample_rate)
                wave = finished(wave, gain, settings.target_level_db, self.sample_rate)
            yield Spoken(key, line, wave, time.perf_counter() - started, durations)

    def pieces(self, line: Line, settings: InferenceConfig) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Pieces (n,) of a line's waveform, and its tokens' frames (T_text,); the text part is made again each time."""
        # Longer in long lines, where it comes little later for that, and plays while the rest is made; a word is whole.
        start, total, count = 0, 1, max(FIRST_FRAMES, len(line.ids) // 2)
        if len(line.ids) <= _WHOLE:
            count = _WHOLE * _LONGEST_TOKEN
        while start < total:
            began = time.perf_counter()
            wave, durations = self._run(line, settings, start, count)
            spent = time.perf_counter() - began
            yield wave, durations
            start, total = start + count, int(durations.sum())
            # The next piece is as long as can be made while this one plays, but few pieces are made in all.
            text = _TEXT_COST * total + 2 * self._reach
            fit = 0.7 * len(wave) / self.sample_rate / spent * (text + count) - text
            count = max(2 * count, round(fit))

    def _run(self, line: Line, settings: InferenceConfig, first: int = 0, frames: int = 0) -> tuple[np.ndarray, ...]:
        """Waveform (N,) of a line, or of `frames` frames of it from `first`, and each token's duration in frames."""
        prosody = line.prosody[0]
        if any((p.rate, p.semitones) != (prosody.rate, prosody.semitones) for p in line.prosody):
            advice = "put whole sentences into <prosody>, or speak with stage 3"
            only = f"between sentences only, but not within {line.text[:60]!r}"
            raise UserError(f"an exported voice changes rate and pitch {only}: {advice}")
        tempo = settings.speed * prosody.rate
        semitones = settings.pitch_semitones + prosody.semitones
        if self._pitch_response is not None:
            (semitones,) = self._pitch_response.needed([semitones])
        reading = settings.prosody_temperature, settings.prosody_seed
        shift = semitones, settings.energy_db
        scales = np.array([reading[0], 1 / tempo, 0, *shift, first, frames, reading[1]], dtype=np.float32)
        feeds = {"input": np.array([line.ids]), "input_lengths": np.array([len(line.ids)]), "scales": scales}
        if self._numbers:
            feeds["sid"] = np.array([self._speaker(line)])
        wave, durations = self._session.run(None, feeds)
        return np.clip(wave.reshape(-1), -1, 1), durations[0]

    def _speaker(self, line: Line) -> int:
        """The graph's number of who speaks a line, in which language; UserError for what it has none for."""
        manners = {(p.speaker, p.language) for p in line.prosody}
        if len(manners) > 1:
            advice = "put whole sentences into <lang>, or speak with stage 3"
            only = f"between sentences only, but not within {line.text[:60]!r}"
            raise UserError(f"an exported voice changes language {only}: {advice}")
        ((speaker, language),) = manners
        own = language in ("", self.script.cast.speakers.get(speaker, ""))
        name = speaker or next(iter(self._numbers))
        number = self._numbers.get(name if own else f"{name} ({language})")
        if number is None:
            raise UserError(f"an exported voice mixes no speakers: {speaker!r} needs stage 3, or choose one of them")
        return number


def _settings(folder: Path, own: dict[str, Any], language: str) -> PreprocessConfig:
    """How texts of a language are read."""
    prefix = own.get("own_words", "own_")
    names = [f"{prefix}lexicon.{language}.txt", *[f"{prefix}lexicon.txt"] * (language == own["language"])]
    if "extractors" not in own:  # exported before there was more than one language
        names = ["lexicon.txt"]
    lexicon = next((folder / name for name in names if (folder / name).is_file()), None)
    return PreprocessConfig.model_construct(
        phone_extractor=own.get("extractors", {}).get(language, own["phone_extractor"]), language=language,
        lexicon_path=None if lexicon is None else str(lexicon), tokens_path=str(folder / "tokens.json"),
    )  # fmt: skip
