"""Values of many steps in one table, and what skipped steps say."""

from __future__ import annotations

import math

import pytest
import torch

from models.base.engine import BadSteps, Meter
from utils.errors import UserError

CPU = torch.device("cpu")


def run(meter: Meter, step: int, loss: float, skipped: bool = False, norm: float = 1.0, ids=("a", "b")) -> None:
    meter.add({"generator/mel": torch.tensor(loss), "generator/total": torch.tensor(2 * loss)}, 1.0, ids)
    meter.end_step(step, {"gradient_norm/network": torch.tensor(norm), "skipped": torch.tensor(float(skipped))})


def test_means_over_micro_batches_and_finite_steps() -> None:
    meter = Meter(CPU)
    for step, pair in enumerate([(1.0, 3.0), (5.0, 7.0)], 11):
        for value in pair:
            meter.add({"x": torch.tensor(value)}, 0.5, [f"u{value:.0f}"])
        meter.end_step(step, {"skipped": torch.zeros(())})
    meter.add({"x": torch.tensor(math.nan)}, 1.0, ["bad"])
    meter.end_step(13, {"skipped": torch.ones(())})
    records = meter.peek()
    assert records.column("x").tolist()[:2] == [2.0, 6.0]
    assert records.means()["x"] == 4.0
    assert records.first_step == 11 and records.ids == [("u1", "u3"), ("u5", "u7"), ("bad",)]
    meter.clear()
    assert len(meter.peek()) == 0


def test_skipped_steps_name_loss_and_utterances_and_stop_in_the_end() -> None:
    warnings: list[str] = []
    bad = BadSteps(3, warnings.append, lambda: "the last good checkpoint is step_00000004")
    meter = Meter(CPU)
    run(meter, 1, math.nan, skipped=True)
    run(meter, 2, 1.0)
    run(meter, 3, math.inf, skipped=True, ids=("x1", "x2"))
    bad.check(meter.peek())
    assert bad.in_a_row == 1
    assert warnings[0] == "step 1 skipped: a loss that is not finite: generator/mel (utterances a, b)"
    assert "step 3" in warnings[1] and "x1, x2" in warnings[1]
    run(meter, 4, 1.0, skipped=True, norm=math.inf)
    bad.check(meter.peek())
    assert "a gradient that is not finite: network" in warnings[2]
    run(meter, 5, math.nan, skipped=True)
    with pytest.raises(UserError, match=r"step 5: 3 steps in a row.*generator/mel \(utterances a, b\).*step_00000004"):
        bad.check(meter.peek())
