"""Batch composition: complete, deterministic, bounded, fairly dealt out, little padding."""

from __future__ import annotations

import numpy as np
import pytest

from models.base.sampler import FRAME_MULTIPLE, TEXT_MULTIPLE, LengthSampler, balance
from utils.errors import UserError


def sampler(n: int = 500, batch_size: int = 16, **options) -> LengthSampler:
    rng = np.random.default_rng(7)
    frames = rng.gamma(6.0, 45.0, n).astype(np.int64) + 20
    return LengthSampler(frames, frames // 6 + 2, lambda rows: [f"u{row}" for row in rows], batch_size, **options)


def indices(one: LengthSampler, count: int) -> list[list[int]]:
    return [one.next().indices.tolist() for _ in range(count)]


def test_every_pass_holds_every_utterance() -> None:
    one = sampler()
    for number in range(3):
        plans = one.plan_pass(number)
        assert set(np.concatenate([plan.indices for plan in plans])) == set(range(500))
        assert all(len(plan.indices) == len(set(plan.indices)) == 16 for plan in plans)
        for plan in plans:
            frames, tokens = one.frames[plan.indices].max(), one.tokens[plan.indices].max()
            assert plan.frames % FRAME_MULTIPLE == 0 and 0 <= plan.frames - frames < FRAME_MULTIPLE
            assert plan.tokens % TEXT_MULTIPLE == 0 and 0 <= plan.tokens - tokens < TEXT_MULTIPLE


def test_resuming_anywhere_gives_the_same_sequence() -> None:
    expected = indices(sampler(100), 25)
    for stop in (0, 1, 6, 7, 8, 20):
        first, second = sampler(100), sampler(100)
        indices(first, stop)
        second.load_state_dict(first.state_dict())
        assert indices(second, 25 - stop) == expected[stop:]


def test_budget_of_frames_bounds_every_batch() -> None:
    one = sampler(max_batch_frames=3000)
    plans = [plan for number in range(4) for plan in one.plan_pass(number)]
    assert all(len(plan.indices) * plan.frames <= 3000 for plan in plans)
    assert set(np.concatenate([plan.indices for plan in plans])) == set(range(500))
    sizes = {len(plan.indices) for plan in plans}
    assert max(sizes) == 16 and min(sizes) < 8 and len(sizes) <= 8  # few sizes: each costs a CUDA graph


def test_an_utterance_beyond_the_budget_is_named() -> None:
    with pytest.raises(UserError, match=r"train.max_batch_frames \(100\).*u1, 101 frames"):
        frames, tokens = np.array([50, 101]), np.array([5, 5])
        LengthSampler(frames, tokens, lambda rows: [f"u{row}" for row in rows], 4, max_batch_frames=100)
    with pytest.raises(UserError, match="no utterance"):
        LengthSampler(np.array([], int), np.array([], int), lambda rows: [], 4)


@pytest.mark.parametrize("world_size", [2, 3])
def test_processes_get_disjoint_batches_of_one_shape(world_size: int) -> None:
    parts = [sampler(rank=rank, world_size=world_size) for rank in range(world_size)]
    passes = [part.plan_pass(0) for part in parts]
    assert len({len(plans) for plans in passes}) == 1
    for plans in zip(*passes):
        assert len({(len(plan.indices), plan.frames, plan.tokens) for plan in plans}) == 1
        joined = np.concatenate([plan.indices for plan in plans])
        assert len(set(joined)) == len(joined)
    assert {int(i) for plans in passes for plan in plans for i in plan.indices} == set(range(500))


def test_the_largest_batch_bounds_all_others() -> None:
    for budget in (None, 3000):
        one = sampler(max_batch_frames=budget)
        one.next()
        largest = one.largest()
        size = len(largest.indices) * largest.frames
        assert budget is None or size <= budget
        for number in range(5):
            for plan in one.plan_pass(number):
                assert budget is not None or len(plan.indices) * plan.frames <= size
                assert plan.tokens <= largest.tokens


def test_a_corpus_smaller_than_a_batch_is_repeated_in_it() -> None:
    one = LengthSampler(np.array([10, 20, 30]), np.array([2, 3, 4]), ["a", "b", "c"], 8)
    plan = one.next()
    assert len(plan.indices) == 8 and set(plan.indices) == {0, 1, 2}


LANGUAGES = np.repeat([1, 0], [300, 200])
SPEAKERS = np.repeat([0, 1, 2], [300, 150, 50])


@pytest.mark.parametrize(
    ("temperature", "expected"), [(1, (0.6, 0.3, 0.1)), (2, None), (1e9, (0.5, 0.25, 0.25))], ids=str
)
def test_a_temperature_evens_out_languages_and_their_speakers(temperature: float, expected: tuple | None) -> None:
    frames = np.full(500, 100)
    once = np.ones(500)
    often = balance(frames, once, (LANGUAGES, SPEAKERS), temperature)
    shares = [(once if often is None else often)[SPEAKERS == number].sum() / 500 for number in range(3)]
    if expected is None:
        de = 200**0.5 / (300**0.5 + 200**0.5)
        b = 150**0.5 / (150**0.5 + 50**0.5)
        expected = (1 - de, de * b, de * (1 - b))
    assert shares == pytest.approx(expected, rel=1e-6)
    heavier = balance(frames, np.where(SPEAKERS == 2, 4.0, 1.0), (LANGUAGES, SPEAKERS), temperature)
    assert heavier[SPEAKERS == 2][0] / heavier[0] == pytest.approx(4 * shares[2] / 50 / (shares[0] / 300), rel=1e-6)


def test_balanced_passes_are_even_and_resume_anywhere(caplog: pytest.LogCaptureFixture) -> None:
    def new() -> LengthSampler:
        often = balance(np.full(500, 100), np.ones(500), (LANGUAGES, SPEAKERS), 1e9)
        return sampler(often=often, max_batch_frames=20000)

    one = new()
    assert balance(one.frames, np.full(500, 2.0), (LANGUAGES, SPEAKERS), 1) is None
    assert balance(one.frames, np.ones(500), (np.zeros(500, int), np.zeros(500, int)), 4) is None
    counts = np.zeros(500)
    for number in range(12):
        present = np.concatenate([plan.indices for plan in one.plan_pass(number)])
        counts += np.bincount(one._present(number), minlength=500)
        assert 450 < len(present) < 570  # passes are about as long as without
    assert np.abs(counts - 12 * one.often).max() <= 1  # nobody is forgotten for long
    expected = indices(new(), 60)
    for stop in (1, 31, 59):
        first, second = new(), new()
        indices(first, stop)
        second.load_state_dict(first.state_dict())
        assert indices(second, 60 - stop) == expected[stop:]
    other = sampler()
    other.load_state_dict(first.state_dict())  # another balance cuts batches differently
    assert other.position == 0 and other.pass_index == first.pass_index + 1
    assert caplog.messages == [
        f"batches are cut otherwise than before: the rest of pass {other.pass_index} is left out"
    ]
