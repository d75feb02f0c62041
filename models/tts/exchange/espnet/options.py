"""ESPnet's training config and ours, both ways, from one table.

Defaults are those of ESPnet's constructors (espnet 202511): its config.yaml holds only what the recipe wrote down.
"""

from __future__ import annotations

import math
import re
from typing import Any

from utils.errors import UserError

REQUIRED, KEEP = object(), object()  # no default: the recipe must say it; a missing key keeps our default

G, D, S, P = (
    "tts_conf.generator_params.",
    "tts_conf.discriminator_params.",
    "tts_conf.discriminator_params.scale_discriminator_params.",
    "tts_conf.discriminator_params.period_discriminator_params.",
)
FEATURES, PITCH, ENERGY = "feats_extract_conf.", "pitch_extract_conf.", "energy_extract_conf."
MEL_LOSS = "tts_conf.mel_loss_params."

# ESPnet's key, its default there, and our keys that hold the same value.
SHARED: tuple[tuple[str, Any, tuple[str, ...]], ...] = (
    (G + "adim", 256, ("model.hidden_channels",)),
    (G + "aheads", 2, ("model.encoder.heads", "model.decoder.heads")),
    (G + "elayers", 4, ("model.encoder.layers",)),
    (G + "eunits", 1024, ("model.encoder.ffn_channels",)),
    (G + "dlayers", 4, ("model.decoder.layers",)),
    (G + "dunits", 1024, ("model.decoder.ffn_channels",)),
    (G + "positionwise_conv_kernel_size", 1, ("model.encoder.ffn_kernel_size", "model.decoder.ffn_kernel_size")),
    (G + "transformer_enc_dropout_rate", 0.1, ("model.encoder.dropout",)),
    (G + "transformer_enc_positional_dropout_rate", 0.1, ("model.encoder.positional_dropout",)),
    (G + "transformer_enc_attn_dropout_rate", 0.1, ("model.encoder.attention_dropout",)),
    (G + "transformer_dec_dropout_rate", 0.1, ("model.decoder.dropout",)),
    (G + "transformer_dec_positional_dropout_rate", 0.1, ("model.decoder.positional_dropout",)),
    (G + "transformer_dec_attn_dropout_rate", 0.1, ("model.decoder.attention_dropout",)),
    (G + "duration_predictor_layers", 2, ("model.duration_predictor.layers",)),
    (G + "duration_predictor_chans", 384, ("model.duration_predictor.channels",)),
    (G + "duration_predictor_kernel_size", 3, ("model.duration_predictor.kernel_size",)),
    (G + "duration_predictor_dropout_rate", 0.1, ("model.duration_predictor.dropout",)),
    (G + "energy_predictor_layers", 2, ("model.energy_predictor.layers",)),
    (G + "energy_predictor_chans", 384, ("model.energy_predictor.channels",)),
    (G + "energy_predictor_kernel_size", 3, ("model.energy_predictor.kernel_size",)),
    (G + "energy_predictor_dropout", 0.5, ("model.energy_predictor.dropout",)),
    (G + "energy_embed_kernel_size", 9, ("model.energy_predictor.embed_kernel_size",)),
    (G + "energy_embed_dropout", 0.5, ("model.energy_predictor.embed_dropout",)),
    (G + "stop_gradient_from_energy_predictor", False, ("model.energy_predictor.stop_gradient",)),
    (G + "pitch_predictor_layers", 2, ("model.pitch_predictor.layers",)),
    (G + "pitch_predictor_chans", 384, ("model.pitch_predictor.channels",)),
    (G + "pitch_predictor_kernel_size", 3, ("model.pitch_predictor.kernel_size",)),
    (G + "pitch_predictor_dropout", 0.5, ("model.pitch_predictor.dropout",)),
    (G + "pitch_embed_kernel_size", 9, ("model.pitch_predictor.embed_kernel_size",)),
    (G + "pitch_embed_dropout", 0.5, ("model.pitch_predictor.embed_dropout",)),
    (G + "stop_gradient_from_pitch_predictor", False, ("model.pitch_predictor.stop_gradient",)),
    (G + "generator_channels", 512, ("model.generators.hifigan.channels",)),
    (G + "generator_kernel_size", 7, ("model.generators.hifigan.kernel_size",)),
    (G + "generator_upsample_scales", [8, 8, 2, 2], ("model.generators.hifigan.upsample_rates",)),
    (G + "generator_upsample_kernel_sizes", [16, 16, 4, 4], ("model.generators.hifigan.upsample_kernel_sizes",)),
    (G + "generator_resblock_kernel_sizes", [3, 7, 11], ("model.generators.hifigan.resblock_kernel_sizes",)),
    (G + "generator_resblock_dilations", [[1, 3, 5]] * 3, ("model.generators.hifigan.resblock_dilations",)),
    (G + "segment_size", 64, ("train.segment_size",)),
    (D + "scales", 3, ("model.discriminator.scales",)),
    (S + "channels", 128, ("model.discriminator.scale_channels",)),
    (S + "max_downsample_channels", 1024, ("model.discriminator.scale_max_channels",)),
    (D + "periods", [2, 3, 5, 7, 11], ("model.discriminator.periods",)),
    (P + "channels", 32, ("model.discriminator.period_channels",)),
    (P + "max_downsample_channels", 1024, ("model.discriminator.period_max_channels",)),
    ("tts_conf.lambda_adv", 1.0, ("train.loss.adversarial",)),
    ("tts_conf.lambda_mel", 45.0, ("train.loss.mel",)),
    ("tts_conf.lambda_feat_match", 2.0, ("train.loss.feature_matching",)),
    ("tts_conf.lambda_var", 1.0, ("train.loss.variance",)),
    ("tts_conf.lambda_align", 2.0, ("train.loss.alignment",)),
    (MEL_LOSS + "fmin", 0, ("train.loss.mel_fmin",)),
    (MEL_LOSS + "fmax", None, ("train.loss.mel_fmax",)),
    (FEATURES + "n_fft", 1024, ("preprocess.n_fft",)),
    (FEATURES + "hop_length", 256, ("preprocess.hop_size",)),
    (FEATURES + "n_mels", 80, ("preprocess.n_mel",)),
    (FEATURES + "fmin", 80, ("preprocess.fmin",)),
    (FEATURES + "fmax", 7600, ("preprocess.fmax",)),
    (PITCH + "f0min", 80, ("preprocess.f0_min",)),
    (PITCH + "f0max", 400, ("preprocess.f0_max",)),
    ("optim_conf.lr", KEEP, ("train.learning_rate",)),
    ("optim_conf.betas", KEEP, ("train.AdamW.betas",)),
    ("optim_conf.eps", KEEP, ("train.AdamW.eps",)),
    ("optim_conf.weight_decay", KEEP, ("train.AdamW.weight_decay",)),
    ("scheduler_conf.gamma", KEEP, ("train.lr_decay",)),
    ("num_iters_per_epoch", KEEP, ("train.steps_per_epoch",)),
    ("max_epoch", KEEP, ("train.max_epoch",)),
)

