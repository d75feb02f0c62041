"""No regular expression of the project can be sent astray: hostile texts are made from each, and judged by growth."""

from __future__ import annotations

import math
import re
import time

import pytest

from tests.faults.fuzz import TALLY
from tests.faults.hostile import Found, Hostile, hostile, modules, patterns

LONGEST = 500  # characters; cubic work takes tenths of a second by then, quadratic a few thousandths
ALLOWED = 2.5  # power of the length: where a pattern searches, quadratic work can be
FLOOR = 0.008  # seconds that can be measured
SOON = 0.00003  # what takes less may be doubled in size, even if it should grow with two to the size


def seconds(found: Found, text: str, runs: int = 1) -> float:
    """The fastest of a few runs, in time of the processor, which others may be using; one run of what takes long."""
    fastest = math.inf
    for _ in range(runs):
        started = time.process_time()
        found.apply(text)
        fastest = min(fastest, time.process_time() - started)
        if fastest > 10 * FLOOR:
            break
    return fastest


def growth(found: Found, case: Hostile) -> float:
    """About the power of the length with which the work grows: 1 linear, 2 quadratic; 0 if the longest takes no time.

    Starts with one piece, and stops at the first length that takes FLOOR: not even exponential work takes long.
    """
    size, largest = 1, max(8, LONGEST // (len(case.text(2)) - len(case.text(1))))
    while (took := seconds(found, case.text(size))) < FLOOR:
        if size >= largest:
            return 0.0
        size = min(largest, 2 * size if took < SOON else size + max(1, size // 4))
    more, power = size + max(1, size // 4), math.inf
    for _ in range(4):  # what seems to grow too fast is measured again
        before = seconds(found, case.text(size), 3)
        again = math.log(seconds(found, case.text(more), 3) / before) / math.log(more / size)
        if again < 5:  # nothing exponential, so that twice the size is soon done, and tells the powers apart
            again = math.log2(seconds(found, case.text(2 * size), 3) / before)
        power = min(power, again)
        if power <= ALLOWED or power > 8:
            break
    return power


@pytest.mark.parametrize("module", modules())
def test_no_pattern_grows_faster_than_with_the_square(module: str) -> None:
    for found in patterns(module):
        TALLY["patterns"] += 1
        for case in hostile(found.regex):
            TALLY["hostile texts for patterns"] += 1
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
    assert len(modules()) > 30 and sum(1 for _ in patterns("processors.text.written.grammar")) > 100
