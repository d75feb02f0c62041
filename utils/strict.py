"""Strict parse of merged values; every error names its file, its key, and what the key takes."""

from __future__ import annotations

import json
import re
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from utils.errors import UserError, one_line
from utils.keys import key_type, nearest, suggestion
from utils.layers import KeyPath, Layer, Merged

Schema = TypeVar("Schema", bound=BaseModel)

_EXPECTED = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "string_type": "text in quotes",
    "bool_type": "true or false",
    "list_type": "a list in [ ]",
    "tuple_type": "a list in [ ]",
    "dict_type": "a section in { }",
    "model_type": "a section in { }",
    "model_attributes_type": "a section in { }",
    "finite_number": "a finite number",
    "none_required": "null",
}
_LIMITS = {
    "greater_than": ("above", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("below", "lt"),
    "less_than_equal": ("at most", "le"),
}


def strict_parse(merged: Merged, schema: type[Schema]) -> Schema:
    """The typed config; UserError with one sentence for each thing that is wrong."""
    try:
        # JSON mode: numbers, texts and flags are never converted into each other, yet lists become tuples.
        return schema.model_validate_json(json.dumps(_whole_numbers(merged.tree)), strict=True)
    except ValidationError as error:
        details = error.errors(include_url=False)
        missing = [d["loc"] for d in details if d["type"] == "missing" and isinstance(d["loc"][-1], str)]
        sentences = [_sentence(dict(d), merged, schema) for d in details if d["loc"] not in missing]
    if missing:
        sentences.append(_missing([tuple(map(str, location)) for location in missing], merged))
    raise UserError("\n".join(dict.fromkeys(sentences)))


def _missing(paths: list[KeyPath], merged: Merged) -> str:
    names = [".".join(path) for path in paths]
    keys = f"the key {names[0]} is" if len(names) == 1 else f"the keys {', '.join(names)} are"
    no_base = any(len(path) == 1 for path in paths)
    hint = '; start from a base, for instance "base_config": "config/jets.json"' if no_base else ""
    return f"{merged.origin(paths[0]).name}: {keys} missing{hint}"


def _whole_numbers(value: Any) -> Any:
    """Write 1e4 as 10000, which is what a key for whole numbers needs and a key for numbers takes too."""
    if isinstance(value, dict):
        return {key: _whole_numbers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_whole_numbers(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _sentence(detail: dict[str, Any], merged: Merged, schema: type[BaseModel]) -> str:
    location = detail["loc"]
    keys: KeyPath = tuple(part for part in location if isinstance(part, str))
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "value_error":
        return _broken_rule(str(context["error"]), keys, merged)
    layer = merged.origin(keys)
    name = merged.name_of(keys) + "".join(f"[{part}]" for part in location if isinstance(part, int))
    if kind == "extra_forbidden":
        return f"{layer.name}: unknown key {one_line(name, 100)}; {suggestion(schema, keys)}"
    if kind == "missing":
        section = merged.name_of(keys)
        return f"{layer.name}: {section} has too few entries; {_given(merged.tree, location[:-1])} is given"
    given = _given(merged.tree, location)
    hint = ""
    if kind == "literal_error":
        near = nearest(given.strip('"'), re.findall(r"'([^']*)'", context["expected"]))
        hint = f'; did you mean "{near}"?' if near else ""
    return f"{layer.name}: {name} must be {_expected(detail, schema, keys)}, but {given} is given{hint}"


def _expected(detail: dict[str, Any], schema: type[BaseModel], keys: KeyPath) -> str:
    kind, context = detail["type"], detail.get("ctx", {})
    or_null = " or null" if type(None) in getattr(key_type(schema, keys), "__args__", ()) else ""
    if kind in _EXPECTED:
        return _EXPECTED[kind] + or_null
    if kind in _LIMITS:
        word, limit = _LIMITS[kind]
        return f"{word} {context[limit]:g}{or_null}"
    if kind == "literal_error":
        return f"one of {context['expected']}{or_null}"
    if kind in ("too_short", "too_long"):
        limit = context.get("min_length", context.get("max_length"))
        return f"a list with {'at least' if kind == 'too_short' else 'at most'} {limit} entries"
    if kind == "string_pattern_mismatch":
        return f"text of the form {context['pattern']}"
    return f"valid ({detail['msg'][0].lower()}{detail['msg'][1:]})"


def _given(tree: Any, location: tuple[int | str, ...]) -> str:
    for part in location:
        try:
            tree = tree[part]
        except (KeyError, IndexError, TypeError):
            break
    text = json.dumps(tree, ensure_ascii=False)
    return text if len(text) <= 80 else text[:77] + "..."


def _broken_rule(message: str, section: KeyPath, merged: Merged) -> str:
    """A rule over several keys: the file to open is the last one that set any key the message names."""
    last: tuple[int, Layer] | None = None
    for word in re.findall(r"[A-Za-z_]\w*(?:\.\w+)*", message):
        parts = tuple(word.split("."))
        for path in ((*section, *parts), parts):
            index = merged.origins.get(path)
            if index is not None and (last is None or index > last[0]):
                last = (index, merged.layers[index])
    layer = last[1] if last else merged.origin(section)
    where = f"{'.'.join(section)}: " if section else ""
    return f"{layer.name}: {where}{message}"
