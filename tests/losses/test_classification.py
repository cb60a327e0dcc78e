"""The sparse cross-entropy against the dense formula written with autograd."""

import math

import pytest
import torch

from gan_colorize.losses.classification import has_colour, pixel_weights, soft_cross_entropy


def random_target(shape=(2, 5, 3, 4), classes=313, seed=0):
    generator = torch.Generator().manual_seed(seed)
    n, k, h, w = shape
    indices = torch.rand(n, classes, h, w, generator=generator).topk(k, dim=1).indices
    shares = torch.rand(shape, generator=generator)
    return indices, shares / shares.sum(dim=1, keepdim=True)


def dense(logits, indices, shares):
    target = torch.zeros_like(logits).scatter_(1, indices, shares.to(logits.dtype))
    return -(target * torch.log_softmax(logits, dim=1)).sum(dim=1, keepdim=True)


def test_equals_the_dense_formula_and_its_gradient():
    indices, shares = random_target()
    logits = torch.randn(2, 313, 3, 4, requires_grad=True)
    reference = logits.detach().clone().requires_grad_(True)
    grad = torch.rand(2, 1, 3, 4)
    (soft_cross_entropy(logits, indices, shares) * grad).sum().backward()
    (dense(reference, indices, shares) * grad).sum().backward()
    torch.testing.assert_close(
        soft_cross_entropy(logits, indices, shares), dense(reference, indices, shares), rtol=1e-5, atol=1e-5
    )
    torch.testing.assert_close(logits.grad, reference.grad, rtol=1e-4, atol=1e-6)


def test_uniform_prediction_costs_log_of_the_number_of_bins():
    indices, shares = random_target()
    loss = soft_cross_entropy(torch.zeros(2, 313, 3, 4), indices, shares)
    torch.testing.assert_close(loss, torch.full((2, 1, 3, 4), math.log(313)))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_large_logits_stay_finite(dtype):
    indices, shares = random_target()
    logits = (torch.randn(2, 313, 3, 4) * 1e4).to(dtype).requires_grad_(True)
    loss = soft_cross_entropy(logits, indices, shares)
    loss.sum().backward()
    assert loss.isfinite().all() and logits.grad.isfinite().all()


def test_bf16_differs_from_fp32_by_the_rounding_of_bf16_only():
    indices, shares = random_target((4, 5, 24, 24))
    half = (3 * torch.randn(4, 313, 24, 24)).bfloat16().requires_grad_(True)
    full = half.detach().float().requires_grad_(True)
    loss, reference = (soft_cross_entropy(z, indices, shares) for z in (half, full))
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, reference, rtol=0, atol=0.01)
    torch.testing.assert_close(loss.mean(), reference.mean(), rtol=0, atol=5e-4)  # no bias
    loss.sum().backward()
    reference.sum().backward()
    error = (half.grad.float() - full.grad).norm() / full.grad.norm()
    assert error < 2**-8


def test_channels_last_gives_the_same():
    indices, shares = random_target()
    logits = torch.randn(2, 313, 3, 4)
    torch.testing.assert_close(
        soft_cross_entropy(logits.contiguous(memory_format=torch.channels_last), indices, shares),
        soft_cross_entropy(logits, indices, shares),
    )


def test_weight_is_that_of_the_heaviest_bin():
    indices = torch.tensor([7, 2, 9]).reshape(1, 3, 1, 1)
    shares = torch.tensor([0.2, 0.5, 0.3]).reshape(1, 3, 1, 1)
    class_weights = torch.arange(10.0)
    assert pixel_weights(indices, shares, class_weights).item() == 2.0


@pytest.mark.parametrize(("peak", "expected"), [(4.9, 0.0), (5.1, 1.0), (-5.1, 1.0)])
def test_images_without_chroma_weigh_nothing(peak, expected):
    ab = torch.zeros(1, 2, 4, 4)
    ab[0, 1, 2, 2] = peak
    assert has_colour(ab).item() == expected
