"""Typed configs: a strict parse whose errors name file, key and what the key takes; `--set key=value`."""

from __future__ import annotations

import difflib
import json
import re
import types
from collections.abc import Sequence
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from utils.errors import UserError, one_line
from utils.layers import KeyPath, Layer, Merged, check_usable, parse_value

Schema = TypeVar("Schema", bound=BaseModel)

_EXPECTED = {
    **dict.fromkeys(("int_type", "int_from_float"), "a whole number"),
    **dict.fromkeys(("list_type", "tuple_type"), "a list in [ ]"),
    **dict.fromkeys(("dict_type", "model_type", "model_attributes_type"), "a section in { }"),
    "float_type": "a number",
    "string_type": "text in quotes",
    "bool_type": "true or false",
    "finite_number": "a finite number",
    "none_required": "null",
}
_LIMITS = {
    "greater_than": ("above", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("below", "lt"),
    "less_than_equal": ("at most", "le"),
}


def strict_parse(layers: Sequence[Layer], schema: type[Schema]) -> Schema:
    """The typed config of merged layers; UserError with one sentence for each thing that is wrong."""
    merged = Merged(layers)
    try:
        # JSON mode: numbers, texts and flags are never converted into each other, yet lists become tuples.
        return schema.model_validate_json(json.dumps(_whole_numbers(merged.tree)), strict=True)
    except ValidationError as error:
        details = error.errors(include_url=False)
        missing = [d["loc"] for d in details if d["type"] == "missing" and isinstance(d["loc"][-1], str)]
        sentences = [_sentence(dict(d), merged, schema) for d in details if d["loc"] not in missing]
    if missing:
        names = [".".join(map(str, location)) for location in missing]
        keys = f"the key {names[0]} is" if len(names) == 1 else f"the keys {', '.join(names)} are"
        no_base = any(len(location) == 1 for location in missing)
        hint = '; start from a base, for instance "base_config": "config/jets.json"' if no_base else ""
        sentences.append(f"{merged.origin(tuple(map(str, missing[0]))).name}: {keys} missing{hint}")
    raise UserError("\n".join(dict.fromkeys(sentences)))


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
    named = [tuple(word.split(".")) for word in re.findall(r"[A-Za-z_]\w*(?:\.\w+)*", message)]
    last = max((merged.index(path) for parts in named for path in ((*section, *parts), parts)), default=-1)
    layer = merged.layers[last] if last >= 0 else merged.origin(section)
    where = f"{'.'.join(section)}: " if section else ""
    return f"{layer.name}: {where}{message}"


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
        kind = plain_type(info.annotation)
        found += [(*prefix, name), *(known_keys(kind, (*prefix, name)) if is_section(kind) else ())]
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
    """The layer of one `--set section.key=value`; values are JSON5 where they can be, otherwise text."""
    key, value_text = split_override(text)
    path = _key_path(key, schema)
    try:
        tree: Any = _value(value_text, key_type(schema, path))
        for part in reversed(path):
            tree = {part: tree}
        check_usable(tree)
    except UserError as error:
        raise UserError(f"--set {key}: {error}") from None
    return Layer("--set", tree)


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
    may_be_null = type(None) in get_args(annotation)
    takes_text = plain_type(annotation) is str and not (value is None and may_be_null)
    return text if takes_text and not isinstance(value, str) else value
