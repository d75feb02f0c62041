"""Splits: seeded, disjoint, by text, stable."""

from __future__ import annotations

from collections import Counter, defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from preprocessors.splits import assign_splits


def texts(count: int, takes: int = 1) -> list[str]:
    return [f"Sentence number {index // takes}." for index in range(count)]


@pytest.mark.parametrize(
    "count, expected", [(0, (0, 0)), (2, (0, 0)), (3, (1, 1)), (32, (1, 1)), (100, (5, 5)), (10000, (250, 200))]
)
def test_sizes(count: int, expected: tuple[int, int]) -> None:
    splits = assign_splits(texts(count), 250, 200, 0.05, 1234)
    assert (splits.count("valid"), splits.count("test")) == expected
    assert set(assign_splits(texts(count), 0, 0, 0.05, 1234)) <= {"train"}


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.sampled_from([f"text {n}" for n in range(40)]), max_size=120),
    st.integers(0, 30),
    st.integers(0, 30),
    st.floats(0.01, 0.49),
    st.integers(),
)
def test_takes_of_a_text_stay_together_and_sizes_hold(
    words: list[str], valid: int, test: int, fraction: float, seed: int
) -> None:
    result = assign_splits(words, valid, test, fraction, seed)
    places = defaultdict(set)
    for word, split in zip(words, result):
        places[word].add(split)
    assert all(len(splits) == 1 for splits in places.values())
    limit = max(int(fraction * len(words)), len(words) >= 3)
    assert result.count("valid") <= min(valid, limit) and result.count("test") <= min(test, limit)
    if len(set(words)) == len(words):
        assert (result.count("valid"), result.count("test")) == (min(valid, limit), min(test, limit))


def test_case_spaces_and_order_do_not_matter_but_the_seed_does() -> None:
    words = texts(200) + [text.upper().replace(" ", "  ") for text in texts(200)]
    result = assign_splits(words, 20, 20, 0.1, 1)
    assert result[:200] == result[200:] == assign_splits(words[::-1], 20, 20, 0.1, 1)[::-1][:200]
    assert {"valid", "test"} <= set(result)
    assert result != assign_splits(words, 20, 20, 0.1, 2)


def test_another_utterance_moves_at_most_one_at_each_border() -> None:
    words = texts(3000)
    before = assign_splits(words, 100, 100, 0.05, 3)
    for extra in range(20):
        after = assign_splits([*words, f"something else {extra}"], 100, 100, 0.05, 3)
        moved = [(old, new) for old, new in zip(before, after) if old != new]
        assert len(moved) <= 2
        assert ("valid", "test") not in moved and ("test", "valid") not in moved


def test_each_speaker_gives_in_proportion_and_a_few_at_least() -> None:
    speakers = ["much"] * 3000 + ["some"] * 600 + ["little"] * 60 + ["nothing"] * 5
    words = texts(len(speakers))
    result = assign_splits(words, 100, 200, 0.05, 7, speakers)
    for name, expected in (("test", (150, 30, 3, 0)), ("valid", (82, 16, 2, 0))):
        taken = Counter(speaker for speaker, split in zip(speakers, result) if split == name)
        assert tuple(taken[speaker] for speaker in ("much", "some", "little", "nothing")) == expected
    assert assign_splits(words, 100, 200, 0.05, 7, ["one"] * len(words)) == assign_splits(words, 100, 200, 0.05, 7)
    # Nobody has enough for a share, but all together have.
    few = assign_splits(texts(30), 5, 5, 0.05, 7, [str(n % 10) for n in range(30)])
    assert (few.count("valid"), few.count("test")) == (1, 1)


def test_prompts_that_speakers_share_do_not_leak() -> None:
    speakers = [str(index % 4) for index in range(800)]
    words = [f"Prompt {index // 4}." for index in range(800)]
    result = assign_splits(words, 40, 40, 0.1, 7, speakers)
    assert all(len(set(result[start : start + 4])) == 1 for start in range(0, 800, 4))
    assert [(result.count("valid"), result.count("test"))] == [(40, 40)]
    assert all(sum(s == "test" for s in result[speaker::4]) == 10 for speaker in range(4))
