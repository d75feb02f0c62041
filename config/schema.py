"""Types and limits of every config key that recipes share; defaults and explanations are in `config/*.json`."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from utils.files import write_json
from utils.strict import nearest

# Name of the resolved config in the folder of an experiment.
EXPERIMENT_CONFIG = "config.json"

# The upper limits are far above what makes sense, and below what overflows or takes the machine's memory in one go.
PositiveInt = Annotated[int, Field(gt=0, le=1_000_000_000)]
NonNegativeInt = Annotated[int, Field(ge=0, le=1_000_000_000)]
Size = Annotated[int, Field(gt=0, le=65_536)]
LayerCount = Annotated[int, Field(gt=0, le=256)]
Seed = Annotated[int, Field(ge=-(2**63), lt=2**63)]
PositiveFloat = Annotated[float, Field(gt=0, le=1e9)]
NonNegativeFloat = Annotated[float, Field(ge=0, le=1e9)]
SilenceSeconds = Annotated[float, Field(ge=0, le=60)]
Probability = Annotated[float, Field(ge=0, lt=1)]
PhoneExtractor = Literal["ipa", "lexicon", "espeak", "espnet"]


class Section(BaseModel):
    """A config section: unknown keys are errors, values never change after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class DownloadConfig(Section):
    """Public home of a corpus (stage 0)."""

    url: str
    size: Annotated[int, Field(gt=0)]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class CorpusConfig(Section):
    """What sets one corpus apart from the others; null: as the corpus says, or as `preprocess` does."""

    dataset_format: (
        Literal[
            "ljspeech", "wav|speaker|text", "path|speaker|language|text", "vctk", "libritts", "common_voice",
            "m_ailabs", "css10", "audiofolder",
        ]
        | None
    ) = None  # fmt: skip
    speaker: str | None = None
    language: str | None = None
    phone_extractor: PhoneExtractor | None = None
    lexicon_path: str | None = None
    weight: Annotated[float, Field(gt=0, le=1000)] = 1.0


class PreprocessConfig(Section):
    """What stage 1 makes of a corpus."""

    processed_dir: str
    num_workers: Annotated[int, Field(ge=0, le=100_000)]
    engine: Literal["local", "ray"]
    # text
    phone_extractor: PhoneExtractor
    tokens_path: str | None
    language: str
    lexicon_path: str | None
    # audio
    sample_rate: Annotated[int, Field(gt=0, le=768_000)]
    remove_dc: bool
    highpass_hz: PositiveFloat | None
    trim_silence: bool
    trim_top_db: PositiveFloat
    trim_margin: NonNegativeFloat
    target_level_db: Annotated[float, Field(lt=0)] | None
    # spectra
    n_fft: Size
    win_size: Size
    hop_size: Size
    n_mel: Size
    fmin: NonNegativeFloat
    fmax: PositiveFloat | None
    # pitch
    f0_min: PositiveFloat
    f0_max: PositiveFloat
    # which utterances are kept
    min_seconds: PositiveFloat
    max_seconds: PositiveFloat
    max_chars_per_second: PositiveFloat
    silence_level_db: Annotated[float, Field(lt=0)]
    max_clipped_fraction: Annotated[float, Field(gt=0, le=1)]
    # splits
    valid_size: NonNegativeInt
    test_size: NonNegativeInt
    max_held_out_fraction: Annotated[float, Field(gt=0, lt=0.5)]
    split_seed: Seed

    @model_validator(mode="after")
    def _consistent(self) -> PreprocessConfig:
        nyquist = self.sample_rate / 2
        if self.n_fft < self.win_size:
            raise ValueError(f"n_fft ({self.n_fft}) must be at least win_size ({self.win_size})")
        if self.win_size < self.hop_size:
            raise ValueError(f"win_size ({self.win_size}) must be at least hop_size ({self.hop_size})")
        if self.fmax is not None and not self.fmin < self.fmax <= nyquist:
            limit = f"at most at half the sample rate ({nyquist} Hz)"
            raise ValueError(f"fmax ({self.fmax} Hz) must lie above fmin and {limit}")
        if not self.f0_min < self.f0_max <= nyquist:
            raise ValueError(f"f0_max ({self.f0_max} Hz) must lie above f0_min ({self.f0_min} Hz)")
        if self.min_seconds >= self.max_seconds:
            raise ValueError(f"min_seconds ({self.min_seconds}) must be below max_seconds ({self.max_seconds})")
        return self

    def for_language(self, language: str) -> PreprocessConfig:
        """The same for another language, to which the lexicon does not belong."""
        if language == self.language:
            return self
        return self.model_copy(update={"language": language, "lexicon_path": None})


class AdamWConfig(Section):
    """AdamW's own settings, the same for both optimisers."""

    betas: tuple[Probability, Probability]
    eps: PositiveFloat
    weight_decay: NonNegativeFloat


