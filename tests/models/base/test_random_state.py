"""Every generator is saved, restored and kept apart."""

from __future__ import annotations

import io
import random

import numpy as np
import torch

from models.base.device import preserved_random_state, random_state, seed_everything, set_random_state

CPU = torch.device("cpu")


def draw() -> tuple[float, float, float]:
    return random.random(), float(np.random.standard_normal()), float(torch.rand(()))


def test_state_comes_back_through_a_file_without_pickle() -> None:
    seed_everything(5)
    draw()
    file = io.BytesIO()
    torch.save(random_state(CPU), file)
    expected = [draw() for _ in range(3)]
    seed_everything(6)
    assert draw() != expected[0]
    file.seek(0)
    set_random_state(torch.load(file, weights_only=True), CPU)
    assert [draw() for _ in range(3)] == expected


def test_a_preserved_block_leaves_no_trace_and_can_have_its_own_seed() -> None:
    seed_everything(7)
    expected = [draw(), draw()]
    seed_everything(7)
    first = draw()
    with preserved_random_state(CPU, seed=1):
        inside = draw()
    with preserved_random_state(CPU, seed=1):
        assert draw() == inside
    assert [first, draw()] == expected
