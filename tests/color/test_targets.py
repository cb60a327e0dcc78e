"""Soft targets against the definition written out with numpy, and the table against the definition."""

import numpy as np
import pytest
import torch

from gan_colorize.color.bins import NUM_BINS, bin_centres
from gan_colorize.color.targets import SoftEncoder, area_pool, encode_exact


def _by_definition(ab: np.ndarray, neighbours: int = 5, sigma: float = 5.0) -> np.ndarray:
    """(pixels, 2) -> (pixels, 313), from section 2.1 of the paper, in float64 and with a full sort."""
    centres = bin_centres(torch.float64).numpy()
    distance = np.linalg.norm(ab[:, None] - centres, axis=-1)
    dense = np.zeros((len(ab), NUM_BINS))
    for row, chosen in enumerate(np.argsort(distance, axis=1)[:, :neighbours]):
        weights = np.exp(-(distance[row, chosen] ** 2) / (2 * sigma**2))
        dense[row, chosen] = weights / weights.sum()
    return dense


def _dense(indices: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    n, _, h, w = indices.shape
    return torch.zeros(n, NUM_BINS, h, w).scatter_add_(1, indices, weights)


@pytest.fixture(scope="module")
def ab() -> torch.Tensor:
    return torch.randn(2, 2, 40, 40, generator=torch.Generator().manual_seed(0)) * 25


@pytest.mark.parametrize("neighbours", [5, 10])
def test_exact_is_the_definition(ab, neighbours):
    expected = _by_definition(ab[0].flatten(1).T.double().numpy(), neighbours)
    got = _dense(*encode_exact(ab[:1], neighbours))[0].flatten(1).T
    np.testing.assert_allclose(got.numpy(), expected, atol=2e-5)


def test_sigma_and_neighbours_of_the_paper_are_the_defaults():
    # On a bin far from the border: itself at 0, four more at 10. exp(-100 / 50) = 0.13534.
    indices, weights = encode_exact(torch.zeros(1, 2, 1, 1))
    around = np.exp(-2.0)
    expected = np.array([1.0, around, around, around, around]) / (1 + 4 * around)
    np.testing.assert_allclose(weights.flatten().numpy(), expected, rtol=1e-5)
    centres = {tuple(row) for row in bin_centres()[indices.flatten()].tolist()}
    assert centres == {(0, 0), (10, 0), (-10, 0), (0, 10), (0, -10)}
    _, table_weights = SoftEncoder()(torch.zeros(1, 2, 1, 1))
    assert float(table_weights.max()) == pytest.approx(expected[0], rel=1e-5)


@pytest.mark.parametrize(("step", "mean", "worst"), [(1.0, 0.004, 0.1), (0.5, 0.002, 0.1)])
def test_table_against_exact(ab, step, mean, worst):
    got, exact = _dense(*SoftEncoder(table_step=step)(ab)), _dense(*encode_exact(ab))
    total_variation = (got - exact).abs().sum(dim=1) / 2
    assert total_variation.mean() < mean
    assert total_variation.max() < worst
    shift = torch.einsum("nqhw,qc->nchw", got - exact, bin_centres()).norm(dim=1)
    assert shift.mean() < 0.1


def test_table_names_the_nearest_bin_first_almost_always(ab):
    nearest = SoftEncoder()(ab)[0][:, 0]
    assert (nearest == encode_exact(ab)[0][:, 0]).float().mean() > 0.99


def test_any_value_is_encoded():
    ab = torch.tensor([[-500.0, 500.0], [0.0, 0.0], [110.0, -110.0], [127.0, -128.0]]).T.view(1, 2, 2, 2)
    indices, weights = SoftEncoder()(ab)
    assert indices.dtype == torch.int64 and weights.dtype == torch.float32
    assert indices.min() >= 0 and indices.max() < NUM_BINS
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(1, 2, 2))


def test_low_precision_input_and_autocast(ab):
    encoder = SoftEncoder()
    rounded = ab.bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        indices, weights = encoder(rounded)
    assert weights.dtype == torch.float32
    expected = encoder(rounded.float())
    assert torch.equal(indices, expected[0]) and torch.equal(weights, expected[1])


def test_table_is_not_saved():
    assert SoftEncoder(neighbours=2).state_dict() == {}


def test_area_pool_is_the_mean_of_blocks():
    ab = torch.arange(2 * 4 * 8.0).view(1, 2, 4, 8)
    expected = ab.reshape(1, 2, 1, 4, 2, 4).mean(dim=(3, 5))
    torch.testing.assert_close(area_pool(ab, 4), expected)


def test_exceptions():
    with pytest.raises(ValueError, match="stride"):
        area_pool(torch.zeros(1, 2, 6, 8), 4)
    with pytest.raises(ValueError, match="neighbours"):
        SoftEncoder(neighbours=0)
    with pytest.raises(ValueError, match="sigma"):
        SoftEncoder(sigma=0.0)
