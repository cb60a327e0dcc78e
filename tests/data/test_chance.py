"""Random numbers that belong to pictures."""

import math

import numpy as np
import pytest
import torch

from gan_colorize.data.chance import Chance


def draw(chance):
    return [chance.uniform(3), chance.normal(2, 2), chance.integers(1, 10), chance.uniform64(5)]


def test_a_picture_draws_the_same_in_any_batch():
    whole = draw(Chance(7, range(100, 116)))
    for rows in (slice(0, 16, 2), slice(1, 16, 2), slice(4, 5)):
        part = draw(Chance(7, torch.arange(100, 116)[rows]))
        for one, other in zip(whole, part, strict=True):
            assert torch.equal(one[rows], other)


def test_fields_follow_the_picture_too():
    chosen = torch.tensor([True, False, True, True])
    whole = Chance(0, range(4)).fields(chosen, (1, 8, 8), torch.device("cpu"))
    assert whole.shape == (3, 1, 8, 8)
    alone = Chance(0, [3]).fields(torch.tensor([True]), (1, 8, 8), torch.device("cpu"))
    assert torch.equal(whole[2], alone[0])


def test_seed_number_use_and_call_all_matter():
    base = Chance(1, [5]).uniform(4)
    chance = Chance(1, [5])
    first, second = chance.uniform(4), chance.uniform(4)
    assert torch.equal(base, first) and not torch.equal(first, second)
    for other in (Chance(2, [5]), Chance(1, [6]), Chance(1, [5], use=1)):
        assert not torch.equal(base, other.uniform(4))


@pytest.mark.parametrize("axis", [0, 1])
def test_uniform_across_pictures_and_within_one(axis):
    """Kolmogorov-Smirnov: the largest distance to the line is below the bound of one in a million."""
    shape = (20_000, 1) if axis == 0 else (1, 20_000)
    values = np.sort(Chance(3, range(shape[0])).uniform(shape[1]).numpy().ravel())
    assert values[0] >= 0.0 and values[-1] < 1.0
    distance = np.abs(values - (np.arange(20_000) + 0.5) / 20_000).max()
    assert distance < math.sqrt(math.log(2e6) / 2 / 20_000)


def test_neighbouring_pictures_and_draws_know_nothing_of_each_other():
    values = Chance(0, range(4000)).uniform(8).double().numpy()
    flat = values - 0.5
    for shift in (1, 2, 3):
        assert abs((flat[shift:, 0] * flat[:-shift, 0]).mean() * 12) < 5 / math.sqrt(4000)
        assert abs((flat[:, shift] * flat[:, 0]).mean() * 12) < 5 / math.sqrt(4000)


def test_normal_has_the_moments_of_the_normal_distribution():
    values = Chance(0, range(1000)).normal(200).double()
    assert values.isfinite().all()
    for power, moment in ((1, 0.0), (2, 1.0), (3, 0.0), (4, 3.0)):
        assert (values**power).mean().item() == pytest.approx(moment, abs=0.06)


def test_integers_reach_both_ends_evenly():
    values = Chance(0, range(9000)).integers(1, 10)
    counts = torch.bincount(values)
    assert counts[0] == 0 and len(counts) == 10
    assert (counts[1:] - 1000).abs().max() < 150  # 5 standard deviations
