"""Weights in half or eight bits: how exact they come back, and what is refused."""

from __future__ import annotations

import pytest
import torch

from models.base.checkpoints import find_checkpoint, has_weights, load_training, load_weights, save_checkpoint
from models.base.compact import GROUP, SMALLEST, compact, expand
from utils.errors import UserError


def weights() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return {
        "large": torch.randn(130, 70, 3, generator=generator) * torch.logspace(-3, 1, 130)[:, None, None],
        "odd": torch.randn(SMALLEST + 1, generator=generator),
        "small": torch.randn(SMALLEST - 1, generator=generator),
        "zero": torch.zeros(SMALLEST + GROUP),
        "scalar": torch.tensor(5.3),
    }


@pytest.mark.parametrize(("kind", "error", "size"), [("fp16", 2**-11, 2.0), ("int8", 1 / 254, 1.07)])
def test_weights_come_back_within_half_a_step(kind: str, error: float, size: float) -> None:
    before = weights()
    stored = compact(before, kind)
    after = expand(stored)
    assert after.keys() == before.keys()
    assert all(torch.equal(after[name], before[name]) for name in ("small", "zero", "scalar"))
    for name in ("large", "odd"):
        value = before[name]
        assert after[name].dtype == torch.float32 and after[name].shape == value.shape
        flat = torch.nn.functional.pad(value.flatten(), (0, -value.numel() % GROUP)).view(-1, GROUP)
        largest = flat.abs().amax(1, keepdim=True).expand_as(flat).flatten()[: value.numel()].view(value.shape)
        # A scale is itself rounded to half precision, which costs as much again as the rounding of a large value.
        assert ((after[name] - value).abs() <= (error + 2**-10) * largest + 1e-7).all()
        count = sum(tensor.numel() * tensor.element_size() for key, tensor in stored.items() if key.startswith(name))
        assert count <= size * value.numel() + 2


@pytest.mark.parametrize("kind", ["fp16", "int8"])
def test_what_cannot_be_stored_is_refused(kind: str) -> None:
    for bad, message in ((float("nan"), "x holds values that are not finite"), (1e9, "too large for half precision")):
        with pytest.raises(ValueError, match=message):
            compact({"x": torch.full((SMALLEST,), bad)}, kind)


def test_a_checkpoint_of_weights_alone(tmp_path) -> None:
    before = weights()
    save_checkpoint(tmp_path, 7, {"network": compact(before, "fp16")}, None, {})
    found = find_checkpoint(tmp_path)
    assert sorted(path.name for path in found.path.iterdir()) == ["network.safetensors", "state.json"]
    torch.testing.assert_close(load_weights(found.path), before, rtol=1e-3, atol=1e-6)
    assert load_training(found.path) == {}
    assert has_weights(found.path, "network") and not has_weights(found.path, "discriminator")
    with pytest.raises(UserError, match="has no weights of the discriminator: it was packed to speak"):
        load_weights(found.path, name="discriminator")
