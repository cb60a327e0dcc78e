"""Prior and class weights against equation 4 written out."""

import numpy as np
import pytest
import torch

from gan_colorize.color.bins import NUM_BINS, bin_centres
from gan_colorize.color.prior import rebalancing_weights, smooth_prior, soft_histogram
from gan_colorize.color.targets import SoftEncoder


def _bin(a: int, b: int) -> int:
    return bin_centres(torch.int64).tolist().index([a, b])


def test_histogram_counts_pixels():
    ab = torch.zeros(2, 2, 3, 5)
    ab[1] = 40.0
    histogram = soft_histogram(ab, SoftEncoder())
    assert histogram.dtype == torch.float64 and histogram.shape == (NUM_BINS,)
    assert float(histogram.sum()) == pytest.approx(30, rel=1e-6)
    # The nearest bin's share with four neighbours at 10 and sigma 5, for 15 pixels each.
    share = 15 / (1 + 4 * np.exp(-2.0))
    assert float(histogram[_bin(0, 0)]) == pytest.approx(share, rel=1e-4)
    assert float(histogram[_bin(40, 40)]) == pytest.approx(share, rel=1e-4)


def test_smoothing_is_a_gaussian_of_sigma_5():
    counts = torch.zeros(NUM_BINS)
    counts[_bin(0, 0)] = 7.0
    prior = smooth_prior(counts)
    assert float(prior.sum()) == pytest.approx(1.0, abs=1e-12)
    assert float(prior[_bin(10, 0)] / prior[_bin(0, 0)]) == pytest.approx(np.exp(-2.0), rel=1e-9)
    assert float(prior[_bin(10, 10)] / prior[_bin(0, 0)]) == pytest.approx(np.exp(-4.0), rel=1e-9)
    wider = smooth_prior(counts, sigma=10.0)
    assert float(wider[_bin(0, 10)] / wider[_bin(0, 0)]) == pytest.approx(np.exp(-0.5), rel=1e-9)


def test_smoothing_loses_nothing_at_the_rim():
    counts = torch.zeros(NUM_BINS)
    counts[0], counts[_bin(0, 0)] = 1.0, 1.0
    prior = smooth_prior(counts)
    near_rim = (bin_centres() - bin_centres()[0]).norm(dim=1) < 45
    assert float(prior[near_rim].sum()) == pytest.approx(0.5, abs=1e-6)


def test_equation_4():
    generator = torch.Generator().manual_seed(0)
    prior = smooth_prior(torch.rand(NUM_BINS, generator=generator) ** 8)
    p = prior.numpy()
    expected = 1.0 / (0.5 * p + 0.5 / 313)
    expected /= (p * expected).sum()
    weights = rebalancing_weights(prior)
    assert weights.dtype == torch.float32
    np.testing.assert_allclose(weights.numpy(), expected, rtol=1e-6)
    assert float((prior * weights).sum()) == pytest.approx(1.0, abs=1e-6)
    torch.testing.assert_close(rebalancing_weights(prior, 1.0), torch.ones(NUM_BINS))


@pytest.mark.parametrize(
    "counts",
    [torch.zeros(NUM_BINS), torch.ones(5), -torch.ones(NUM_BINS), torch.full((NUM_BINS,), torch.nan)],
)
def test_bad_counts(counts):
    with pytest.raises(ValueError, match="prior"):
        smooth_prior(counts)


def test_bad_weights_input():
    uniform = torch.full((NUM_BINS,), 1 / NUM_BINS)
    for share in (0.0, 1.5):
        with pytest.raises(ValueError, match="uniform_share"):
            rebalancing_weights(uniform, share)
    with pytest.raises(ValueError, match="sum to 1"):
        rebalancing_weights(uniform * 2)
