"""Adversarial losses at points worked out by hand."""

import math

import pytest
import torch

from gan_colorize.errors import UserError
from gan_colorize.losses.adversarial import discriminator_loss, generator_loss, r1_penalty

REAL, FAKE = torch.tensor([2.0, 0.5]), torch.tensor([-3.0, 0.25])


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("hinge", [0.0 + 0.0, 0.5 + 1.25]),
        ("least_squares", [1.0 + 9.0, 0.25 + 0.0625]),
        (
            "non_saturating",
            [
                math.log1p(math.exp(-2)) + math.log1p(math.exp(-3)),
                math.log1p(math.exp(-0.5)) + math.log1p(math.exp(0.25)),
            ],
        ),
    ],
)
def test_discriminator(kind, expected):
    torch.testing.assert_close(discriminator_loss(kind, REAL, FAKE), torch.tensor(expected))


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("hinge", [3.0, -0.25]),
        ("least_squares", [16.0, 0.5625]),
        ("non_saturating", [math.log1p(math.exp(3)), math.log1p(math.exp(-0.25))]),
    ],
)
def test_generator(kind, expected):
    torch.testing.assert_close(generator_loss(kind, FAKE), torch.tensor(expected))


def test_unknown_kind_names_the_known():
    with pytest.raises(UserError, match="hinge, least_squares, non_saturating"):
        generator_loss("wasserstein", FAKE)


def test_r1_of_a_linear_score_is_its_squared_norm():
    inputs = torch.rand(3, 2, 4, 4, requires_grad=True)
    weight = torch.randn(2, 4, 4)
    penalty = r1_penalty((inputs * weight).sum(dim=(1, 2, 3)), inputs)
    torch.testing.assert_close(penalty, weight.square().sum().expand(3))
