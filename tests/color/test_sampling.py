"""Draws follow the distribution at every pixel and are smooth over the picture."""

import numpy as np
import pytest
import torch

from gan_colorize.color import decode
from gan_colorize.color.bins import NUM_BINS, bin_centres
from gan_colorize.color.sampling import smooth_quantiles


@pytest.fixture(scope="module")
def everywhere_the_same() -> torch.Tensor:
    logits = torch.randn(1, NUM_BINS, 1, 1, generator=torch.Generator().manual_seed(0))
    return (logits * 2).expand(1, -1, 6, 8).contiguous()


def test_fields_are_uniform_smooth_and_mean_the_same_at_any_size():
    fields = torch.stack(
        [smooth_quantiles(6, 8, torch.Generator().manual_seed(seed)) for seed in range(1500)]
    )
    at_a_pixel = fields[:, 0, 2, 5].sort().values
    uniform = (torch.arange(1500) + 0.5) / 1500
    assert (at_a_pixel - uniform).abs().max() < 0.05  # Kolmogorov-Smirnov, 0.1 %
    a_and_b = torch.stack((fields[:, 0, 2, 5], fields[:, 1, 2, 5]))
    assert torch.corrcoef(a_and_b)[0, 1].abs() < 0.09
    large = smooth_quantiles(60, 80, torch.Generator().manual_seed(7))
    small = smooth_quantiles(6, 8, torch.Generator().manual_seed(7))
    pooled = torch.nn.functional.avg_pool2d(large[None], 10)[0]
    torch.testing.assert_close(pooled, small, atol=0.02, rtol=0)
    assert (large[:, :, 1:] - large[:, :, :-1]).abs().max() < 0.1


def test_draws_follow_the_distribution(everywhere_the_same):
    """Moments over many seeds at one pixel, against those of the softmax."""
    logits = everywhere_the_same
    shares = logits[0, :, 0, 0].double().softmax(dim=0)
    centres = bin_centres(torch.float64)
    mean = shares @ centres
    spread = (shares @ (centres - mean).square()).sqrt()
    draws = torch.stack([decode.sample(logits, seed)[0, :, 2, 3] for seed in range(800)]).double()
    standard_error = spread / np.sqrt(800)
    assert ((draws.mean(dim=0) - mean).abs() < 4 * standard_error).all()
    # Averaging over a twentieth of the mass takes a little of the spread, and only a little.
    ratio = draws.std(dim=0) / spread
    assert (ratio > 0.85).all() and (ratio < 1.06).all()


def test_certain_pixels_do_not_move():
    chosen = 100
    logits = torch.full((1, NUM_BINS, 5, 5), -20.0)
    logits[:, chosen] = 20.0
    for seed in range(3):
        expected = bin_centres()[chosen].view(1, 2, 1, 1).expand(1, 2, 5, 5)
        torch.testing.assert_close(decode.sample(logits, seed), expected, atol=1e-2, rtol=0)


def test_seeds_differ_as_pictures():
    logits = torch.randn(1, NUM_BINS, 1, 1, generator=torch.Generator().manual_seed(1)).expand(1, -1, 32, 32)
    first, second = decode.sample(logits, 0), decode.sample(logits, 1)
    assert torch.equal(first, decode.sample(logits, 0))
    assert (first - second).abs().mean() > 10
    # Neighbours differ far less than two draws do: no speckle.
    step = (first[..., 1:] - first[..., :-1]).abs().mean()
    assert step < 0.2 * (first - second).abs().mean()


def test_cold_draws_approach_the_mode(everywhere_the_same):
    cold = decode.sample(everywhere_the_same, 0, temperature=0.01)
    torch.testing.assert_close(cold, decode.mode(everywhere_the_same), atol=0.5, rtol=0)