LEAKY = {"negative_slope": 0.1}


def _off(value: Any) -> bool:
    """Whether an optional part (speakers, languages, a speaker embedding) is left out."""
    return value is None or value is False or (isinstance(value, int) and value < 2)


# What our model is by construction: ESPnet's key, its default there, and the only value (or test) that fits.
FIXED: tuple[tuple[str, Any, Any], ...] = (
    ("tts", REQUIRED, "jets"),
    ("odim", None, None),
    ("feats_extract", "linear_spectrogram", "fbank"),
    ("tts_conf.generator_type", "jets_generator", "jets_generator"),
    (G + "encoder_type", "transformer", "transformer"),
    (G + "decoder_type", "transformer", "transformer"),
    (G + "positionwise_layer_type", "conv1d", "conv1d"),
    (G + "use_scaled_pos_enc", True, True),
    (G + "encoder_normalize_before", True, True),
    (G + "decoder_normalize_before", True, True),
    (G + "encoder_concat_after", False, False),
    (G + "decoder_concat_after", False, False),
    (G + "reduction_factor", 1, 1),
    (G + "spks", None, _off),
    (G + "langs", None, _off),
    (G + "spk_embed_dim", None, lambda value: value is None or value <= 0),
    (G + "use_gst", False, False),
    (G + "generator_out_channels", 1, 1),
    (G + "generator_global_channels", -1, lambda value: value <= 0),
    (G + "generator_use_additional_convs", True, True),
    (G + "generator_bias", True, True),
    (G + "generator_nonlinear_activation", "LeakyReLU", "LeakyReLU"),
    (G + "generator_nonlinear_activation_params", LEAKY, LEAKY),
    (
        "tts_conf.discriminator_type",
        "hifigan_multi_scale_multi_period_discriminator",
        "hifigan_multi_scale_multi_period_discriminator",
    ),
    (D + "follow_official_norm", True, False),
    (D + "scale_downsample_pooling", "AvgPool1d", "AvgPool1d"),
    (D + "scale_downsample_pooling_params", *[{"kernel_size": 4, "stride": 2, "padding": 2}] * 2),
    (S + "in_channels", 1, 1),
    (S + "out_channels", 1, 1),
    (S + "kernel_sizes", [15, 41, 5, 3], [15, 41, 5, 3]),
    (S + "max_groups", 16, 16),
    (S + "bias", True, True),
    (S + "downsample_scales", [2, 2, 4, 4, 1], [2, 2, 4, 4, 1]),
    (S + "nonlinear_activation", "LeakyReLU", "LeakyReLU"),
    (S + "nonlinear_activation_params", LEAKY, LEAKY),
    (S + "use_spectral_norm", False, False),
    (P + "in_channels", 1, 1),
    (P + "out_channels", 1, 1),
    (P + "kernel_sizes", [5, 3], [5, 3]),
    (P + "bias", True, True),
    (P + "downsample_scales", [3, 3, 3, 3, 1], [3, 3, 3, 3, 1]),
    (P + "nonlinear_activation", "LeakyReLU", "LeakyReLU"),
    (P + "nonlinear_activation_params", LEAKY, LEAKY),
    (P + "use_spectral_norm", False, False),
    ("tts_conf.generator_adv_loss_params.average_by_discriminators", True, False),
    ("tts_conf.generator_adv_loss_params.loss_type", "mse", "mse"),
    ("tts_conf.discriminator_adv_loss_params.average_by_discriminators", True, False),
    ("tts_conf.discriminator_adv_loss_params.loss_type", "mse", "mse"),
    ("tts_conf.feat_match_loss_params.average_by_discriminators", True, False),
    ("tts_conf.feat_match_loss_params.average_by_layers", True, False),
    ("tts_conf.feat_match_loss_params.include_final_outputs", False, True),
    *((f"{section}{key}", value, value) for section in (MEL_LOSS, FEATURES) for key, value in (
        ("window", "hann"), ("center", True), ("normalized", False), ("onesided", True))),
    (FEATURES + "htk", False, False),
    ("pitch_extract", None, lambda value: value in (None, "dio")),
    (PITCH + "use_token_averaged_f0", True, False),
    (PITCH + "use_continuous_f0", True, True),
    (PITCH + "use_log_f0", True, True),
    ("energy_extract", None, lambda value: value in (None, "energy")),
    (ENERGY + "use_token_averaged_energy", True, False),
    *((name, None, lambda value: value in (None, "global_mvn"))
      for name in ("normalize", "pitch_normalize", "energy_normalize")),
    *((f"{name}_conf.{key}", True, True)
      for name in ("normalize", "pitch_normalize", "energy_normalize") for key in ("norm_means", "norm_vars")),
)  # fmt: skip

