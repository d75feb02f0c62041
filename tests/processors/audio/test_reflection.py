"""Reflection is what torch's padding does, in values and gradients."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from processors.audio.reflection import reflect


@pytest.mark.parametrize(("left", "right"), [(0, 0), (3, 0), (0, 1), (9, 9), (4, 7)])
def test_values_and_gradients_are_those_of_padding(left: int, right: int) -> None:
    audio = torch.randn(3, 10, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(3, 10 + left + right, dtype=torch.float64)
    results = []
    for padded in (reflect(audio, left, right), F.pad(audio[:, None], (left, right), "reflect")[:, 0]):
        results.append((padded.detach(), torch.autograd.grad((padded * weight).sum(), audio)[0]))
    torch.testing.assert_close(*results)


def test_more_than_there_is_cannot_be_reflected() -> None:
    with pytest.raises(ValueError, match="10 samples"):
        reflect(torch.zeros(1, 10), 0, 10)
