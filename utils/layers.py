"""The files of a config: JSON5, with errors that say where and what to mend, merged key by key."""

from __future__ import annotations

import copy
import functools
import json
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import json5

from utils.errors import UserError
from utils.files import PROJECT_ROOT, regular, shown

KeyPath = tuple[str, ...]
BASE_KEY = "base_config"
_NO_TEXT = re.compile(r"[\0\ud800-\udfff]")
_POSITION = re.compile(r":(\d+) (Unexpected .*) at column (\d+)$", re.DOTALL)


@dataclass(frozen=True)
class Layer:
    """One source of values: a config file, or the command line.

    `renamed` maps a key path of ours to the name that the source has for it; `ignored` are keys of the source that
    mean nothing here.
    """

    name: str
    tree: dict[str, Any]
    renamed: dict[KeyPath, str] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()


class Merged:
    """The values of all layers: in a later one sections merge and everything else replaces. UserError if it cannot."""

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
    """A config file and those that it builds on through `base_config`, most general first; UserError if that fails."""
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


def _object(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for key, value in pairs:
        if key in tree and tree[key] != value:
            raise UserError(f"the key {key!r} stands twice in one section, with different values: keep one")
        tree[key] = value
    return tree


def parse_value(text: str) -> Any:
    """One JSON5 value; raises ValueError for a syntax error and UserError for a key with two values."""
    try:
        # Most of what is read was written as plain JSON, for which there is a fast parser.
        return json.loads(text, object_pairs_hook=_object)
    except (ValueError, RecursionError):
        try:
            return json5.loads(text, object_pairs_hook=_object)
        except RecursionError:
            raise ValueError("its brackets are nested too deeply") from None


def check_usable(value: Any, key: str = "", depth: int = 0) -> None:
    """UserError for what no config may hold: numbers beyond arithmetic, text beyond paths, endless nesting."""
    name = key or "a key"
    if depth > 20:
        raise UserError(f"{name[:100]} is nested too deeply")
    if isinstance(value, dict):
        for part, item in value.items():
            check_usable(part, key, depth + 1)
            check_usable(item, f"{key}.{part}" if key else part, depth + 1)
    elif isinstance(value, list):
        for item in value:
            check_usable(item, key, depth + 1)
    elif isinstance(value, str):
        if _NO_TEXT.search(value):
            raise UserError(f"{name} holds NUL, or half of a pair of characters, which no text can have")
    elif isinstance(value, (int, float)) and not isinstance(value, bool) and not -1e300 < value < 1e300:
        raise UserError(f"{name} must be a finite number below 1e300")


# The same few defaults are read again and again, and the parser is slow.
_parsed = functools.lru_cache(maxsize=64)(parse_value)


def read_json5(path: Path) -> dict[str, Any]:
    """The section that a JSON5 file holds; UserError names file, line and column of what cannot be read."""
    name = shown(path)
    try:
        text = regular(path).read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise UserError(f"{name}: no such config file") from None
    except IsADirectoryError:
        raise UserError(f"{name} is a folder; a config file is needed") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{name}: not UTF-8 text (byte {error.start}); save the file as UTF-8") from None
    except OSError as error:
        raise UserError(f"{name}: cannot be read ({error.strerror})") from None
    if not text.strip():
        raise UserError(f"{name}: the file is empty; it needs at least {{}}")
    try:
        tree = copy.deepcopy(_parsed(text))
        check_usable(tree)
    except UserError as error:
        raise UserError(f"{name}: {error}") from None
    except ValueError as error:
        raise UserError(f"{name}: {_explain(str(error), text)}") from None
    if not isinstance(tree, dict):
        raise UserError(f"{name}: a config file holds one section in {{ }}, not {type(tree).__name__}")
    return tree


def _explain(message: str, text: str) -> str:
    found = _POSITION.search(message)
    if not found:
        return f"not valid JSON5 ({message})"
    line, what, column = int(found[1]), found[2], int(found[3])
    lines = text.splitlines() or [""]
    this = lines[line - 1] if line <= len(lines) else ""
    if "end of input" not in what and this[column - 2 : column - 1] in ("#", "=") and column > 1:
        column -= 1  # The parser notices one character late.
        what = f'Unexpected "{this[column - 1]}"'
    hint = _hint(what, this[column - 1 :], text)
    return f"line {line}, column {column}: {what[0].lower()}{what[1:]}".replace("\n", "\\n") + f"; {hint}"


def _hint(what: str, rest: str, text: str) -> str:
    """What most likely went wrong, from the first characters that the parser could not take."""
    if "end of input" in what:
        opened = _unclosed(text)
        return f"{opened} is never closed" if opened else "something is not closed"
    if rest == "" or "\\n" in repr(what):
        return "a string must end on the line it starts on"
    if rest[0] == "#":
        return "comments start with //"
    if rest[0] == "=":
        return "a colon separates a key from its value"
    if rest[0] in "}],:":
        return "a value is missing before it, or a bracket does not match"
    return "a comma or a colon may be missing before it, or text needs quotes (true, false and null are lower case)"


def _unclosed(text: str) -> str:
    """The innermost bracket, string or comment that is still open at the end, with its line."""
    stack: list[tuple[str, int]] = []
    token = re.compile(r"""//[^\n]*|/\*.*?\*/|/\*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|["'{}\[\]]""", re.DOTALL)
    for match in token.finditer(text):
        symbol, line = match[0], text.count("\n", 0, match.start()) + 1
        if symbol == "/*":
            return f"the comment /* of line {line}"
        if symbol in "\"'":
            return f"the string of line {line}"
        if symbol in "{[":
            stack.append((symbol, line))
        elif symbol in "}]" and stack:
            if (stack[-1][0] == "{") != (symbol == "}"):
                break
            stack.pop()
    return f"the {stack[-1][0]} of line {stack[-1][1]}" if stack else ""
