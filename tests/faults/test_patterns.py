"""No regular expression of the project can be sent astray: hostile texts are made from each, and judged by growth."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from tests.faults.growth import exponent
from tests.faults.hostile import Found, Hostile, hostile, modules, patterns

LONGEST = 1000  # characters; cubic work takes seconds by then, quadratic a few thousandths
ALLOWED = 2.5  # power of the length: where a pattern searches, quadratic work can be


def growth(found: Found, case: Hostile) -> float:
    unit = len(case.text(2)) - len(case.text(1))
    return exponent(lambda n: found.apply(case.text(n)), max(8, LONGEST // unit), ALLOWED)


@pytest.mark.parametrize("module", modules())
def test_no_pattern_grows_faster_than_with_the_square(module: str, tally: Counter[str]) -> None:
    for found in patterns(module):
        tally["patterns"] += 1
        for case in hostile(found.regex):
            tally["hostile texts for patterns"] += 1
            power = growth(found, case)
            assert power <= ALLOWED, f"{found.place}: {found.regex.pattern} on {case}: grows with the power {power:.1f}"


@pytest.mark.parametrize(
    ("pattern", "anchored"),
    [
        (r"(?s)\s*(?:<!--.*?-->\s*)*<speak", True), (r"(a+)+$", False), (r"(?:a|aa)*b", True), (r"(?:\w+,?)*$", True),
        (r"(\+?)([\d\s().\-/]*\d[\d\s().\-/]*)(?:\s*ext\s*(\d+))?", True), (r"\d*\d*\d*x", True),
    ],
)  # fmt: skip
def test_bad_patterns_are_found(pattern: str, anchored: bool) -> None:
    found = Found("", re.compile(pattern), anchored)
    assert any(growth(found, case) > ALLOWED for case in hostile(found.regex))


def test_every_pattern_is_collected() -> None:
    assert len(modules()) > 30 and sum(1 for _ in patterns("processors.text.times")) > 30
