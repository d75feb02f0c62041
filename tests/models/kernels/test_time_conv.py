"""Convolution over time as a matrix product."""

from __future__ import annotations

import pytest
import torch

from models.kernels.time_conv import TimeConv1d


@pytest.mark.parametrize("length", [1, 2, 11])
@pytest.mark.parametrize("sizes", [(8, 16, 3), (16, 8, 3), (8, 8, 5), (12, 6, 7), (8, 4, 1)])
def test_product_equals_the_convolution_with_gradients(sizes: tuple[int, int, int], length: int) -> None:
    torch.manual_seed(0)
    conv = TimeConv1d(*sizes).double()
    x = torch.randn(2, length, sizes[0], dtype=torch.double, requires_grad=True)
    expected, product = conv(x), conv.as_product(x)
    torch.testing.assert_close(product, expected)
    direction = torch.randn_like(expected)
    inputs = [x, *conv.parameters()]
    gradients = [torch.autograd.grad(y, inputs, direction) for y in (product, expected)]
    torch.testing.assert_close(*gradients)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_on_a_gpu_in_every_precision(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    conv = TimeConv1d(256, 1024, 3)
    x = torch.randn(4, 100, 256)
    expected = conv(x)
    conv, x = conv.cuda(), x.cuda().requires_grad_()
    with torch.autocast("cuda", dtype, enabled=dtype != torch.float32):
        y = conv(x)
    assert y.dtype == dtype
    y.float().sum().backward()
    error = (y.float().cpu() - expected).norm() / expected.norm()
    assert error < (1e-2 if dtype == torch.bfloat16 else 1e-5) and torch.isfinite(x.grad).all()
