"""Possible bins against sRGB colours converted by scikit-image."""

import numpy as np
import pytest
import torch

from gan_colorize.color.bins import NUM_BINS, bin_centres
from gan_colorize.color.gamut import in_gamut, possible_bins
from gan_colorize.color.lab import rgb_to_lab


def test_never_excludes_the_nearest_bin_of_an_srgb_colour():
    color = pytest.importorskip("skimage.color")
    rng = np.random.default_rng(0)
    rgb = rng.integers(0, 256, (40000, 3)) / 255
    rgb[:20000, 0] = rng.integers(0, 2, 20000)  # the surface of the cube, where it matters
    rgb[:20000] = rng.permuted(rgb[:20000], axis=1)
    lab = torch.from_numpy(color.rgb2lab(rgb)).float()
    nearest = torch.cdist(lab[:, 1:], bin_centres()).argmin(dim=1)
    possible = possible_bins(lab[:, 0].view(1, 1, 1, -1))[0, :, 0]  # (313, colours)
    assert possible.gather(0, nearest[None]).all()


def test_excludes_what_no_colour_reaches():
    """A bin farther than its cell and 3 units of L from every colour of a lattice is ruled out."""
    steps = torch.linspace(0, 1, 40)
    lab = rgb_to_lab(torch.stack(torch.meshgrid(steps, steps, steps, indexing="ij")).reshape(3, 1, -1))[
        :, 0
    ].T
    for lightness in (5.0, 30.0, 60.0, 95.0):
        near = lab[(lab[:, 0] - lightness).abs() < 3, 1:]
        reached = torch.cdist(bin_centres(), near, p=torch.inf).amin(dim=1) < 8
        possible = possible_bins(torch.full((1, 1, 1, 1), lightness)).flatten()
        assert not (possible & ~reached).any()
        assert possible.sum() < 0.65 * NUM_BINS


def test_grey_is_possible_at_every_lightness():
    grey = bin_centres(torch.int64).tolist().index([0, 0])
    lightness = torch.linspace(-5, 105, 221).view(1, 1, 13, 17)
    possible = possible_bins(lightness)
    assert possible.shape == (1, NUM_BINS, 13, 17) and possible.dtype == torch.bool
    assert possible[:, grey].all()


def test_bins_that_are_only_ever_neighbours_are_never_possible():
    """261 of the bins are the nearest of some sRGB colour; 52 get mass from soft encoding alone."""
    ever = possible_bins(torch.linspace(0, 100, 401).view(1, 1, 1, -1)).flatten(2).any(dim=2)
    assert int(ever.sum()) == 261


def test_in_gamut():
    rgb = torch.rand(3, 20, 20, generator=torch.Generator().manual_seed(1))
    lab = rgb_to_lab(rgb)
    assert in_gamut(lab).shape == (1, 20, 20)
    assert in_gamut(lab).all()
    lab[1] = 120.0
    assert not in_gamut(lab).any()
