"""Types and limits of the JETS keys; defaults and explanations are in `config/jets.json`."""

from __future__ import annotations

import math
from importlib import import_module
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from config.schema import (
    ExperimentConfig,
    LayerCount,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    Probability,
    Section,
    Size,
    TrainConfig,
)
from utils.errors import UserError


class TransformerConfig(Section):
    """A stack of pre-norm self-attention blocks with a two-layer conv feed-forward."""

    layers: LayerCount
    heads: Size
    ffn_channels: Size
    ffn_kernel_size: Size
    dropout: Probability
    attention_dropout: Probability
    positional_dropout: Probability


class PredictorConfig(Section):
    """A stack of conv, ReLU, layer norm and dropout that ends in one value per token."""

    layers: LayerCount
    channels: Size
    kernel_size: Size
    dropout: Probability


class VarianceConfig(PredictorConfig):
    """A predictor together with the embedding of the value it predicts."""

    stop_gradient: bool
    embed_kernel_size: Size
    embed_dropout: Probability


class ProsodyConfig(TransformerConfig):
    """Flow matching of (log duration, log F0, energy), by blocks as those of the encoder."""

    layers: Annotated[int, Field(ge=0, le=64)]
    channels: Size
    context_dropout: Probability
    steps: LayerCount
    spread: Annotated[list[Annotated[float, Field(ge=0, le=2)]], Field(min_length=3, max_length=3)]


class GeneratorConfig(Section):
    """Settings of a waveform generator: the arguments of its constructor, beside `in_channels`.

    The generator makes waveforms (B, T * hop_size) of frames (B, T, in_channels); it tells its `hop_size`, and its
    `receptive_field`, the frames on each side of a frame that can change its samples.
    """

    # Module and class of the generator, and what its hop size is called here.
    BUILDS: ClassVar[tuple[str, str]]
    HOP: ClassVar[str] = "hop_size"

    def build(self, in_channels: int) -> Any:
        """The generator, with random weights."""
        module, name = self.BUILDS
        return getattr(import_module(module), name)(in_channels, **self.model_dump())


class HifiganConfig(GeneratorConfig):
    """HiFi-GAN generator (arXiv 2010.05646, section 2.2)."""

    BUILDS = ("models.vocoders.hifigan", "HifiganGenerator")
    HOP = "the product of upsample_rates"

    channels: Size
    kernel_size: Size
    upsample_rates: Annotated[list[Size], Field(min_length=1)]
    upsample_kernel_sizes: list[Size]
    resblock_kernel_sizes: Annotated[list[Size], Field(min_length=1)]
    resblock_dilations: list[list[Size]]

    @property
    def hop_size(self) -> int:
        """Samples that one input frame becomes."""
        return math.prod(self.upsample_rates)

    @model_validator(mode="after")
    def _consistent(self) -> HifiganConfig:
        if len(self.upsample_kernel_sizes) != len(self.upsample_rates):
            raise ValueError("upsample_kernel_sizes needs one entry for each of upsample_rates")
        if len(self.resblock_dilations) != len(self.resblock_kernel_sizes):
            raise ValueError("resblock_dilations needs one list for each of resblock_kernel_sizes")
        for rate, kernel in zip(self.upsample_rates, self.upsample_kernel_sizes):
            if kernel < rate or (kernel - rate) % 2:
                raise ValueError(f"an upsample kernel ({kernel}) must exceed its rate ({rate}) by an even number")
        if self.channels % 2 ** len(self.upsample_rates):
            raise ValueError(f"channels ({self.channels}) must halve {len(self.upsample_rates)} times")
        if any(k % 2 == 0 for k in (self.kernel_size, *self.resblock_kernel_sizes)):
            raise ValueError("kernel_size and resblock_kernel_sizes must be odd")
        return self


class IstftConfig(GeneratorConfig):
    """Inverse-STFT generator with a ConvNeXt backbone (Vocos, arXiv 2306.00814)."""

    BUILDS = ("models.vocoders.istft", "IstftGenerator")

    channels: Size
    ffn_channels: Size
    layers: LayerCount
    kernel_size: Size
    n_fft: Size
    hop_size: Size

    @model_validator(mode="after")
    def _consistent(self) -> IstftConfig:
        if self.kernel_size % 2 == 0:
            raise ValueError(f"kernel_size ({self.kernel_size}) must be odd")
        if self.n_fft % self.hop_size or self.n_fft // self.hop_size < 2 or (self.n_fft - self.hop_size) % 2:
            raise ValueError(f"n_fft ({self.n_fft}) must be at least twice hop_size ({self.hop_size}) and divide by it")
        return self


class GeneratorsConfig(Section):
    """Every waveform generator that `model.generator` can name: another one is a class above, and a line here."""

    hifigan: HifiganConfig
    hifigan_light: HifiganConfig
    istft: IstftConfig


class DiscriminatorConfig(Section):
    """Multi-period and multi-scale discriminators (arXiv 2010.05646, section 2.3), and multi-resolution ones."""

    periods: list[Annotated[int, Field(ge=2, le=65_536)]]
    period_channels: Size
    period_max_channels: Size
    scales: Annotated[int, Field(ge=0, le=16)]
    scale_channels: Size
    scale_max_channels: Size
    resolutions: list[Annotated[int, Field(ge=16, le=65_536, multiple_of=4)]]
    resolution_channels: Size

    @model_validator(mode="after")
    def _consistent(self) -> DiscriminatorConfig:
        if not self.periods and not self.scales and not self.resolutions:
            raise ValueError("periods, scales and resolutions are all empty: nothing would judge the waveform")
        return self


