"""The sources of a config, merged key by key, and which of them each value came from."""

from __future__ import annotations

import copy
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from utils.errors import UserError
from utils.json_text import read_json5
from utils.paths import PROJECT_ROOT, shown

KeyPath = tuple[str, ...]
BASE_KEY = "base_config"


@dataclass(frozen=True)
class Layer:
    """One source of values: a config file, or the command line.

    `renamed` maps a key path of ours to the name that the source has for it; `ignored` are keys of the source that
    mean nothing here; `upsample_factor` is its value in files of Amphion's recipe.
    """

    name: str
    tree: dict[str, Any]
    renamed: dict[KeyPath, str] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()
    upsample_factor: Any = None


class Merged:
    """The values of all layers; a later layer overrides: sections merge, everything else replaces.

    Raises UserError that names the layer which gives a plain value to a section.
    """

    def __init__(self, layers: Sequence[Layer]) -> None:
        self.layers = layers
        self.tree: dict[str, Any] = {}
        for layer in layers:
            _merge(self.tree, layer.tree, (), layer.name)

    def index(self, path: KeyPath) -> int:
        """Number of the layer that set this key last; -1 where none has."""
        return max((i for i, layer in enumerate(self.layers) if _holds(layer.tree, path)), default=-1)

    def origin(self, path: KeyPath) -> Layer:
        """The layer that set this key last, or the nearest section around it."""
        found = (self.index(path[:length]) for length in range(len(path), 0, -1))
        return self.layers[next((index for index in found if index >= 0), -1)]

    def name_of(self, path: KeyPath) -> str:
        """The key as its source calls it."""
        return self.origin(path).renamed.get(path, ".".join(path))


def _merge(target: dict[str, Any], source: dict[str, Any], at: KeyPath, name: str) -> None:
    for key, value in source.items():
        if isinstance(value, dict):
            if not isinstance(target.get(key), dict):
                target[key] = {}
            _merge(target[key], value, (*at, key), name)
        elif isinstance(target.get(key), dict):
            path = ".".join((*at, key))
            raise UserError(f"{name}: {path} is a section of keys in {{ }}, but {value!r} is given")
        else:
            target[key] = copy.deepcopy(value)


def _holds(tree: Any, path: KeyPath) -> bool:
    for part in path:
        if not isinstance(tree, dict) or part not in tree:
            return False
        tree = tree[part]
    return True


def read_chain(path: Path) -> list[Layer]:
    """A config file and the files it builds on through `base_config`, the most general first.

    Raises UserError for a file that is missing or broken, and for files that build on each other in a circle.
    """
    layers: list[Layer] = []
    seen: list[Path] = []
    current: Path | None = Path(path)
    while current is not None:
        resolved = current.resolve()
        if resolved in seen:
            circle = " -> ".join(shown(p) for p in [*seen[seen.index(resolved) :], resolved])
            raise UserError(f"{shown(current)}: {BASE_KEY} leads in a circle: {circle}")
        seen.append(resolved)
        tree = read_json5(current)
        base = tree.pop(BASE_KEY, None)
        layers.append(Layer(shown(current), tree))
        current = None if base is None else _find_base(base, current)
    return layers[::-1]


def _find_base(base: Any, child: Path) -> Path:
    """A base is looked for from the project's root, then beside the file that names it."""
    if not isinstance(base, str) or not base:
        raise UserError(f"{shown(child)}: {BASE_KEY} must be the path of a config file, but {base!r} is given")
    candidates = list(dict.fromkeys([PROJECT_ROOT / os.path.expanduser(base), child.absolute().parent / base]))
    for candidate in candidates:
        if os.path.isfile(candidate):  # unlike pathlib's, it takes names that no file can have
            return candidate
    looked = " and ".join(shown(c) for c in candidates)
    raise UserError(f"{shown(child)}: {BASE_KEY} {base!r} does not exist (looked for {looked})")
