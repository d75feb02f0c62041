"""Inputs that nobody writes on purpose: JSON with odd values, bytes with damage anywhere."""

from __future__ import annotations

import copy
import functools
import json
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from utils.errors import UserError

# Seconds of computing that any input may take.
LIMIT = 5.0
_DEEP = 20_000
ODD_VALUES = [
    None, True, False, 0, -1, 1, 2**31, 2**63, -(2**63) - 1, 10**400, 0.5, -0.0, 1e308, float("inf"), float("-inf"),
    float("nan"), "", "1", "nan", "../../x", "/etc/passwd", "\x00", "\ud800", "a" * 5000, "\n", "ü", [], [[]], {},
    {"a": 1}, [None], ["^"], {"": {}}, [1, 2, 3], [{"id": []}],
]  # fmt: skip
# No JSON, or too deep for a parser that calls itself.
_BROKEN = ["", "{", "[" * _DEEP, '{"a":' * _DEEP, "null", "[]", "0", '""', "\ufeff{}", "{}{}", "NaN", "{'a': 1}"]


# What a test of this folder has tried so far, by kind.
TALLY: Counter[str] = Counter()


def fuzzed(function: Callable[..., None]) -> Callable[..., None]:
    """Run a test on as many inputs as `--examples` says; it draws each from the random generator `rng`."""

    @functools.wraps(function)
    def counted(*given: Any, **named: Any) -> None:
        TALLY[f"inputs of {function.__module__.rpartition('.')[2]}"] += 1
        function(*given, **named)

    seeds = st.integers(0, 2**63).map(random.Random)
    return settings(settings.get_profile("faults"))(given(rng=seeds)(counted))


@contextmanager
def only_user_errors() -> Iterator[None]:
    """Whatever the block meets, it says in a sentence, and soon."""
    began = time.process_time()
    try:
        yield
    except UserError as error:
        # A config gets a line for each of its mistakes.
        for sentence in str(error).split("\n"):
            assert sentence.isprintable() and 10 < len(sentence) < 1500, f"no sentence: {sentence[:300]!r}"
    assert time.process_time() - began < LIMIT


def paths_of(tree: Any) -> list[tuple[Any, ...]]:
    """Key paths of every node of a tree, the root's () first."""
    found: list[tuple[Any, ...]] = [()]
    children = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in children:
        found += [(key, *path) for path in paths_of(value)]
    return found


def odd_value(rng: random.Random) -> Any:
    """Any JSON value, mostly of the kinds that programs forget."""
    kind = rng.randrange(8)
    if kind == 0:
        return rng.uniform(-1e3, 1e3)
    if kind == 1:
        return rng.randrange(-(10**6), 10**6)
    if kind == 2:
        return any_text(rng, 8)
    if kind == 3:
        return [odd_value(rng) for _ in range(rng.randrange(3))]
    return copy.deepcopy(rng.choice(ODD_VALUES))


def any_text(rng: random.Random, longest: int) -> str:
    """Up to `longest` characters, from ASCII, from common scripts, and from all of Unicode, lone surrogates too."""
    reach = rng.choice((127, 0x3000, 0x110000))
    return "".join(chr(rng.randrange(32 if rng.random() < 0.9 else 0, reach)) for _ in range(rng.randint(0, longest)))


def changed_tree(tree: Any, rng: random.Random) -> Any:
    """`tree` with one to three nodes replaced, removed or added."""
    tree = copy.deepcopy(tree)
    for _ in range(rng.randint(1, 3)):
        path = rng.choice(paths_of(tree))
        if not path:
            tree = odd_value(rng) if rng.randrange(8) == 0 else tree
            continue
        parent = tree
        for key in path[:-1]:
            parent = parent[key]
        action = rng.choice(("replace", "replace", "replace", "remove", "add"))
        if action == "remove":
            del parent[path[-1]]
        elif action == "add" and isinstance(parent, dict):
            parent[str(odd_value(rng))[:20]] = odd_value(rng)
        else:
            parent[path[-1]] = odd_value(rng)
    return tree


def changed_json(tree: Any, rng: random.Random) -> bytes:
    """Bytes of a JSON file that holds nearly `tree`."""
    kind = rng.randrange(10)
    if kind == 0:
        return rng.choice(_BROKEN).encode()
    if kind < 3:
        return damaged(json.dumps(tree).encode(), rng)
    return json.dumps(changed_tree(tree, rng)).encode()


def changed_json_lines(rows: list[Any], rng: random.Random) -> bytes:
    """Bytes of a JSON Lines file that holds nearly `rows`."""
    kind = rng.randrange(10)
    changed = changed_tree(rows, rng) if kind > 3 else rows
    lines = [json.dumps(row) for row in (changed if isinstance(changed, list) else [changed])]
    if kind == 0:
        lines.insert(rng.randrange(len(lines) + 1), rng.choice(_BROKEN))
    elif kind == 1:
        rng.shuffle(lines)
    whole = "".join(f"{line}\n" for line in lines).encode()
    return damaged(whole, rng) if kind in (2, 3) else whole


def damaged(whole: bytes, rng: random.Random, head: int = 200) -> bytes:
    """`whole` cut short, with bytes changed, mostly among the first `head`, and with bytes put in or taken out."""
    content = bytearray(whole)
    if rng.randrange(3) == 0:
        del content[rng.randint(0, len(content)) :]
    for _ in range(rng.choice((0, 1, 2, 4, 8))):
        if content:
            reach = len(content) if rng.random() < 0.5 else min(head, len(content))
            content[rng.randrange(reach)] = rng.randrange(256)
    if rng.randrange(4) == 0:
        at = rng.randint(0, len(content))
        content[at : at + rng.randrange(40)] = rng.randbytes(rng.randrange(40))
    return bytes(content)


def reassembled(text: str, pieces: list[str], rng: random.Random) -> str:
    """`text` with a few stretches replaced by others of its own, by `pieces`, or by anything."""
    for _ in range(rng.randint(1, 5)):
        start = rng.randint(0, len(text))
        end = min(len(text), start + rng.choice((0, 0, 1, 3, 20)))
        source = rng.randrange(4)
        at = rng.randint(0, len(text))
        new = rng.choice(pieces)
        if source < 2:
            new = text[at : at + rng.randrange(30)] if source else any_text(rng, 6)
        text = text[:start] + new * rng.choice((1, 1, 1, 40)) + text[end:]
    return text
