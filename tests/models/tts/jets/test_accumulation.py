"""Gradient accumulation is exact for both networks of the real training step."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from config.schema import TrainConfig
from models.base.engine import Engine, Meter
from models.base.processes import Processes
from models.tts.jets.config import JetsConfig
from models.tts.jets.network import Batch
from models.tts.jets.step import TrainStep

STARTS = torch.tensor([3, 0, 14, 9])


def part_of(batch: Batch, rows: slice) -> Batch:
    return Batch(**{name: value if value is None else value[rows] for name, value in vars(batch).items()})


@pytest.mark.parametrize("pieces", [2, 4])
def test_micro_batches_equal_one_large_batch(
    small_config: JetsConfig, make_step: Callable[..., TrainStep], make_batch: Callable[..., Batch], pieces: int
) -> None:
    whole = make_batch([(7, 30)] * 4)
    # Four different utterances of equal lengths.
    whole.mel += torch.randn(whole.mel.shape, generator=torch.Generator().manual_seed(0))
    settings = {key: getattr(small_config.train, key) for key in TrainConfig.model_fields}
    results = []
    for count in (1, pieces):
        step = make_step()
        train = TrainConfig(**{**settings, "gradient_accumulation_step": count, "learning_rate": 0.01})
        engine = Engine({"network": step.network, "discriminator": step.discriminator}, train, "fp32", Processes())
        parts = [slice(i * 4 // count, (i + 1) * 4 // count) for i in range(count)]
        upcoming, starts, meter = iter(parts), iter(parts), Meter(torch.device("cpu"))

        def compute(batch: Batch, scale: torch.Tensor, step=step, starts=starts) -> dict[str, torch.Tensor]:
            return step(batch, scale, STARTS[next(starts)])

        engine.step(compute, lambda upcoming=upcoming: part_of(whole, next(upcoming)), meter, 1)
        gradients = {name: optimizer.flat.grad.clone() for name, optimizer in engine.optimizers.items()}
        results.append((gradients, meter.peek()))
    (one, one_records), (many, many_records) = results
    for name in one:
        assert float(one[name].norm()) > 1e-3
        assert float((many[name] - one[name]).norm()) < 1e-4 * float(one[name].norm())
    for name in ("generator/mel", "generator/forward_sum", "discriminator/total"):
        torch.testing.assert_close(many_records.column(name), one_records.column(name), atol=1e-5, rtol=1e-4)
    assert one_records.ids == many_records.ids
