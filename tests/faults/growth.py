"""How the work grows with the size of what it is done on, judged by ratios of processor time."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

FLOOR = 0.004  # seconds that can be measured
_SOON = 0.00003  # what takes less may be doubled in size, even if it should grow with two to the size
_ATTEMPTS = 4


def seconds(work: Callable[[int], None], size: int, runs: int = 1) -> float:
    """The fastest of a few runs, in time of the processor, which others may be using; one run of what takes long."""
    fastest = math.inf
    for _ in range(runs):
        started = time.process_time()
        work(size)
        fastest = min(fastest, time.process_time() - started)
        if fastest > 50 * FLOOR:
            break
    return fastest


def exponent(work: Callable[[int], None], largest: int, allowed: float) -> float:
    """About the power of the size with which the work grows: 1 linear, 2 quadratic; 0 if `largest` takes no time.

    Starts at size 1, and stops at the first that takes FLOOR: not even exponential work takes long. What seems to
    grow faster than `allowed` is measured again.
    """
    size = 1
    while (took := seconds(work, size)) < FLOOR:
        if size >= largest:
            return 0.0
        size = min(largest, 2 * size if took < _SOON else size + max(1, size // 4))
    found = math.inf
    for _ in range(_ATTEMPTS):
        more = size + max(1, size // 4)
        power = math.log(seconds(work, more, 3) / seconds(work, size, 3)) / math.log(more / size)
        if power < 5:
            # Nothing exponential, so that twice the size is soon done, and tells the powers apart.
            power = math.log2(seconds(work, 2 * size, 3) / seconds(work, size, 3))
        found = min(found, power)
        if found <= allowed or power > 8:
            break
    return found
