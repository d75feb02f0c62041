"""Gradient accumulation is exact for both networks of the real training step."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from config.schema import TrainConfig
from models.base.engine import Engine
from models.base.meter import Meter
from models.base.processes import Processes
from models.tts.jets.batch import Batch
from models.tts.jets.config import JetsConfig
from models.tts.jets.step import TrainStep


def part_of(batch: Batch, start: int, end: int) -> Batch:
    return Batch(**{name: value[start:end] for name, value in vars(batch).items()})


@pytest.mark.parametrize("pieces", [2, 4])
def test_micro_batches_equal_one_large_batch(
    small_config: JetsConfig, make_step: Callable[[], TrainStep], make_batch: Callable[..., Batch], pieces: int
) -> None:
    # Seeds per length pair: four different utterances of equal lengths.
    singles = [make_batch([(7, 30)], seed=seed) for seed in range(4)]
    whole = Batch(**{
        name: torch.cat([getattr(one, name) for one in singles])
        if isinstance(value, torch.Tensor) else sum((getattr(one, name) for one in singles), ())
        for name, value in vars(singles[0]).items()
    })  # fmt: skip
    starts = torch.tensor([3, 0, 14, 9])
    results = []
    for count in (1, pieces):
        torch.manual_seed(0)
        step = make_step()
        train = TrainConfig(**{
            **{key: getattr(small_config.train, key) for key in TrainConfig.model_fields},
            "gradient_accumulation_step": count, "learning_rate": 0.01,
        })  # fmt: skip
        networks = {"network": step.network, "discriminator": step.discriminator}
        engine = Engine(networks, train, "fp32", Processes())
        size = 4 // count
        queue = [(part_of(whole, i * size, (i + 1) * size), starts[i * size : (i + 1) * size]) for i in range(count)]
        upcoming = iter(queue)
        chosen: list[torch.Tensor] = []

        def next_batch(upcoming=upcoming, chosen=chosen) -> Batch:
            batch, where = next(upcoming)
            chosen.append(where)
            return batch

        meter = Meter(1, torch.device("cpu"))
        engine.step(lambda batch, scale, step=step, chosen=chosen: step(batch, scale, chosen[-1]), next_batch, meter, 1)
        gradients = {name: optimizer.flat.grad.clone() for name, optimizer in engine.optimizers.items()}
        results.append((gradients, meter.peek()))
    (one, one_records), (many, many_records) = results
    for name in one:
        assert float(one[name].norm()) > 1e-3
        assert float((many[name] - one[name]).norm()) < 1e-4 * float(one[name].norm())
    for name in ("generator/mel", "generator/forward_sum", "discriminator/total"):
        torch.testing.assert_close(many_records.column(name), one_records.column(name), atol=1e-5, rtol=1e-4)
    assert one_records.ids == many_records.ids
