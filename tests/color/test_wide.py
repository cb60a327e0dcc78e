"""Sixteen bits out of Lab: the oracle is scikit-image in float64."""

import gc
import weakref

import numpy as np
import pytest
import torch
from skimage.color import lab2rgb, rgb2lab

from gan_colorize.color.wide import Space, fit_, lab_to_levels


def planes(seed=0, strength=30.0):
    generator = np.random.default_rng(seed)
    lightness = generator.uniform(0, 100, (40, 50)).astype(np.float32)
    return lightness, generator.normal(0, strength, (2, 40, 50)).astype(np.float32)


@pytest.mark.parametrize("levels", [255, 65535])
def test_colours_inside_srgb_are_the_exact_ones(levels):
    lightness, ab = planes(strength=12)
    exact = lab2rgb(np.dstack([lightness, *ab]).astype(np.float64))
    inside = ((exact > 1e-4) & (exact < 1 - 1e-4)).all(-1)
    assert inside.mean() > 0.7
    found = lab_to_levels(torch.from_numpy(lightness), torch.from_numpy(ab), levels).numpy()
    assert found.min() >= 0 and found.max() <= levels
    assert np.abs(found - exact * levels)[inside].max() < 0.5 + levels * 2e-6


def test_lightness_is_kept_whatever_the_colour():
    lightness, ab = planes(strength=80)
    found = lab_to_levels(torch.from_numpy(lightness), torch.from_numpy(ab), 65535).numpy()
    assert (
        np.abs(rgb2lab(found / 65535)[..., 0] - lightness).max() < 0.0012
    )  # half a level at black is 0.0007


def test_in_another_space_the_same_colours():
    lightness, ab = planes(strength=10)
    swapped = torch.eye(3, dtype=torch.float64)[[2, 0, 1]]  # primaries in another order, and gamma 2
    ramp = torch.linspace(0, 1, 4097, dtype=torch.float64) ** 2
    space = Space(swapped, ramp.expand(3, -1))
    exact = lab2rgb(np.dstack([lightness, *ab]).astype(np.float64))
    inside = ((exact > 1e-4) & (exact < 1 - 1e-4)).all(-1)
    linear = np.where(exact <= 0.04045, exact / 12.92, ((exact + 0.055) / 1.055) ** 2.4)
    for levels, slack in ((255, 0.51), (65535, 1.0)):
        found = lab_to_levels(torch.from_numpy(lightness), torch.from_numpy(ab), levels, space).numpy()
        expected = np.sqrt(np.clip(linear[..., [2, 0, 1]], 0, 1)) * levels
        assert np.abs(found - expected)[inside].max() < slack


def test_white_black_and_nan():
    ends = torch.tensor([[0.0, 100.0, -5.0, 120.0]])
    assert lab_to_levels(ends, torch.full((2, 1, 4), 50.0))[0].tolist() == [[0] * 3, [255] * 3] * 2
    with pytest.raises(ValueError, match="finite"):
        lab_to_levels(torch.tensor([[float("nan")]]), torch.zeros(2, 1, 1))


def test_fit_leaves_what_fits():
    linear = torch.rand(3, 100, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(fit_(linear.clone(), linear.mean(0)), linear)


def test_a_space_that_nobody_keeps_is_gone():
    """A collection may have a profile of its own in every file; each would cost three megabytes for ever."""
    space = Space(torch.eye(3, dtype=torch.float64), torch.linspace(0, 1, 65536).double().expand(3, -1))
    lab_to_levels(torch.full((2, 2), 50.0), torch.zeros(2, 2, 2), 65535, space)
    watched = weakref.ref(space)
    del space
    gc.collect()
    assert watched() is None
