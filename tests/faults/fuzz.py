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
# What a test of this folder has tried so far, by kind.
TALLY: Counter[str] = Counter()
_DEEP = 20_000
_ODD = [
    None, True, 0, -1, 1, 2**31, 2**63, -(2**63) - 1, 10**400, 0.5, 1e308, float("inf"), float("nan"), "", "1", "nan",
    "../../x", "/etc/passwd", "\x00", "\ud800", "a" * 5000, "\n", "ü", [], [[]], {}, {"a": 1}, [None], ["^"], {"": {}},
    [1, 2, 3], [{"id": []}],
]  # fmt: skip
# No JSON, or too deep for a parser that calls itself.
_BROKEN = ["", "{", "[" * _DEEP, '{"a":' * _DEEP, "null", "[]", '""', "\ufeff{}", "{}{}", "NaN", "{'a': 1}"]


def fuzzed(function: Callable[..., None]) -> Callable[..., None]:
    """Run a test on as many inputs as `--examples` says; it draws each from the random generator `rng`."""

    @functools.wraps(function)
    def counted(*given: Any, **named: Any) -> None:
        TALLY["damaged inputs"] += 1
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


def any_text(rng: random.Random, longest: int) -> str:
    """Up to `longest` characters, from ASCII, from common scripts, and from all of Unicode, lone surrogates too."""
    reach = rng.choice((127, 0x3000, 0x110000))
    return "".join(chr(rng.randrange(32 if rng.random() < 0.9 else 0, reach)) for _ in range(rng.randint(0, longest)))


def changed_json(tree: Any, rng: random.Random) -> bytes:
    """Bytes of a JSON file that holds nearly `tree`: one to three nodes are replaced, removed or added."""
    if rng.randrange(10) == 0:
        return rng.choice(_BROKEN).encode()
    root = [copy.deepcopy(tree)]
    for _ in range(rng.randint(1, 3)):
        parent = rng.choice([*_parents(root), root])
        key = rng.choice(list(parent) if isinstance(parent, dict) else range(len(parent)))
        action = rng.choice(("replace", "replace", "remove", "add"))
        odd = copy.deepcopy(rng.choice([*_ODD, rng.uniform(-1e6, 1e6), any_text(rng, 8)]))
        if action == "remove" and parent is not root:
            del parent[key]
        elif action == "add" and isinstance(parent, dict):
            parent[str(odd)[:20]] = odd
        else:
            parent[key] = odd
    return json.dumps(root[0]).encode()


def _parents(tree: Any) -> list[Any]:
    """Every filled list and object in a tree."""
    inner = list(tree.values()) if isinstance(tree, dict) else tree if isinstance(tree, list) else []
    return [parent for child in inner for parent in _parents(child)] + ([tree] if inner else [])


def damaged(whole: bytes, pieces: list[str], rng: random.Random) -> bytes:
    """`whole` with stretches replaced by others of its own, by `pieces` or by anything, cut short, with bytes changed.

    Half of the places lie anywhere, the others near the start, where formats say what follows.
    """

    def place() -> int:
        return rng.randint(0, len(whole)) if rng.random() < 0.5 else int((len(whole) + 1) ** rng.random()) - 1

    for _ in range(rng.choice((0, 1, 2, 5))):
        start, source = place(), place()
        own = whole[source : source + rng.randrange(30)]
        new = rng.choice((own, rng.randbytes(rng.randrange(4)), any_text(rng, 6).encode(errors="surrogatepass")))
        if pieces and rng.random() < 0.5:
            new = rng.choice(pieces).encode(errors="surrogatepass")
        whole = whole[:start] + new * rng.choice((1, 1, 1, 40)) + whole[start + rng.choice((0, 0, 1, 3, 20)) :]
    return whole[: place()] if rng.randrange(4) == 0 else whole