# Sections whose absence means other defaults than the ones above: ESPnet's whole dict of examples.
WRITTEN_OUT = (
    "tts_conf", "tts_conf.generator_params", "tts_conf.discriminator_params",
    "tts_conf.discriminator_params.scale_discriminator_params",
    "tts_conf.discriminator_params.period_discriminator_params",
    "tts_conf.generator_adv_loss_params", "tts_conf.discriminator_adv_loss_params",
    "tts_conf.feat_match_loss_params", "tts_conf.mel_loss_params", "feats_extract_conf",
)  # fmt: skip

# What only matters to someone who trains on.
TRAINING_ONLY = ("tts_conf.generator_adv", "tts_conf.discriminator_adv", "tts_conf.feat_match", MEL_LOSS)


def lookup(config: dict[str, Any], key: str, default: Any = None) -> Any:
    """The value of a dotted `key`, or `default`."""
    value: Any = config
    for part in key.split("."):
        if not isinstance(value, dict) or part not in value:
            return default
        value = value[part]
    return value


def put(tree: dict[str, Any], key: str, value: Any) -> None:
    """Set a dotted `key`, making sections where they are missing."""
    *sections, last = key.split(".")
    for section in sections:
        tree = tree.setdefault(section, {})
    tree[last] = value


def from_espnet(theirs: dict[str, Any], source: str) -> tuple[dict[str, Any], list[str]]:
    """Our keys, as a tree, that say what ESPnet's config says; and the options that only training here would miss.

    Raises UserError that names `source` and the option when the model has something that ours has not.
    """
    _check_model(theirs, source)
    ours: dict[str, Any] = {}
    for key, default, targets in SHARED:
        value = lookup(theirs, key, default)
        if value is not KEEP:
            for target in targets:
                put(ours, target, value)
    put(ours, "model.generator", "hifigan")
    spectrum = _spectrum(theirs, FEATURES, 16000)
    for name in ("sample_rate", "win_size"):
        put(ours, f"preprocess.{name}", spectrum[name])
    if lookup(theirs, "energy_extract") is not None and _spectrum(theirs, ENERGY, 22050) != spectrum:
        raise UserError(
            f"{source}: energy_extract_conf and feats_extract_conf differ, but here both share one spectrum"
        )
    unlike = [
        key for key, default, fits in FIXED if key.startswith(TRAINING_ONLY) and not _fits(theirs, key, default, fits)
    ]
    if {**spectrum, "n_mel": ours["preprocess"]["n_mel"]} != _spectrum(theirs, MEL_LOSS, 22050, with_mel=True):
        unlike.append("tts_conf.mel_loss_params")
    # An L1 distance of logarithms to another base is a multiple of that of natural ones.
    ours["train"]["loss"]["mel"] /= math.log(log_base(theirs, MEL_LOSS))
    for section, key in ((ours["preprocess"], "fmin"), (ours["train"]["loss"], "mel_fmin")):
        section[key] = section[key] or 0
    return ours, unlike