class JetsModelConfig(Section):
    """The JETS network (arXiv 2203.16852)."""

    hidden_channels: Size
    encoder: TransformerConfig
    decoder: TransformerConfig
    duration_predictor: PredictorConfig
    pitch_predictor: VarianceConfig
    energy_predictor: VarianceConfig
    prosody: ProsodyConfig
    prior_omega: PositiveFloat
    upsampling_delta: PositiveFloat
    spks: NonNegativeInt | None
    langs: NonNegativeInt | None
    spk_embed_dim: Size | None
    spk_embed_integration_type: Literal["add", "concat"]
    speaker_in: list[Literal["encoder", "predictors", "decoder", "generator"]]
    language_in: list[Literal["tokens", "encoder"]]
    normalise_per_speaker: bool
    generator: Literal[tuple(GeneratorsConfig.model_fields)]  # type: ignore[valid-type]
    generators: GeneratorsConfig
    discriminator: DiscriminatorConfig

    @property
    def generator_config(self) -> Any:
        """The settings of the chosen generator."""
        return getattr(self.generators, self.generator)

    @property
    def several_speakers(self) -> bool:
        """Whether there is an embedding of speakers; one speaker needs none."""
        return (self.spks or 0) > 1

    @property
    def several_languages(self) -> bool:
        """Whether there is an embedding of languages."""
        return (self.langs or 0) > 1

    def counted(self, speakers: int, languages: int) -> JetsModelConfig:
        """The config with `spks` and `langs` that were left open set to what there is; UserError for more of them."""
        found = {"spks": speakers, "langs": languages}
        wanted = {key: getattr(self, key) for key in found}
        for key, kind in (("spks", "speakers"), ("langs", "languages")):
            if (wanted[key] or 0) > 1 and found[key] > wanted[key]:
                advice = "raise it, or leave it open (null)"
                raise UserError(f"model.{key} is {wanted[key]}, but there are {found[key]} {kind}: {advice}")
        known = {key: number if wanted[key] is None else wanted[key] for key, number in found.items()}
        return self.model_copy(update=known)

    @model_validator(mode="after")
    def _consistent(self) -> JetsModelConfig:
        if self.spk_embed_dim and "encoder" not in self.speaker_in:
            raise ValueError('spk_embed_dim needs "encoder" in speaker_in')
        widths = {"encoder": "hidden_channels", "decoder": "hidden_channels", "prosody": "prosody.channels"}
        for name, key in widths.items():
            heads, width = getattr(self, name).heads, self.prosody.channels if "." in key else self.hidden_channels
            if width % heads:
                raise ValueError(f"{key} ({width}) must divide by {name}.heads ({heads})")
        return self


class LossConfig(Section):
    """Weights of the loss terms, and the mel spectrum that the mel loss compares."""

    adversarial: NonNegativeFloat
    feature_matching: NonNegativeFloat
    mel: NonNegativeFloat
    variance: NonNegativeFloat
    alignment: NonNegativeFloat
    multi_mel: NonNegativeFloat
    multi_mel_n_ffts: list[Annotated[int, Field(ge=64, le=65_536, multiple_of=4)]]
    mel_fmin: NonNegativeFloat
    mel_fmax: PositiveFloat | None
    others: dict[str, NonNegativeFloat]


class JetsTrainConfig(TrainConfig):
    """The shared loop plus what joint training adds."""

    segment_size: Size
    finetune_only: list[Literal["speakers", "predictors", "prosody", "decoder", "generator"]]
    loss: LossConfig


class JetsConfig(ExperimentConfig):
    """A JETS experiment."""

    model_type: Literal["Jets"]
    model: JetsModelConfig
    train: JetsTrainConfig

    @model_validator(mode="after")
    def _consistent(self) -> JetsConfig:
        name, hop = self.model.generator, self.model.generator_config.hop_size
        if hop != self.preprocess.hop_size:
            of = self.model.generator_config.HOP
            raise ValueError(
                f"model.generators.{name}: {of} ({hop}) must equal preprocess.hop_size ({self.preprocess.hop_size})"
            )
        if self.train.finetune_only and self.train.AdamW.weight_decay > 0:
            raise ValueError("train.finetune_only needs train.AdamW.weight_decay 0: what rests would shrink")
        loss, judges = self.train.loss, self.model.discriminator
        if loss.multi_mel > 0 and not loss.multi_mel_n_ffts:
            raise ValueError("train.loss.multi_mel needs at least one entry in train.loss.multi_mel_n_ffts")
        spectra = {
            "preprocess.n_fft": self.preprocess.n_fft,
            "train.loss.multi_mel_n_ffts": max(loss.multi_mel_n_ffts, default=0) if loss.multi_mel > 0 else 0,
            "model.discriminator.resolutions": max(judges.resolutions, default=0),
        }
        for key, n_fft in spectra.items():
            if self.train.segment_size * hop < n_fft:
                raise ValueError(
                    f"train.segment_size ({self.train.segment_size} frames of {hop} samples) is shorter than one "
                    f"spectrum ({key}, {n_fft} samples)"
                )
        return self
