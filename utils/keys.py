"""Keys of a schema: which there are, what they take, which one a mistyped one was meant to be; `--set key=value`."""

from __future__ import annotations

import difflib
import types
from collections.abc import Sequence
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, TypeAdapter, ValidationError

from utils.errors import UserError
from utils.json_text import check_usable, parse_value
from utils.layers import KeyPath, Layer


def plain_type(annotation: Any) -> Any:
    """An annotation without `Annotated` and `| None`."""
    if get_origin(annotation) is Annotated:
        return plain_type(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        kinds = [a for a in get_args(annotation) if a is not type(None)]
        return plain_type(kinds[0]) if len(kinds) == 1 else annotation
    return annotation


def is_section(annotation: Any) -> bool:
    """Whether a key of this type holds keys that the schema names."""
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def key_type(schema: Any, path: KeyPath) -> Any:
    """Annotation of the key at `path`, or None when the schema has no such key."""
    if not path:
        return schema
    kind = plain_type(schema)
    if is_section(kind):
        known = kind.model_fields.get(path[0])
        # `rebuild_annotation` puts back the limits that pydantic keeps apart from the type.
        return None if known is None else key_type(known.rebuild_annotation(), path[1:])
    if get_origin(kind) is dict:
        return key_type(get_args(kind)[1], path[1:])
    return None


def known_keys(schema: type[BaseModel], prefix: KeyPath = ()) -> list[KeyPath]:
    """Every key path of a schema, sections included, in its order."""
    found: list[KeyPath] = []
    for name, info in schema.model_fields.items():
        path = (*prefix, name)
        found.append(path)
        kind = plain_type(info.annotation)
        if is_section(kind):
            found += known_keys(kind, path)
    return found


def suggestion(schema: type[BaseModel], path: KeyPath) -> str:
    """End of an error sentence: the nearest known key, or the keys that this section has."""
    section = plain_type(key_type(schema, path[:-1]))
    siblings = list(section.model_fields) if is_section(section) else []
    begun = [name for name in siblings if path[-1].startswith(name) or name.startswith(path[-1])]
    here = [(*path[:-1], name) for name in siblings]
    for known in (here, known_keys(schema)):
        near = nearest(path[-1], [key[-1] for key in known])
        if near:
            return f"did you mean {'.'.join(next(key for key in known if key[-1] == near))}?"
    if begun:
        return f"did you mean {'.'.join((*path[:-1], begun[0]))}?"
    where = ".".join(path[:-1]) or "the top level"
    return f"keys of {where}: {', '.join(siblings)}" if siblings else f"{where} has no keys of its own"


def nearest(name: str, known: list[str]) -> str | None:
    """The known name that is most like this one, whatever its case; None when none is alike."""
    by_lower = {candidate.lower(): candidate for candidate in known}
    found = difflib.get_close_matches(name.lower(), list(by_lower), n=1, cutoff=0.7)
    return by_lower[found[0]] if found else None


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
        check_usable(tree)
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
