"""Distances and scores of palettes."""

import pytest
import torch
from scipy.optimize import linear_sum_assignment

from gan_colorize.evaluation.palettes import energy_score, palette_distance, score_palettes


def test_the_best_pairing_is_scipys():
    torch.manual_seed(0)
    one, other = 30 * torch.randn(12, 5, 3), 30 * torch.randn(12, 5, 3)
    for a, b, found in zip(one, other, palette_distance(one, other), strict=True):
        cost = torch.cdist(a, b).square().numpy()
        rows, columns = linear_sum_assignment(cost)
        assert float(found) == pytest.approx(cost[rows, columns].mean() ** 0.5, rel=1e-5)


def test_the_order_of_the_colours_says_nothing():
    torch.manual_seed(0)
    palette = 30 * torch.randn(5, 3)
    assert float(palette_distance(palette, palette[[3, 1, 4, 0, 2]])) == 0.0
    assert float(palette_distance(palette, palette.flip(0) + torch.tensor([3.0, 0.0, 4.0]))) <= 5.0 + 1e-4


def test_gradients_go_through_the_pairing_and_are_finite_where_palettes_agree():
    palette = torch.tensor([[0.0, 0.0, 0.0], [10.0, 0.0, 0.0]], requires_grad=True)
    palette_distance(palette, torch.tensor([[13.0, 0.0, 4.0], [0.0, 0.0, 0.0]])).backward()
    # the distance is sqrt((3 * 3 + 4 * 4 + 0) / 2); it grows as the second colour moves from its partner
    torch.testing.assert_close(palette.grad, torch.tensor([[0.0, 0.0, 0.0], [-0.6, 0.0, -0.8]]) / 2**0.5)
    same = torch.zeros(2, 3, requires_grad=True)
    palette_distance(same, torch.zeros(2, 3)).backward()
    assert not same.grad.any()


def test_scores_in_numbers():
    """Palettes of one colour, three apart from the truth on either side: distance 3, diversity 6."""
    truth = torch.zeros(4, 1, 3)
    samples = torch.tensor([[[3.0, 0, 0]], [[-3.0, 0, 0]]]).expand(4, 2, 1, 3)
    distances, between = energy_score(samples, truth)
    assert distances.shape == (4, 2) and between.shape == (4, 1)
    assert score_palettes(samples, truth) == {
        "loss": pytest.approx(0.0),
        "distance": 3.0,
        "distance_of_best": 3.0,
        "diversity": 6.0,
    }


def test_colours_that_go_together_score_better_than_likely_ones_that_do_not():
    """Palettes of one hue, now this and now that, against palettes that mix both hues."""
    torch.manual_seed(0)
    hue = torch.tensor([[50.0, 40.0, 0.0], [50.0, -40.0, 0.0]])

    def pure(*shape):
        return hue[torch.randint(2, shape)][..., None, :].expand(*shape, 5, 3) + 5 * torch.randn(*shape, 5, 3)

    mixed = hue[torch.randint(2, (400, 5, 5))] + 5 * torch.randn(400, 5, 5, 3)
    truth = pure(400)
    assert score_palettes(pure(400, 5), truth)["loss"] < 0.9 * score_palettes(mixed, truth)["loss"]


def test_drawing_as_people_do_scores_better_than_one_cautious_palette_and_than_too_much():
    torch.manual_seed(0)
    truth = 10 * torch.randn(500, 5, 3)
    scores = {
        spread: score_palettes(spread * torch.randn(500, 5, 5, 3), truth)["loss"] for spread in (0, 10, 30)
    }
    assert scores[10] < scores[0] and scores[10] < scores[30]
