"""FID and KID against their definitions, computed another way."""

import numpy as np
import pytest

from gan_colorize.evaluation.benchmark.fid import fid
from gan_colorize.evaluation.benchmark.kid import KidOfWeighted, kid, settings


def clouds(seed: int, count: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Two sets of correlated features that differ in mean and spread."""
    chance = np.random.default_rng(seed)
    mixed = chance.normal(size=(size, size))
    true = chance.normal(size=(count, size)) @ mixed
    other = 0.7 * chance.normal(size=(count, size)) @ mixed + 0.5
    return true.astype(np.float32), other.astype(np.float32)


@pytest.mark.parametrize(("count", "size"), [(200, 24), (30, 64)])  # of full rank and not
def test_fid_is_the_formula_with_a_matrix_root(count: int, size: int) -> None:
    linalg = pytest.importorskip("scipy.linalg")
    true, other = (values.astype(np.float64) for values in clouds(1, count, size))
    first, second = (np.cov(values, rowvar=False) for values in (true, other))
    # the root of A^(1/2) B A^(1/2) has the same trace as that of AB, and exists where A has no full rank
    half = linalg.sqrtm(first + 1e-12 * np.eye(size))
    root = linalg.sqrtm(half @ second @ half + 1e-12 * np.eye(size))
    expected = ((true.mean(0) - other.mean(0)) ** 2).sum() + np.trace(first + second - 2 * np.real(root))
    assert fid(true, other) == pytest.approx(expected, rel=1e-4)


def test_fid_is_torch_fidelitys() -> None:
    torch = pytest.importorskip("torch")
    metric = pytest.importorskip("torch_fidelity.metric_fid")
    true, other = clouds(2, 150, 32)
    stats = [metric.fid_features_to_statistics(torch.from_numpy(v.astype(np.float64))) for v in (true, other)]
    expected = metric.fid_statistics_to_metric(*stats, verbose=False)[metric.KEY_METRIC_FID]
    assert fid(true, other) == pytest.approx(expected, rel=1e-6)


def test_fid_of_round_numbers() -> None:
    # variances 1 and 4 of one feature, means 0 and 3: 9 + (1 - 2)^2
    true = np.array([[-1.0], [1.0], [-1.0], [1.0]]) * np.sqrt(3 / 4)
    other = 2 * true + 3
    assert fid(true, other) == pytest.approx(10.0)
    assert fid(true, true) == pytest.approx(0.0, abs=1e-9)
    with pytest.raises(ValueError, match="two pictures"):
        fid(true[:1], other)


def direct(true: np.ndarray, other: np.ndarray, weights: np.ndarray) -> float:
    """The estimate as sums over pairs, one pair after the other."""

    def kernel(a: np.ndarray, b: np.ndarray) -> float:
        return float((np.dot(a, b) / len(a) + 1) ** 3)

    count = len(true)
    pairs = [(i, j, weights[i] * weights[j]) for i in range(count) for j in range(count)]
    apart = sum(w for i, j, w in pairs if i != j)
    within = sum(w * (kernel(true[i], true[j]) + kernel(other[i], other[j])) for i, j, w in pairs if i != j)
    # a photograph against its own result counts as often as it was drawn, not every copy against every copy
    across = [(i, j, w if i != j else weights[i]) for i, j, w in pairs]
    between = sum(w * kernel(true[i], other[j]) for i, j, w in across)
    return within / apart - 2 * between / sum(w for _, _, w in across)


def test_kid_is_the_double_sum() -> None:
    pytest.importorskip("torch_fidelity")
    true, other = (values.astype(np.float64) for values in clouds(3, 20, 8))
    expected = direct(true, other, np.ones(20))
    assert kid(true, other) == pytest.approx(expected, rel=1e-9)
    weighted = KidOfWeighted(true, other)
    drawn = np.random.default_rng(0).integers(0, 3, (4, 20)).astype(np.float64)
    assert weighted(np.ones((1, 20)))[0] == pytest.approx(expected, rel=1e-9)
    for weights, value in zip(drawn, weighted(drawn), strict=True):
        assert value == pytest.approx(direct(true, other, weights), rel=1e-9)


def test_kids_interval_holds_its_value() -> None:
    """Of results that are much like their own photographs, as those of a good colorizer are."""
    chance = np.random.default_rng(5)
    true = chance.normal(size=(60, 16))
    other = true + 0.3 * chance.normal(size=true.shape)
    drawn = np.stack([np.bincount(row, minlength=60) for row in chance.integers(0, 60, (2000, 60))])
    weighted = KidOfWeighted(true, other)
    value = weighted(np.ones((1, 60)))[0]
    low, high = np.quantile(weighted(drawn.astype(np.float64)), [0.025, 0.975])
    assert low < value < high


def test_kid_takes_one_subset_until_there_are_more_than_a_thousand() -> None:
    assert settings(458) == {"kid_subsets": 1, "kid_subset_size": 458, "rng_seed": 2020}
    assert settings(5000) == {"kid_subsets": 100, "kid_subset_size": 1000, "rng_seed": 2020}
