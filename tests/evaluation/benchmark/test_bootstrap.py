"""Intervals against closed forms, values against the classes that evaluate uses."""

import math

import numpy as np
import pytest
import torch

from gan_colorize.evaluation.auc import RebalancedAuc, by_class, pixel_scores
from gan_colorize.evaluation.benchmark.bootstrap import Row, draw, interval
from gan_colorize.evaluation.benchmark.parts import Part


def part(**numbers: list) -> Part:
    count = len(next(iter(numbers.values())))
    places = list(range(count))
    return Part(places, list(map(str, places)), [f"{i:064d}" for i in places], numbers)


def plain(values: np.ndarray) -> Row:
    """A row with one metric; colourfulness, which every row has, is 1 everywhere."""
    ones = [1.0] * len(values)
    truth = part(colorfulness=ones, colorfulness_abs=ones)
    return Row(part(psnr=list(values), colorfulness=ones, colorfulness_abs=ones), truth)


def test_the_interval_of_a_mean_is_normal_theorys() -> None:
    values = np.random.default_rng(0).normal(20, 3, 400)
    row = plain(values)
    draws = draw({"model": row})["model"]["psnr"]
    low, high = interval(draws)
    half = 1.959964 * values.std() / math.sqrt(len(values))  # sd of a resampled mean is exactly that
    assert row.value()["psnr"] == pytest.approx(values.mean(), rel=1e-12)
    assert draws.std() == pytest.approx(values.std() / 20, rel=0.03)
    assert (values.mean() - low, high - values.mean()) == pytest.approx((half, half), rel=0.06)


def test_two_photographs_give_three_draws_of_known_frequency() -> None:
    draws = draw({"model": plain(np.array([0.0, 1.0]))})["model"]["psnr"]
    found, counts = np.unique(draws, return_counts=True)
    assert found.tolist() == [0.0, 0.5, 1.0]
    assert counts / len(draws) == pytest.approx([0.25, 0.5, 0.25], abs=0.02)


def test_draws_are_the_same_every_time_and_for_all_rows() -> None:
    values = np.random.default_rng(1).normal(size=50)
    once = draw({"a": plain(values), "b": plain(values + 2)})
    again = draw({"a": plain(values)})
    assert np.array_equal(once["a"]["psnr"], again["a"]["psnr"])
    assert np.allclose(once["b"]["psnr"] - once["a"]["psnr"], 2)  # paired: the difference has no noise
    assert draw({"a": plain(values[:1])}) == {"a": {}}
    other = draw({"a": plain(values)}, seed=5)
    assert not np.array_equal(once["a"]["psnr"], other["a"]["psnr"])


def test_numbers_that_some_photographs_lack_are_left_out_of_the_mean() -> None:
    ones = [1.0] * 4
    truth = part(colorfulness=ones, colorfulness_abs=ones)
    row = Row(part(top1=[100.0, None, 0.0, None], colorfulness=ones, colorfulness_abs=ones), truth)
    assert row.value()["top1"] == 50
    draws = draw({"model": row})["model"]["top1"]
    # nobody with a number is drawn in 1 of 16 cases
    assert np.isnan(draws).mean() == pytest.approx(1 / 16, abs=0.01)
    low, high = interval(draws)
    assert (low, high) == (0, 100)


def test_colourfulness_by_hand() -> None:
    truth = part(colorfulness=[40.0, 60.0], colorfulness_abs=[20.0, 30.0])
    numbers = {"colorfulness": [30.0, 74.0], "colorfulness_abs": [15.0, 37.0]}
    value = Row(part(**numbers), truth).value()
    assert value["delta_colorfulness_of_means"] == 2
    assert value["delta_colorfulness_abs_of_means"] == 1
    assert value["colorfulness_ratio"] == 1.04


def test_rebalanced_auc_is_that_of_evaluate_and_its_interval_holds_it() -> None:
    chance = torch.Generator().manual_seed(0)
    true = torch.rand(12, 2, 8, 8, generator=chance) * 160 - 80
    other = true + 40 * torch.randn(12, 2, 8, 8, generator=chance)
    expected = RebalancedAuc(["model"])
    classes = expected.classes(true)
    scores = pixel_scores(true, other)
    expected.add("model", classes, scores)
    ones = [1.0] * 12
    truth = part(colorfulness=ones, colorfulness_abs=ones)
    truth.arrays["shares"] = by_class(classes).numpy()
    mine = part(colorfulness=ones, colorfulness_abs=ones)
    mine.arrays["areas"] = by_class(classes, scores).numpy()
    row = Row(mine, truth)
    value = row.value()["auc_rebalanced"]
    assert value == pytest.approx(expected.values()["model"], rel=1e-6)
    draws = draw({"model": row})["model"]["auc_rebalanced"]
    low, high = interval(draws)
    # a draw that lost colour classes would lie beside the value
    assert low < value < high
    assert abs(np.median(draws) - value) < 0.1 * (high - low)


def test_rows_must_be_of_the_same_photographs() -> None:
    truth = part(colorfulness=[1.0, 2.0], colorfulness_abs=[1.0, 2.0])
    with pytest.raises(ValueError, match="same photographs"):
        Row(part(colorfulness=[1.0], colorfulness_abs=[1.0]), truth)
