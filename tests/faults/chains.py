"""What the kill tests of all stages share: random moments, and the count of what the children died of."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence

from tests.faults.kills import Moment
from tests.faults.server import Outcome

Run = Callable[[Moment | None], Outcome]


def random_moment(kind: str, whole: Outcome, sizes: Sequence[tuple[int, int]], rng: random.Random) -> Moment:
    """A moment of `kind` in the first half of a run like `whole`: several of them fit into one piece of work.

    `sizes` are ranges of bytes; files that grow that far are cut off there.
    """
    if kind == "bytes":
        return Moment(kind, rng.randint(*rng.choice(sizes)))
    if kind == "seconds":
        return Moment(kind, round(rng.uniform(0, whole.seconds / 2), 4))
    return Moment(kind, rng.randint(1, max(1, whole.counts[kind] // 2)))


def kill(run: Run, moments: Sequence[Moment], check: Callable[[Moment, Outcome], str]) -> Counter[str]:
    """Let each moment come, then let the work finish; how often it died of what.

    `check` looks at what every kill left behind, and names it.
    """
    died: Counter[str] = Counter()
    for moment in moments:
        outcome = run(moment)
        if outcome.killed_by is None:
            assert outcome.status == 0, outcome.output
        else:
            died[check(moment, outcome)] += 1
    last = run(None)
    assert last.status == 0, last.output
    return died
