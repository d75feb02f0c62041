"""One flat buffer behaves like many parameters, and one fused update like torch's own."""

from __future__ import annotations

import copy
import math
from pathlib import Path

import pytest
import torch
from torch import nn

from models.base.optimization import (
    ExponentialMovingAverage,
    FlatParameters,
    LossScale,
    NetworkOptimizer,
    learning_rate_factor,
)
from models.registry import load_config

CONFIG = Path(__file__).resolve().parents[3] / "config/jets.json"
ZERO = torch.zeros(())


def train_config(*overrides: str):
    return load_config(CONFIG, overrides).train


def network() -> nn.Module:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv1d(3, 5, 3), nn.Flatten(), nn.Linear(40, 7), nn.Linear(7, 2))
    net[0].weight.data = net[0].weight.data.transpose(0, 1).contiguous().transpose(0, 1)  # another memory layout
    return net


def backward(net: nn.Module, seed: int) -> None:
    torch.manual_seed(seed)
    net(torch.randn(4, 3, 10)).square().sum().backward()


def test_updates_equal_adamw_on_the_separate_parameters() -> None:
    ours, theirs = network(), network()
    config = train_config("train.AdamW.weight_decay=0.1", "train.learning_rate=0.01")
    optimizer = NetworkOptimizer(ours, config)
    reference = torch.optim.AdamW(
        theirs.parameters(), lr=0.01, betas=config.AdamW.betas, eps=config.AdamW.eps, weight_decay=0.1
    )
    for step in range(5):
        optimizer.zero_grad()
        reference.zero_grad()
        backward(ours, step)
        backward(theirs, step)
        optimizer.step(ZERO, optimizer.norm())
        reference.step()
    for a, b in zip(ours.parameters(), theirs.parameters()):
        torch.testing.assert_close(a, b, atol=1e-6, rtol=1e-5)


def test_flattening_changes_no_value_and_notices_a_moved_parameter() -> None:
    net = network()
    before = copy.deepcopy(net.state_dict())
    flat = FlatParameters(net)
    for name, value in net.state_dict().items():
        assert torch.equal(value, before[name])
    backward(net, 0)
    flat.check()
    assert flat.count() == sum(p.numel() for p in network().parameters())
    net[2].weight.grad = None
    with pytest.raises(RuntimeError, match="gradient of 2.weight"):
        flat.check()
    net[2].weight.data = net[2].weight.data.clone()
    with pytest.raises(RuntimeError, match="parameter 2.weight"):
        flat.check()


def test_clipping_scales_to_the_limit_and_leaves_smaller_gradients() -> None:
    for limit, expected in ((1e-3, 1e-3), (1e9, None)):
        net = network()
        optimizer = NetworkOptimizer(net, train_config(f"train.grad_clip={limit}"))
        backward(net, 1)
        before = float(optimizer.norm())
        optimizer.step(ZERO, optimizer.norm())
        assert float(optimizer.norm()) == pytest.approx(expected or before, rel=1e-4)


def test_a_skipped_step_changes_nothing_but_the_schedule() -> None:
    net = network()
    optimizer = NetworkOptimizer(net, train_config("train.steps_per_epoch=1", "train.lr_decay=0.5"))
    backward(net, 1)
    optimizer.step(ZERO, optimizer.norm())
    weights, state = optimizer.flat.data.clone(), optimizer.state_dict()
    optimizer.flat.grad.fill_(math.nan)
    optimizer.step(torch.ones(()), optimizer.norm())
    assert torch.equal(optimizer.flat.data, weights)
    after = optimizer.state_dict()
    assert torch.equal(after["updates"], state["updates"])
    for name, value in state["exp_avg_sq"].items():
        assert torch.equal(after["exp_avg_sq"][name], value)
    assert optimizer.learning_rate == pytest.approx(2e-4 / 4)


