"""Which keys a schema knows, and which of them a mistyped one was probably meant to be."""

from __future__ import annotations

import difflib
import types
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel

KeyPath = tuple[str, ...]


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
    near = nearest(path[-1], siblings)
    if near:
        return f"did you mean {'.'.join((*path[:-1], near))}?"
    everywhere = known_keys(schema)
    near = nearest(path[-1], [known[-1] for known in everywhere])
    if near:
        return f"did you mean {'.'.join(next(known for known in everywhere if known[-1] == near))}?"
    near = next((name for name in siblings if path[-1].startswith(name) or name.startswith(path[-1])), None)
    if near:
        return f"did you mean {'.'.join((*path[:-1], near))}?"
    where = ".".join(path[:-1]) or "the top level"
    return f"keys of {where}: {', '.join(siblings)}" if siblings else f"{where} has no keys of its own"


def nearest(name: str, known: list[str]) -> str | None:
    """The known name that is most like this one, whatever its case; None when none is alike."""
    by_lower = {candidate.lower(): candidate for candidate in known}
    found = difflib.get_close_matches(name.lower(), list(by_lower), n=1, cutoff=0.7)
    return by_lower[found[0]] if found else None
