"""The experiment folder: who may write into it, and whether a config or another experiment's weights fit it."""

from __future__ import annotations

import logging
import shutil
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from config.schema import ExperimentConfig, config_to_dict, save_config
from models.base.checkpoints import (
    FOLDER,
    Checkpoint,
    checkpoint_folders,
    crc32,
    find_checkpoint,
    has_weights,
    read_state,
)
from processors.cast import Cast
from processors.text.tokens import load_tokens, save_tokens
from utils.errors import UserError, one_line
from utils.files import FileLock, disk_errors, project_path, read_json

CONFIG, TOKENS, LEXICON, LOCK = "config.json", "tokens.json", "lexicon.txt", ".lock"

# A trained network only makes sense with these as they were; everything else may change between runs.
_FIXED = ("model_type", "model", "preprocess", "dataset")
# The lexicon's content is part of the features' fingerprint; where the file lies does not matter.
_FREE_WITHIN = tuple(f"preprocess.{key}" for key in ("processed_dir", "num_workers", "engine", "lexicon_path"))
# Where things lie is not worth a note.
_SILENT = ("log_dir", "dataset_path", "download", "inference", *_FREE_WITHIN)

# Settings that decide what weights there are and what they mean ...
_SHARED = ("model_type", "model", "preprocess.sample_rate", "preprocess.hop_size", "preprocess.n_mel")
# ... but for these of a model.
_ANY_WEIGHTS = ("dropout", "stop_gradient", "model.spks", "model.langs", "prosody.steps", "prosody.spread")


log = logging.getLogger(__name__)