class TrainConfig(Section):
    """The training loop that any model shares."""

    # length and size
    max_epoch: PositiveInt
    steps_per_epoch: PositiveInt
    batch_size: Size
    max_batch_frames: PositiveInt | None
    balance_temperature: Annotated[float, Field(ge=1, le=1e9)]
    gradient_accumulation_step: Size
    # optimisers
    learning_rate: PositiveFloat
    AdamW: AdamWConfig
    lr_decay: Annotated[float, Field(gt=0, le=1)]
    lr_warmup_steps: NonNegativeInt
    lr_cooldown_steps: NonNegativeInt
    grad_clip: PositiveFloat | None
    ema_decay: Probability
    # numbers
    random_seed: Seed
    precision: Literal["auto", "fp32", "bf16", "fp16"]
    deterministic: bool
    max_bad_steps: PositiveInt
    # checkpoints and evaluation
    save_checkpoints_steps: PositiveInt
    keep_last: PositiveInt
    keep_best: NonNegativeInt
    valid_interval: PositiveInt
    valid_samples: NonNegativeInt
    log_interval: Size
    # speed
    corpus_on_device: Literal["auto", "always", "never"]
    cuda_graphs: bool
    profile: bool


class InferenceConfig(Section):
    """How text becomes speech."""

    checkpoint: str
    speaker: str | None
    language: str | None
    max_batch_frames: PositiveInt
    max_sentence_chars: Annotated[int, Field(ge=20, le=2000)]
    precision: Literal["auto", "fp32", "bf16", "fp16"]
    cuda_graphs: bool
    speed: Annotated[float, Field(ge=0.25, le=4.0)]
    pitch_semitones: Annotated[float, Field(ge=-24, le=24)]
    energy_db: Annotated[float, Field(ge=-24, le=24)]
    pitch_range: Annotated[float, Field(ge=0, le=3)] | None
    duration_scale: Annotated[float, Field(ge=0.5, le=2)] | None
    prosody_temperature: Annotated[float, Field(ge=0, le=2)]
    prosody_seed: Annotated[int, Field(ge=0, lt=2**24)]
    leading_silence: SilenceSeconds
    trailing_silence: SilenceSeconds
    sentence_silence: SilenceSeconds
    paragraph_silence: SilenceSeconds
    target_level_db: Annotated[float, Field(ge=-60, lt=0)] | None


class EvaluateConfig(Section):
    """How a voice is judged: stage 4, and validation during training."""

    asr_model: str | None
    asr_device: Literal["cpu", "cuda", "auto"]
    asr_compute_type: str
    asr_beam_size: Size
    dnsmos: bool
    distillmos: bool
    speaker_similarity: bool
    dnsmos_level_db: Annotated[float, Field(ge=-60, lt=0)]
    copy_synthesis: bool
    bootstrap_samples: Annotated[int, Field(ge=100, le=1_000_000)]
    confidence: Annotated[float, Field(ge=0.5, lt=1)]
    random_seed: Annotated[int, Field(ge=0, lt=2**63)]
    report_players: NonNegativeInt
    report_audio: Literal["flac", "mp3", "none"]
    during_training: bool
    best_metric: Literal["score", "stft_distance", "mel_distance", "duration_error", "duration_bias"]


class ExperimentConfig(Section):
    """A whole experiment; each model package narrows `model` and `train`."""

    model_type: str
    dataset: Annotated[list[str], Field(min_length=1)]
    dataset_path: dict[str, str]
    corpora: dict[str, CorpusConfig]
    download: dict[str, DownloadConfig]
    log_dir: str
    preprocess: PreprocessConfig
    train: TrainConfig
    inference: InferenceConfig
    evaluate: EvaluateConfig

    @model_validator(mode="after")
    def _datasets_are_found(self) -> ExperimentConfig:
        if len(set(self.dataset)) < len(self.dataset):
            raise ValueError(f"dataset names a corpus twice: {', '.join(self.dataset)}")
        for name in self.dataset:
            # A folder of this name holds the corpus's features.
            if not re.fullmatch(r"\w[\w .\-]*", name):
                raise ValueError(f"dataset names {name!r}; a name is made of letters, digits, spaces, and _ - .")
            if name not in self.dataset_path:
                raise ValueError(f"dataset names {name!r}, which has no folder in dataset_path")
        for name in self.corpora:
            if name not in self.dataset_path:
                near = nearest(name, list(self.dataset_path))
                hint = f"; did you mean {near!r}?" if near else ""
                raise ValueError(f"corpora names {name!r}, which has no folder in dataset_path{hint}")
        return self

    def corpus_config(self, name: str) -> CorpusConfig:
        """What the config says of one corpus."""
        return self.corpora.get(name, CorpusConfig())

    def preprocess_of(self, name: str) -> PreprocessConfig:
        """`preprocess` with the language, the phone extractor and the lexicon of one corpus."""
        corpus = self.corpus_config(name)
        preprocess = self.preprocess.for_language(corpus.language or self.preprocess.language)
        own = {"phone_extractor": corpus.phone_extractor, "lexicon_path": corpus.lexicon_path}
        return preprocess.model_copy(update={key: value for key, value in own.items() if value is not None})


def config_to_dict(config: ExperimentConfig) -> dict[str, Any]:
    """Plain dicts, lists and values of a config; loading them gives an equal config."""
    return config.model_dump(mode="json")


def save_config(config: ExperimentConfig, path: str | os.PathLike[str]) -> None:
    """Write a config as JSON; the file appears complete or not at all."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    write_json(Path(path), config_to_dict(config))
