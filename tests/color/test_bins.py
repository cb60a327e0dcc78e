"""The 313 bins against the published array and its hash."""

import hashlib

import numpy as np
import torch

from gan_colorize.color.bins import GRID_STEP, NUM_BINS, bin_centres, bins_hash
from gan_colorize.color.lab import rgb_to_lab

# sha256 of the published pts_in_hull.npy as little-endian int16, computed from that file with numpy.
PUBLISHED_HASH = "e74b520cf1929e90ad9f051db10931e8ac5d1534c6cedabd7bfeba7a78a96c89"


def test_published_hash():
    centres = bin_centres(torch.int16).numpy().astype("<i2")
    assert hashlib.sha256(centres.tobytes()).hexdigest() == PUBLISHED_HASH
    assert bins_hash() == PUBLISHED_HASH


def test_published_array(shared):
    published = np.load(shared / "ref" / "pts_in_hull.npy")
    assert published.shape == (NUM_BINS, 2)
    np.testing.assert_array_equal(bin_centres(torch.int64).numpy(), published)


def test_order_is_a_then_b_on_the_grid():
    bins = [tuple(row) for row in bin_centres(torch.int64).tolist()]
    assert len(set(bins)) == NUM_BINS == 313
    assert bins == sorted(bins)
    assert all(a % GRID_STEP == 0 and b % GRID_STEP == 0 for a, b in bins)


def test_every_srgb_colour_has_a_bin_within_its_cell():
    steps = torch.linspace(0, 1, 24)
    rgb = torch.stack(torch.meshgrid(steps, steps, steps, indexing="ij")).reshape(3, 1, -1)
    ab = rgb_to_lab(rgb)[1:, 0].T
    offset = (ab[:, None] - bin_centres()).abs().amax(dim=-1).amin(dim=1)
    assert offset.max() <= GRID_STEP


def test_fresh_tensor_at_each_call():
    bin_centres().zero_()
    assert bin_centres().abs().sum() > 0