def flatten(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """{"a": {"b": 1}} as {"a.b": 1}."""
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        flat |= flatten(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return flat


def changed_keys(before: dict[str, Any], now: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Keys of both configs whose values differ, but for settings of generators that neither model uses."""
    old, new = flatten(before), flatten(now)
    used = tuple(f"model.generators.{tree.get('model.generator')}." for tree in (old, new))
    changed = [key for key in new if key in old and old[key] != new[key]]
    changed = [key for key in changed if not key.startswith("model.generators.") or key.startswith(used)]
    return {key: (old[key], new[key]) for key in changed}


def _is_within(key: str, sections: Sequence[str]) -> bool:
    return any(key == section or key.startswith(f"{section}.") for section in sections)


class Experiment:
    """One experiment folder, `<log_dir>/<name>`."""

    def __init__(self, directory: Path, config: ExperimentConfig) -> None:
        self.directory, self.config = directory, config

    @classmethod
    def named(cls, name: str, config: ExperimentConfig) -> Experiment:
        """The experiment `name`, a plain folder name."""
        return cls(project_path(config.log_dir) / name, config)

    def open(self, resume: bool) -> list[str]:
        """Notes for the user where training may begin (or go on, with `resume`) here; UserError where it may not."""
        path = self.directory / CONFIG
        if not resume and (path.exists() or (self.directory / FOLDER).exists()):
            advice = "go on with it by --resume, or choose another --name"
            raise UserError(f"{self.directory} holds an experiment already: {advice}")
        if not resume:
            return []
        if not checkpoint_folders(self.directory):
            return [f"{self.directory} holds no checkpoint yet: training starts from the beginning"]
        try:
            before = _read_config(path)
        except (OSError, ValueError) as error:
            reason = one_line(error)
            raise UserError(f"{path} cannot be read ({reason}): restore it from a copy of your config") from error
        changes = changed_keys(before, config_to_dict(self.config))
        refused = [key for key in changes if _is_within(key, _FIXED) and not _is_within(key, _FREE_WITHIN)]
        if refused:
            details = _listed({key: changes[key] for key in refused}, "{} was {}, now {}")
            advice = "train under another --name (with --finetune_from to start from these weights)"
            raise UserError(f"cannot go on with {self.directory}: {details}; put that back, or {advice}")
        told = {key: map(_shown, values) for key, values in changes.items() if not _is_within(key, _SILENT)}
        return [f"changed since the last run: {key} {old} -> {new}" for key, (old, new) in told.items()]

    def write(self, tokens: list[str], counts: Mapping[str, int] | None = None, cast: Cast | None = None) -> None:
        """Put config, token table, with `counts` and `cast` as in `save_tokens`, and user lexicons into the folder."""
        preprocess = self.config.preprocess
        with disk_errors(self.directory):
            self.directory.mkdir(parents=True, exist_ok=True)
            save_config(self.config, self.directory / CONFIG)
            path = self.directory / TOKENS
            table = {} if cast is None else cast.table()
            save_tokens(path, tokens, preprocess.phone_extractor, preprocess.language, counts, **table)
            for name, source in lexicons(self.config).items():
                shutil.copyfile(project_path(source), self.directory / name)

    def lock(self) -> FileLock:
        """What keeps a second run out of this folder; not yet taken."""
        advice = "wait for it, stop it, or choose another --name"
        return FileLock(self.directory / LOCK, f"{self.directory} is in use by another run", advice)

    def remove_if_empty(self) -> None:
        """Leave no folder behind when a run ends before it has written anything into it."""
        with suppress(OSError):  # it may be a disk's own folder, or forbidden by now: then it stays
            if self.directory.is_dir() and {path.name for path in self.directory.iterdir()} <= {LOCK}:
                (self.directory / LOCK).unlink(missing_ok=True)
                self.directory.rmdir()

    def check_tokens(self, tokens: list[str], cast: Cast | None = None) -> None:
        """Raise UserError when the folder's token table is not `tokens`, the corpus' one, or has another cast."""
        path = self.directory / TOKENS
        if path.exists():
            difference = token_difference(load_tokens(path)["tokens"], tokens)
            if difference:
                raise UserError(f"cannot go on with {self.directory}: the corpus has other tokens ({difference})")
            before = Cast.read(load_tokens(path))
            for kind in ("speakers", "languages") if cast is not None and before.languages else ():
                new = [name for name in getattr(cast, kind) if name not in getattr(before, kind)]
                if new:
                    advice = "train them under another --name with --finetune_from"
                    raise UserError(f"cannot go on with {self.directory}: new {kind} ({', '.join(new)}); {advice}")


def lexicons(config: ExperimentConfig) -> dict[str, str]:
    """The user lexicons of a config: name in an experiment's folder -> path."""
    found = {} if config.preprocess.lexicon_path is None else {LEXICON: config.preprocess.lexicon_path}
    for preprocess in map(config.preprocess_of, config.dataset):
        if preprocess.lexicon_path is not None and preprocess.lexicon_path not in found.values():
            found[language_lexicon(preprocess.language)] = preprocess.lexicon_path
    return found


def language_lexicon(language: str) -> str:
    """Name of the lexicon of one of several languages in an experiment's folder."""
    return f"lexicon.{language}.txt"


def _read_config(path: Path) -> dict[str, Any]:
    """The tree in a config.json; raises OSError or ValueError."""
    tree = read_json(path)
    if not isinstance(tree, dict):
        raise ValueError("it holds no section of keys")
    return tree


def _shown(value: Any) -> str:
    return one_line(repr(value), 80)


def _listed(changes: dict[str, tuple[Any, Any]], sentence: str) -> str:
    """The first few changes, each in a sentence with its key and the two values."""
    few = "; ".join(sentence.format(key, *map(_shown, values)) for key, values in list(changes.items())[:5])
    return few + (f" and {len(changes) - 5} more" if len(changes) > 5 else "")


def token_difference(one: list[str], other: list[str]) -> str:
    """How two token tables differ, in a few words; empty when they are equal."""
    if one == other:
        return ""
    gone, new = [t for t in one if t not in other], [t for t in other if t not in one]
    if not gone and not new:
        return "the same tokens in another order"
    parts = []
    for label, tokens in (("only there", gone), ("only here", new)):
        if tokens:
            parts.append(f"{label}: {' '.join(tokens[:8])}{' ...' if len(tokens) > 8 else ''}")
    return "; ".join(parts)


def beside(folder: Path, tokens: Sequence[str]) -> dict[str, int]:
    """Checksums of a token table, and of the user lexicon in a folder, for the checkpoints trained with them."""
    found = {TOKENS: zlib.crc32("\n".join(tokens).encode())}
    with suppress(OSError):  # there is none, or who reads it says what is wrong
        found[LEXICON] = crc32(folder / LEXICON)
    return found


def voice_tokens(folder: Path, checkpoint: Path) -> list[str]:
    """The token table in a folder; UserError unless it is the checkpoint's, a warning for another lexicon."""
    tokens: list[str] = load_tokens(folder / TOKENS)["tokens"]
    expected, found = read_state(checkpoint).beside, beside(folder, tokens)
    if expected and expected.get(TOKENS) != found[TOKENS]:
        problem = f"{folder / TOKENS} is not the table that {checkpoint.name} was trained with"
        raise UserError(f"{problem}, and the voice would speak other sounds: get the file again from another copy")
    if expected and expected.get(LEXICON) != found.get(LEXICON):
        log.warning("%s is not the one that %s was trained with", folder / LEXICON, checkpoint.name)
    return tokens


def counts_with(folder: Path, counts: Mapping[str, int] | None) -> Mapping[str, int] | None:
    """How often each token was trained on, `counts` included, by who goes on from a folder's weights; None: unknown."""
    before = load_tokens(folder / TOKENS).get("counts") if (folder / TOKENS).is_file() else None
    return None if before is None or counts is None else Counter(counts) | Counter(before)


def misfit(folder: Path, config: ExperimentConfig, unneeded: Sequence[str] = ()) -> str:
    """Which settings tell a config from that of the weights in `folder`, as far as they count; empty if none does.

    Nothing within `unneeded` does. Raises OSError or ValueError when the folder's config cannot be read.
    """
    changes = changed_keys(_read_config(folder / CONFIG), config_to_dict(config))
    refused = [key for key in changes if _is_within(key, _SHARED) and not _is_within(key, unneeded)]
    refused = [key for key in refused if not key.endswith(_ANY_WEIGHTS)]
    # A part of no layers has no weights, whatever its other settings are.
    absent = tuple(key.removesuffix("layers") for key in refused if key.endswith(".layers") and 0 in changes[key])
    refused = [key for key in refused if not key.startswith(absent)]
    if "model.generator" in refused:  # then the settings of either say nothing
        refused = [key for key in refused if not key.startswith("model.generators.")]
    return _listed({key: changes[key] for key in refused}, "{} is {} there, {} here")


def check_source(source: Path, tokens: list[str], config: ExperimentConfig, networks: Sequence[str] = ()) -> Checkpoint:
    """The newest checkpoint of `source`, an experiment or a packed voice, whose weights this config can start from.

    Settings of those of `networks` that it lacks may differ. Raises UserError where it cannot lend its weights.
    """
    if not (source / CONFIG).is_file():
        raise UserError(f"--finetune_from {source} is no experiment folder: it has no {CONFIG}")
    checkpoint = find_checkpoint(source, "last")
    unneeded = [f"model.{name}" for name in networks if not has_weights(checkpoint.path, name)]
    try:
        details = misfit(source, config, unneeded)
    except (OSError, ValueError) as error:
        raise UserError(f"--finetune_from: {source / CONFIG} cannot be read ({one_line(error)})") from error
    advice = f"; train with its own settings: --config {source / CONFIG}"
    if details:
        raise UserError(f"--finetune_from {source} does not fit this config: {details}{advice}")
    difference = token_difference(voice_tokens(source, checkpoint.path), tokens)
    if difference:
        other = f"--finetune_from {source} has other tokens than this corpus ({difference})"
        raise UserError(f"{other}{advice}, from stage 1 on")
    return checkpoint
