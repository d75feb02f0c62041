"""Batch composition: complete, deterministic, bounded, fairly dealt out, little padding."""

from __future__ import annotations

import numpy as np
import pytest

from models.base.sampler import FRAME_MULTIPLE, TEXT_MULTIPLE, LengthSampler
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
