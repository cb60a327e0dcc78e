"""Colourfulness against numbers worked out by hand from Hasler & Süsstrunk's formula."""

import math

import numpy as np
import pytest
import torch

from gan_colorize.evaluation.colorfulness import colorfulness, delta_of_means, mean_delta


def flat(*colours: tuple[int, int, int]) -> torch.Tensor:
    """(1, 3, 1, N) uint8 of these pixels."""
    return torch.tensor(colours, dtype=torch.uint8).T[None, :, None]


def test_one_colour_has_only_the_mean_term() -> None:
    # rg = 255, yb = 127.5: 0.3 * sqrt(255^2 + 127.5^2)
    assert colorfulness(flat((255, 0, 0))).item() == pytest.approx(0.3 * math.hypot(255, 127.5))


def test_opposite_colours_have_only_the_spread_in_the_signed_formula() -> None:
    # red and cyan: rg = +-255, yb = +-127.5; the means cancel, the deviations do not
    pair = flat((255, 0, 0), (0, 255, 255))
    assert colorfulness(pair).item() == pytest.approx(math.hypot(255, 127.5))
    # absolute values first: no spread is left, the mean is all there is
    assert colorfulness(pair, absolute=True).item() == pytest.approx(0.3 * math.hypot(255, 127.5))


def test_grey_is_zero() -> None:
    assert colorfulness(flat((0, 0, 0), (128, 128, 128), (255, 255, 255))).item() == 0


def test_matches_the_formula_in_numpy_and_floats_equal_bytes() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (2, 3, 40, 30), dtype=np.uint8)
    r, g, b = pixels.astype(np.float64).transpose(1, 0, 2, 3)
    for absolute in (False, True):
        rg, yb = r - g, 0.5 * (r + g) - b
        if absolute:
            rg, yb = abs(rg), abs(yb)
        expected = [
            math.sqrt(x.std() ** 2 + y.std() ** 2) + 0.3 * math.sqrt(x.mean() ** 2 + y.mean() ** 2)
            for x, y in zip(rg, yb, strict=True)
        ]
        for tensor in (torch.from_numpy(pixels), torch.from_numpy(pixels).float() / 255):
            assert colorfulness(tensor, absolute).tolist() == pytest.approx(expected, rel=1e-6)


def test_the_two_differences_disagree_when_errors_cancel() -> None:
    true, other = torch.tensor([40.0, 40.0]), torch.tensor([30.0, 52.0])
    assert delta_of_means(true, other) == 1.0
    assert mean_delta(true, other) == 11.0