def log_base(theirs: dict[str, Any], section: str) -> float:
    """Base of the logarithm of the mel spectrum that `section` describes."""
    base = lookup(theirs, section + "log_base", 10.0)
    return math.e if base is None else float(base)


def _fits(theirs: dict[str, Any], key: str, default: Any, fits: Any) -> bool:
    value = lookup(theirs, key, default)
    return fits(value) if callable(fits) else value == fits


def _check_model(theirs: dict[str, Any], source: str) -> None:
    model = lookup(theirs, "tts")
    if model != "jets":
        other = f"describes the model {model!r}" if isinstance(model, str) else "names no TTS model (key tts)"
        raise UserError(f"{source} {other}; only ESPnet's jets can be converted")
    for section in WRITTEN_OUT:
        if not isinstance(lookup(theirs, section), dict):
            raise UserError(
                f"{source}: the section {section} is missing; give the config.yaml that ESPnet wrote in training"
            )
    for key, default, fits in FIXED:
        if not key.startswith(TRAINING_ONLY) and not _fits(theirs, key, default, fits):
            wanted = "" if callable(fits) else f" (it must be {fits!r})"
            raise UserError(
                f"{source}: {key} is {lookup(theirs, key, default)!r}, which this toolkit's JETS does not have{wanted}"
            )


