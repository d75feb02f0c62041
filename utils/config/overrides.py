"""`--set section.key=value` on the command line: the last word over every config file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args, get_origin

from pydantic import BaseModel, TypeAdapter, ValidationError

from utils.config.inheritance import Layer
from utils.config.json5_text import parse_value
from utils.config.keys import KeyPath, is_section, key_type, plain_type
from utils.errors import UserError


def split_override(text: str) -> tuple[str, str]:
    """Key and value text of `section.key=value`; UserError when it is not of that form."""
    key, equals, value = text.partition("=")
    key = key.strip()
    if not equals or not key.isprintable() or any(not part for part in key.split(".")):
        raise UserError(f"--set {text!r}: expected section.key=value, for instance train.batch_size=8")
    return key, value


def override_layer(text: str, schema: type[BaseModel]) -> Layer:
    """The layer of one override; values are JSON5 where they can be, otherwise text."""
    key, value_text = split_override(text)
    path = _key_path(key, schema)
    tree: dict[str, Any] = {}
    section = tree
    for part in path[:-1]:
        section = section.setdefault(part, {})
    try:
        section[path[-1]] = _value(value_text, key_type(schema, path))
    except UserError as error:
        raise UserError(f"--set {key}: {error}") from None
    return Layer("--set", tree)


def override_layers(overrides: Sequence[str], schema: type[BaseModel]) -> list[Layer]:
    """One layer for each override, in the order given: a later one wins."""
    if isinstance(overrides, str):
        raise TypeError("overrides is a list of section.key=value texts")
    return [override_layer(text, schema) for text in overrides]


def _key_path(key: str, schema: type[BaseModel]) -> KeyPath:
    """Key path of a dotted key; names of corpora may have dots of their own."""
    parts = tuple(key.split("."))
    for length in range(1, len(parts)):
        kind = plain_type(key_type(schema, parts[:length]))
        if get_origin(kind) is dict:
            rest = parts[length:]
            inner = 1 if is_section(plain_type(get_args(kind)[1])) and len(rest) > 1 else 0
            name = rest[: len(rest) - inner]
            return (*parts[:length], ".".join(name), *rest[len(name) :])
    return parts


def _value(text: str, annotation: Any) -> Any:
    """JSON5 value of a text; the text itself where it is no JSON5, or where the key takes text only."""
    try:
        value = parse_value(text)
    except ValueError:
        return text
    if annotation is not None and not isinstance(value, str) and not _fits(annotation, value):
        return text if _fits(annotation, text) else value
    return value


def _fits(annotation: Any, value: Any) -> bool:
    try:
        TypeAdapter(annotation).validate_python(value, strict=True)
    except ValidationError:
        return False
    return True
