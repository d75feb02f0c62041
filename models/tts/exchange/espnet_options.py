"""ESPnet's training config and ours, both ways, from the table in espnet_options.json."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from utils.errors import UserError
from utils.layers import read_json5

Tree = dict[str, Any]
TABLE = read_json5(Path(__file__).with_suffix(".json"))
FEATURES, ENERGY, MEL_LOSS = "feats_extract_conf", "energy_extract_conf", "tts_conf.mel_loss_params"
_DEFAULT_RATE = {FEATURES: 16000}  # of these sections' sample rates; 22050 of the others


def _rows(name: str) -> Iterator[tuple[str, Any]]:
    """Dotted key and row of a part of the table."""
    for section, rows in TABLE[name].items():
        yield from ((f"{section}.{key}".lstrip("."), row) for key, row in rows.items())


# ESPnet's key, its default there, and our keys that hold the same value.
SHARED: list[tuple[str, Any, list[str]]] = [(key, default, ours) for key, (default, *ours) in _rows("shared")]
# What our model is by construction: ESPnet's key, its default there, and the values that fit, first the one we write.
FIXED: list[tuple[str, Any, list[Any]]] = [
    *((key, value, [value]) for key, value in _rows("fixed")),
    *((key, default, fits) for key, (default, *fits) in _rows("unlike")),
]
# Sections whose absence means other defaults than those of the table: ESPnet's whole dict of examples.
WRITTEN_OUT = [*(key for key in TABLE["shared"] if key.startswith("tts_conf")), FEATURES] + [
    key for key in TABLE["unlike"] if key.endswith("loss_params")
]
# What only matters to someone who trains on.
TRAINING_ONLY = ("tts_conf.generator_adv", "tts_conf.discriminator_adv", "tts_conf.feat_match", MEL_LOSS)


def lookup(config: Tree, key: str, default: Any = None) -> Any:
    """The value of a dotted `key`, or `default`."""
    value: Any = config
    for part in key.split("."):
        if not isinstance(value, dict) or part not in value:
            return default
        value = value[part]
    return value


def put(tree: Tree, key: str, value: Any) -> None:
    """Set a dotted `key`, making sections where they are missing."""
    *sections, last = key.split(".")
    for section in sections:
        tree = tree.setdefault(section, {})
    tree[last] = value


def from_espnet(theirs: Tree, source: str) -> tuple[Tree, list[str]]:
    """Our keys, as a tree, that say what ESPnet's config says; and the options that only training here would miss.

    Raises UserError that names `source` and the option when the model has something that ours has not.
    """
    _check_model(theirs, source)
    ours: Tree = {}
    for key, default, targets in SHARED:
        for target in targets:
            put(ours, target, lookup(theirs, key, default))
    for key, target in TABLE["open"].items():
        if (value := lookup(theirs, key)) is not None:
            put(ours, target, value)
    put(ours, "model.generator", "hifigan")
    spectrum = _spectrum(theirs, FEATURES)
    for name in ("sample_rate", "win_size"):
        put(ours, f"preprocess.{name}", spectrum[name])
    energy = _spectrum(theirs, ENERGY)
    if lookup(theirs, "energy_extract") is not None and energy != {key: spectrum[key] for key in energy}:
        raise UserError(
            f"{source}: energy_extract_conf and feats_extract_conf differ, but here both share one spectrum"
        )
    unlike = [key for key, default, fits in FIXED if key.startswith(TRAINING_ONLY) and _odd(theirs, key, default, fits)]
    if spectrum != _spectrum(theirs, MEL_LOSS):
        unlike.append(MEL_LOSS)
    # An L1 distance of logarithms to another base is a multiple of that of natural ones.
    ours["train"]["loss"]["mel"] /= math.log(log_base(theirs, MEL_LOSS))
    for section, key in ((ours["preprocess"], "fmin"), (ours["train"]["loss"], "mel_fmin")):
        section[key] = section[key] or 0
    return ours, unlike


def log_base(theirs: Tree, section: str = FEATURES) -> float:
    """Base of the logarithm of the mel spectrum that `section` describes."""
    base = lookup(theirs, f"{section}.log_base", 10.0)
    return math.e if base is None else float(base)


def _odd(theirs: Tree, key: str, default: Any, fits: list[Any]) -> bool:
    return lookup(theirs, key, default) not in fits


def _check_model(theirs: Tree, source: str) -> None:
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
        if not key.startswith(TRAINING_ONLY) and _odd(theirs, key, default, fits):
            wanted = f" (it must be {fits[0]!r})" if len(fits) == 1 else ""
            raise UserError(
                f"{source}: {key} is {lookup(theirs, key, default)!r}, which this toolkit's JETS does not have{wanted}"
            )


def _spectrum(theirs: Tree, section: str) -> Tree:
    """Sample rate and sizes of the spectrum that `section` describes, by our names, in samples."""
    defaults = {"fs": _DEFAULT_RATE.get(section, 22050), "n_fft": 1024, "hop_length": 256, "n_mels": 80}
    sizes = {
        ours: lookup(theirs, f"{section}.{key}", defaults.get(key)) for key, ours in TABLE["repeated"][section].items()
    }
    return {**sizes, "sample_rate": _hertz(sizes["sample_rate"]), "win_size": sizes["win_size"] or sizes["n_fft"]}


def _hertz(value: int | str) -> int:
    """22050 of 22050, "22050" and "22.05k"."""
    match = re.fullmatch(r"([0-9.]+)\s*(k?)(?:hz)?", str(value).strip().lower())
    if not match:
        raise UserError(f"the sample rate {value!r} in ESPnet's config is no number of Hz")
    return round(float(match[1]) * (1000 if match[2] else 1))


def to_espnet(config: Tree) -> Tree:
    """ESPnet's training config of one of ours (as a plain tree), without tokens and statistics.

    Raises UserError when ESPnet has one option where our values differ.
    """
    generator = lookup(config, "model.generator")
    if not generator.startswith("hifigan"):
        raise UserError(f"model.generator is {generator!r}, but ESPnet's JETS speaks by HiFi-GAN")
    if lookup(config, "model.discriminator.resolutions"):
        raise UserError("model.discriminator.resolutions is not empty, but ESPnet's JETS has no such discriminators")
    for key, value in (("model.prior_omega", 1.0), ("model.upsampling_delta", 0.1)):
        if lookup(config, key) != value:
            raise UserError(f"{key} is {lookup(config, key)}, but ESPnet's JETS has {value} built in")
    chosen = lookup(config, f"model.generators.{generator}")
    config = {**config, "model": {**config["model"], "generators": {"hifigan": chosen}}}
    theirs: Tree = {}
    for key, _, fits in FIXED:
        put(theirs, key, fits[0])
    for key, value in TABLE["written"].items():
        put(theirs, key, value)
    for key, source in _rows("repeated"):
        put(theirs, key, config["preprocess"][source])
    shared = [(key, ours) for key, _, ours in SHARED] + [(key, [ours]) for key, ours in TABLE["open"].items()]
    for key, sources in shared:
        values = [lookup(config, source) for source in sources]
        if any(value != values[0] for value in values):
            raise UserError(f"ESPnet has one {key.rpartition('.')[2]}, but {' and '.join(sources)} differ here")
        put(theirs, key, _whole(key, values[0]))
    return {**theirs, "optim2_conf": theirs["optim_conf"], "scheduler2_conf": theirs["scheduler_conf"]}


def _whole(key: str, value: Any) -> Any:
    """A value as ESPnet takes it: limits of frequency are whole Hz there."""
    name = key.rpartition(".")[2]
    if name not in ("fmin", "fmax", "f0min", "f0max") or value is None:
        return value
    if value != round(value):
        raise UserError(f"ESPnet wants whole Hz for {name}, but it is {value} here")
    return round(value)