def test_learning_rate_warms_up_and_decays_once_per_epoch() -> None:
    shape = ["train.lr_decay=0.9", "train.steps_per_epoch=10", "train.max_epoch=4"]
    config = train_config(*shape, "train.lr_warmup_steps=4")
    rates = [learning_rate_factor(step, config) for step in range(31)]
    assert rates[:5] == [0.25, 0.5, 0.75, 1.0, 1.0]
    assert rates[9] == 1.0 and rates[10] == pytest.approx(0.9) and rates[30] == pytest.approx(0.9**3)
    assert learning_rate_factor(0, train_config(*shape)) == 1.0


@pytest.mark.parametrize(
    ("epochs", "warmup", "cooldown", "kept"),
    [
        (4, 10, 30, (10, 30)), (4, 0, 8, (0, 8)),  # room for both
        (1, 9, 1, (9, 1)), (1, 10, 1, (9, 1)), (1, 9, 2, (8, 2)), (1, 50, 50, (3, 7)), (1, 50, 0, (10, 0)),
        (1, 0, 50, (0, 10)),
        # A fine-tuning with the config of a long training reaches the full rate, too.
        (1, 5, 100, (3, 7)), (2, 5, 100, (5, 15)), (3, 5, 100, (5, 25)),
    ],
)  # fmt: skip
def test_warmup_and_cooldown_are_shortened_only_where_there_is_no_room(
    epochs: int, warmup: int, cooldown: int, kept: tuple[int, int]
) -> None:
    shape = ["train.lr_decay=1", "train.steps_per_epoch=10", f"train.max_epoch={epochs}"]
    config = train_config(*shape, f"train.lr_warmup_steps={warmup}", f"train.lr_cooldown_steps={cooldown}")
    (rising, falling), total = kept, 10 * epochs
    up = [min(1.0, (step + 1) / rising) if rising else 1.0 for step in range(total + 1)]
    down = [min(1.0, (total - step) / falling) if falling else 1.0 for step in range(total + 1)]
    rates = [learning_rate_factor(step, config) for step in range(total + 1)]
    assert rates == pytest.approx([a * b for a, b in zip(up, down)]) and max(rates) == 1.0


def test_average_follows_its_formula_and_leaves_the_weights() -> None:
    net = network()
    flat = FlatParameters(net)
    ema = ExponentialMovingAverage(flat, 0.8)
    expected = flat.data.clone()
    for step in range(1, 40):
        with torch.no_grad():
            flat.data.add_(0.01)
        ema.update(step)
        decay = min(0.8, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * flat.data
    torch.testing.assert_close(ema.average, expected)
    weights, address = flat.data.clone(), net[0].weight.data_ptr()
    with ema.applied():
        torch.testing.assert_close(net[2].weight.data, flat.views(expected)["2.weight"])
        assert net[0].weight.data_ptr() == address
    assert torch.equal(flat.data, weights)


def test_loss_scale_halves_after_overflow_and_grows_after_good_steps() -> None:
    scale = LossScale(True, torch.device("cpu"))
    scale.growth_interval = 3
    scale.update(torch.ones(()))
    assert float(scale.value) == 2.0**15
    for _ in range(3):
        scale.update(torch.zeros(()))
    assert float(scale.value) == 2.0**16
    other = LossScale(True, torch.device("cpu"))
    scale.update(torch.ones(()))
    other.load_state_dict(scale.state_dict())
    assert float(other.value) == 2.0**15
    assert LossScale(False, torch.device("cpu")).value is None


def test_loss_scale_does_not_change_the_update() -> None:
    results = []
    for scale in (1.0, 1024.0):
        net = network()
        optimizer = NetworkOptimizer(net, train_config("train.grad_clip=0.5"))
        backward(net, 1)
        optimizer.flat.grad.mul_(scale)
        optimizer.step(ZERO, optimizer.norm(), torch.tensor(scale))
        results.append(optimizer.flat.data.clone())
    torch.testing.assert_close(results[0], results[1], atol=1e-7, rtol=1e-6)
