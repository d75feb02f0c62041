"""Config files of Amphion's Jets recipe, as its users have them: what means something here is honoured.

Key names are those of Amphion's config/base.json, config/tts.json, config/jets.json and egs/tts/Jets/exp_config.json.
Keys that this project has under the same name and meaning have no entry in amphion_keys.json. The last two of "train"
there are our own of before: what they switched is always on (channels_last), or was never shown to work (compile).
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from utils.errors import UserError
from utils.files import project_path, read_json
from utils.layers import KeyPath, Layer

_TABLE = read_json(Path(__file__).with_name("amphion_keys.json"))
# Their key -> our keys that take its value.
_RENAMED: dict[str, list[str]] = _TABLE["renamed"]
# Without a counterpart here, by section.
_IGNORED: dict[str, list[str]] = _TABLE["ignored"]
_DROPPED = {
    tuple(f"{section}.{name}".strip(".").split("."))
    for section, rows in _IGNORED.items()
    for name in " ".join(rows).split()
}
# What it multiplies to says nothing that ours does not: it must agree, and only sets ours where nothing else does.
_FACTOR, _HOP = ("train", "upsample_factor"), ("preprocess", "hop_size")
# Sections that none of our keys lies in.
_THEIR_SECTIONS = (("model", "transformer"), ("model", "variance_predictor"))
# Amphion's "-1: no limit" of max_epoch.
_NO_LIMIT = 1_000_000


def translated(layers: Sequence[Layer]) -> list[Layer]:
    """Layers, most general first, in this project's keys; UserError as in `translate`."""
    ours: list[Layer] = []
    for layer in layers:
        ours.append(translate(layer, ours))
    return ours


def translate(layer: Layer, below: Sequence[Layer] = ()) -> Layer:
    """The same layer, over those `below`, in this project's keys.

    :raises UserError: Mandarin phones or unequal widths, which are unsupported, or a factor that is not the hop size.
    """
    sections = (layer.tree.get(name, {}) for name in ("preprocess", "model", "train"))
    if not all(isinstance(section, dict) for section in sections):
        return layer  # The strict parse says what is wrong with it.
    values = dict(_values(layer.tree))
    renamed: dict[KeyPath, str] = {}
    ignored: list[str] = []
    hop = values.get(_HOP, next((hop for one in below[::-1] if (hop := dict(_values(one.tree)).get(_HOP))), None))
    if hop is not None and (factor := values.pop(_FACTOR, hop)) != hop:
        advice = "leave out the former, and set the latter"
        differ = f"train.upsample_factor ({factor}) and preprocess.hop_size ({hop}) differ"
        raise UserError(f"{layer.name}: {differ}, which are one here: {advice}")
    for key, ours in _RENAMED.items():
        theirs = tuple(key.split("."))
        if theirs not in values:
            continue
        value = values.pop(theirs)
        for target in (tuple(name.split(".")) for name in ours):
            if any(values.get(target[:length], {}) != {} for length in range(1, len(target))):
                continue  # The strict parse says that this is no section.
            if target not in values:
                values[target], renamed[target] = value, key
            elif target not in renamed:
                ignored += [key] * (values[target] != value)
            elif values[target] != value:
                differ = f"{renamed[target]} ({values[target]}) and {key} ({value}) differ"
                one = f"the encoder and the decoder have one width here, {'.'.join(target)}"
                raise UserError(f"{layer.name}: {differ}; {one}")
    for path in [path for path in values if path in _DROPPED or path[:2] in _DROPPED or path[:3] in _DROPPED]:
        del values[path]
        ignored.append(".".join(next(path[:n] for n in (1, 2, 3) if path[:n] in _DROPPED)))
    ignored += _adapted(layer.name, values)
    tree: dict[str, Any] = {}
    for path, value in values.items():
        if path not in _THEIR_SECTIONS or value != {}:
            section = tree
            for part in path[:-1]:
                section = section.setdefault(part, {})
            section[path[-1]] = value
    return Layer(layer.name, tree, renamed, tuple(dict.fromkeys(ignored)))


def warn_ignored(layers: Sequence[Layer], log: logging.Logger) -> None:
    """One warning for all keys that change nothing here."""
    found = [(layer.name, layer.ignored) for layer in layers if layer.ignored]
    if found:
        named = "; ".join(f"{name}: {', '.join(keys)}" for name, keys in found)
        log.warning("these keys have no effect here and are left out: %s", named)


def _values(tree: dict[str, Any], at: KeyPath = ()) -> Iterator[tuple[KeyPath, Any]]:
    """Every value of a tree with its path; an empty section is a value."""
    for key, value in tree.items():
        if isinstance(value, dict) and value:
            yield from _values(value, (*at, key))
        else:
            yield (*at, key), value


def _adapted(name: str, values: dict[KeyPath, Any]) -> list[str]:
    """Bring values of keys that both have into our form; returns the keys whose value means nothing here."""
    ignored: list[str] = []
    keep_last, max_epoch = ("train", "keep_last"), ("train", "max_epoch")
    if isinstance(values.get(keep_last), list):
        if kept := [count for count in values.pop(keep_last) if isinstance(count, int) and count > 0]:
            values[keep_last] = kept[0]
        else:
            ignored.append("train.keep_last")
    if values.get(max_epoch) == -1:
        values[max_epoch] = _NO_LIMIT
    extractor = values.get(("preprocess", "phone_extractor"))
    if isinstance(extractor, str) and extractor.startswith("pypinyin"):
        problem = f'preprocess.phone_extractor "{extractor}" (Mandarin) is not supported'
        raise UserError(f'{name}: {problem}; use "ipa" (US English) or "espeak"')
    lexicon = values.get(("preprocess", "lexicon_path"))
    if isinstance(lexicon, str) and lexicon.endswith("librispeech-lexicon.txt") and not project_path(lexicon).exists():
        del values[("preprocess", "lexicon_path")]  # Amphion's own default, a file of its repository.
        ignored.append("preprocess.lexicon_path")
    return ignored