def _spectrum(theirs: dict[str, Any], section: str, rate: int, with_mel: bool = False) -> dict[str, Any]:
    """Sample rate and sizes of the spectrum that `section` describes, in samples; `rate` is the section's default."""
    n_fft = lookup(theirs, section + "n_fft", 1024)
    sizes = {
        "sample_rate": _hertz(lookup(theirs, section + "fs", rate)),
        "n_fft": n_fft,
        "hop_size": lookup(theirs, section + "hop_length", 256),
        "win_size": lookup(theirs, section + "win_length") or n_fft,
    }
    return {**sizes, "n_mel": lookup(theirs, section + "n_mels", 80)} if with_mel else sizes


def _hertz(value: int | str) -> int:
    """22050 of 22050, "22050" and "22.05k"."""
    match = re.fullmatch(r"([0-9.]+)\s*(k?)(?:hz)?", str(value).strip().lower())
    if not match:
        raise UserError(f"the sample rate {value!r} in ESPnet's config is no number of Hz")
    return round(float(match[1]) * (1000 if match[2] else 1))


def to_espnet(config: dict[str, Any]) -> dict[str, Any]:
    """ESPnet's training config of one of ours (as a plain tree), without tokens and statistics.

    Raises UserError when ESPnet has one option where our values differ.
    """
    theirs: dict[str, Any] = {}
    for key, default, fits in FIXED:
        if not callable(fits):
            put(theirs, key, fits)
        elif default is not None:
            put(theirs, key, default)
    generator = lookup(config, "model.generator")
    if not generator.startswith("hifigan"):
        raise UserError(f"model.generator is {generator!r}, but ESPnet's JETS speaks by HiFi-GAN")
    if lookup(config, "model.discriminator.resolutions"):
        raise UserError("model.discriminator.resolutions is not empty, but ESPnet's JETS has no such discriminators")
    config = {
        **config,
        "model": {**config["model"], "generators": {"hifigan": config["model"]["generators"][generator]}},
    }
    for key, _, sources in SHARED:
        values = [lookup(config, source) for source in sources]
        if any(value != values[0] for value in values):
            raise UserError(f"ESPnet has one {key.rpartition('.')[2]}, but {' and '.join(sources)} differ here")
        put(theirs, key, values[0])
    for key, value in (("model.prior_omega", 1.0), ("model.upsampling_delta", 0.1)):
        if lookup(config, key) != value:
            raise UserError(f"{key} is {lookup(config, key)}, but ESPnet's JETS has {value} built in")
    preprocess = config["preprocess"]
    sizes = {"fs": "sample_rate", "n_fft": "n_fft", "hop_length": "hop_size", "win_length": "win_size"}
    for section in (MEL_LOSS, FEATURES, ENERGY):
        for key, source in sizes.items():
            put(theirs, section + key, preprocess[source])
    for section in (MEL_LOSS, FEATURES):
        put(theirs, section + "n_mels", preprocess["n_mel"])
        put(theirs, section + "log_base", None)
    put(theirs, PITCH + "fs", preprocess["sample_rate"])
    put(theirs, PITCH + "hop_length", preprocess["hop_size"])
    put(theirs, PITCH + "reduction_factor", 1)
    put(theirs, ENERGY + "reduction_factor", 1)
    put(theirs, "tts_conf.sampling_rate", preprocess["sample_rate"])
    theirs.update(
        pitch_extract="dio", energy_extract="energy", normalize="global_mvn", pitch_normalize="global_mvn",
        energy_normalize="global_mvn", optim="adamw", optim2="adamw", scheduler="exponentiallr",
        scheduler2="exponentiallr", optim2_conf=theirs["optim_conf"], scheduler2_conf=theirs["scheduler_conf"],
        generator_first=True, model_conf={}, use_preprocessor=True,
    )  # fmt: skip
    # fmin and the pitch limits are whole Hz there.
    for key in (
        MEL_LOSS + "fmin",
        MEL_LOSS + "fmax",
        FEATURES + "fmin",
        FEATURES + "fmax",
        PITCH + "f0min",
        PITCH + "f0max",
    ):
        value = lookup(theirs, key)
        if value is not None and value != round(value):
            raise UserError(f"ESPnet wants whole Hz for {key.rpartition('.')[2]}, but it is {value} here")
        put(theirs, key, None if value is None else round(value))
    return theirs
