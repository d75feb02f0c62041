"""Which package trains and speaks which `model_type` (a new one: a line here), and configs, whose keys that decides."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from config.amphion import translate, translated, warn_ignored
from config.schema import EXPERIMENT_CONFIG, ExperimentConfig, Section
from utils.errors import UserError
from utils.files import PROJECT_ROOT, remedy, shown
from utils.layers import KeyPath, Layer, read_chain
from utils.strict import key_type, override_layer, plain_type, split_override, strict_parse

MODEL_PACKAGES: dict[str, str] = {
    "Jets": "models.tts.jets",
}
# Keys that every experiment of before has, and that mean nothing any more.
_REMOVED = ("train.compile", "train.channels_last")
_log = logging.getLogger(__name__)


def model_module(model_type: str, name: str) -> ModuleType:
    """A module (`config`, `trainer`, `synthesizer` ...) of the package behind `model_type`; KeyError where unknown."""
    if model_type not in MODEL_PACKAGES:
        raise KeyError(f"model_type {model_type!r} is not known; known: {', '.join(MODEL_PACKAGES)}")
    return import_module(f"{MODEL_PACKAGES[model_type]}.{name}")


def load_config(path: str | os.PathLike[str], overrides: Sequence[str] = ()) -> ExperimentConfig:
    """The experiment config of a JSON5 file, its bases and overrides; UserError that names the file and the key."""
    return _parse(translated(read_chain(Path(path))), overrides)


def load_experiment_config(expt_dir: str | os.PathLike[str], overrides: Sequence[str] = ()) -> ExperimentConfig:
    """The config that an experiment was trained with, as its folder keeps it; UserError where it has none.

    Keys that it is too old to have take today's default; keys that no longer exist are named in one warning.
    """
    path = Path(expt_dir) / EXPERIMENT_CONFIG
    if not path.is_file():
        advice = remedy(path.parent, "give a folder that stage 2 made, <log_dir>/<name>")
        raise UserError(f"{shown(expt_dir)} is no experiment folder: it has no {EXPERIMENT_CONFIG}; {advice}")
    layers = read_chain(path)
    schema = _schema(_model_type(layers, overrides))
    defaults = PROJECT_ROOT / "config" / f"{_model_type(layers, overrides).lower()}.json"
    dropped: list[str] = []
    layers = [Layer(layer.name, _known_only(layer.tree, schema, (), dropped)) for layer in layers]
    if dropped:
        _log.warning("%s: these keys no longer exist and are left out: %s", shown(path), ", ".join(dropped))
    return _parse([*read_chain(defaults), *layers], overrides)


def _parse(layers: list[Layer], overrides: Sequence[str]) -> ExperimentConfig:
    schema = _schema(_model_type(layers, overrides))
    layers = [*layers, *(translate(override_layer(text, schema), layers) for text in overrides)]
    config = strict_parse(layers, schema)
    warn_ignored(layers, _log)
    return config


def _model_type(layers: list[Layer], overrides: Sequence[str]) -> str:
    """The model_type that wins; it decides which other keys exist, so it is read before them."""
    value: Any = None
    name = layers[-1].name
    for layer in layers:
        if "model_type" in layer.tree:
            value, name = layer.tree["model_type"], layer.name
    for text in overrides:
        key, given = split_override(text)
        if key == "model_type":
            value, name = given.strip("\"'"), "--set model_type"
    known = ", ".join(f'"{known}"' for known in MODEL_PACKAGES)
    if value is None:
        raise UserError(f'{name}: the key model_type is missing (known: {known}); or "base_config": "config/jets.json"')
    if not isinstance(value, str) or value not in MODEL_PACKAGES:
        near = [known for known in MODEL_PACKAGES if str(value).lower() == known.lower()]
        hint = f'; did you mean "{near[0]}"?' if near else ""
        raise UserError(f"{name}: model_type must be one of {known}, but {value!r} is given{hint}")
    return value


def _schema(model_type: str) -> type[ExperimentConfig]:
    return getattr(model_module(model_type, "config"), f"{model_type}Config")


def _known_only(tree: dict[str, Any], schema: type[Section], at: KeyPath, dropped: list[str]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for key, value in tree.items():
        path = (*at, key)
        if key_type(schema, path) is None:
            dropped += {".".join(path)}.difference(_REMOVED)
        elif isinstance(value, dict) and plain_type(key_type(schema, path)) is not None:
            kept[key] = _known_only(value, schema, path, dropped)
        else:
            kept[key] = value
    return kept
