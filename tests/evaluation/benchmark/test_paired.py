"""Tests of differences on cases whose p is known."""

import numpy as np
import pytest

from gan_colorize.evaluation.benchmark.metrics import BY_KEY
from gan_colorize.evaluation.benchmark.paired import drawn_p, flipped_p, holm, verdict


def test_all_signs_are_tried_where_they_are_few() -> None:
    # five differences of one sign: 2 of 32 flips reach that mean
    assert flipped_p(np.ones((5, 1)))[0] == 2 / 32
    # 1, 2, 3, -4: the sums of the 16 flips whose size is at least 2 are 14
    assert flipped_p(np.array([[1.0], [2.0], [3.0], [-4.0]]))[0] == 14 / 16
    assert flipped_p(np.zeros((6, 1)))[0] == 1.0


def test_random_signs_agree_with_the_exact_value() -> None:
    chance = np.random.default_rng(0)
    differences = chance.normal(0.4, 1.0, (12, 3))
    exact = flipped_p(differences)
    sampled = flipped_p(differences, flips=4000)  # fewer than 2^12, so these are random
    assert sampled == pytest.approx(exact, abs=0.03)
    assert flipped_p(np.full((40, 1), 0.5))[0] == pytest.approx(1 / 10_001)  # never 0


def test_p_is_uniform_where_nothing_differs() -> None:
    chance = np.random.default_rng(1)
    p = flipped_p(chance.normal(size=(30, 400)))
    assert (p < 0.05).mean() == pytest.approx(0.05, abs=0.03)
    assert p.mean() == pytest.approx(0.5, abs=0.05)


def test_photographs_without_a_number_change_nothing() -> None:
    with_gaps = np.array([[1.0], [np.nan], [1.0], [1.0], [np.nan], [1.0], [1.0]])
    assert flipped_p(with_gaps)[0] == pytest.approx(2 / 32)


def test_holm_by_hand() -> None:
    # sorted 0.01 * 3, 0.03 * 2, 0.04 * 1, never below the one before
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == pytest.approx([1.0, 1.0])
    assert holm([0.02]) == [0.02]


def test_p_of_draws_is_twice_the_rarer_side() -> None:
    assert drawn_p(np.array([1.0] * 97 + [-1.0] * 3)) == pytest.approx(2 * 4 / 101)
    assert drawn_p(np.array([1.0, -1.0] * 50)) == 1.0
    assert drawn_p(np.array([1.0] * 99 + [np.nan])) == pytest.approx(2 / 100)


def test_the_verdict_knows_which_side_is_better() -> None:
    assert verdict(-0.1, 0.01, BY_KEY["lpips_alex"]) == "better"
    assert verdict(-0.1, 0.01, BY_KEY["psnr"]) == "worse"
    assert verdict(0.1, 0.01, BY_KEY["psnr"]) == "better"
    assert verdict(0.1, 0.05, BY_KEY["psnr"]) == "undecided"
