"""Colours to choose from: the distribution decides which, the lightness which are possible."""

import numpy as np
import pytest
import torch
from skimage.color import rgb2lab

from gan_colorize.color.bins import NUM_BINS, bin_centres
from gan_colorize.inference.suggest import COUNT, suggest

CENTRES = bin_centres().numpy()


def bin_of(a, b):
    (found,) = np.flatnonzero((np.array([a, b]) == CENTRES).all(1))
    return int(found)


def logits_of(shares, rest=1e-9):
    """Logits of a distribution with these shares at (a, b)."""
    logits = torch.full((NUM_BINS,), float(np.log(rest)))
    for place, share in shares.items():
        logits[bin_of(*place)] = float(np.log(share))
    return logits


@pytest.mark.parametrize("place", [(30, 40), (-40, 30), (10, -40), (0, 0)])
def test_a_distribution_of_one_bin_suggests_it_first(place):
    first = suggest(logits_of({place: 1.0}), 55.0)[0]
    assert first.ab == pytest.approx(place, abs=0.01)
    assert first.probability == pytest.approx(1, abs=1e-5)
    lab = rgb2lab(np.array([[first.rgb8]], np.uint8))[0, 0]
    assert lab == pytest.approx((55.0, *place), abs=1.0)


def test_several_peaks_come_by_their_probability():
    shares = {(40, 30): 0.15, (-40, 40): 0.6, (0, 0): 0.25}
    found = suggest(logits_of(shares), 55.0)
    assert [one.ab for one in found[:3]] == [
        pytest.approx(place, abs=0.01) for place in ((-40, 40), (0, 0), (40, 30))
    ]
    assert [one.probability for one in found[:3]] == pytest.approx([0.6, 0.25, 0.15], abs=1e-5)


@pytest.mark.parametrize("lightness", [0.0, 1.0, 5.0, 30.0, 55.0, 90.0, 99.0, 100.0])
@pytest.mark.parametrize("spread", [0.0, 1.0, 6.0])
def test_probabilities_are_a_distribution_and_colours_differ(lightness, spread):
    logits = torch.randn(NUM_BINS, generator=torch.Generator().manual_seed(3)) * spread
    found = suggest(logits, lightness)
    probabilities = [one.probability for one in found]
    assert sum(probabilities) == pytest.approx(1, abs=1e-6)
    assert probabilities == sorted(probabilities, reverse=True) and min(probabilities) > 0
    assert 1 <= len(found) <= COUNT == 9
    assert len({one.rgb8 for one in found}) == len(found)


@pytest.fixture(scope="module")
def screen_colours():
    """Lab of a grid over all of sRGB."""
    levels = np.arange(0, 256, 5, dtype=np.uint8)
    rgb = np.stack(np.meshgrid(levels, levels, levels), -1).reshape(1, -1, 3)
    return rgb2lab(rgb)[0]


@pytest.mark.parametrize("lightness", [8.0, 30.0, 55.0, 80.0, 95.0])
def test_only_colours_that_this_lightness_can_have(screen_colours, lightness):
    possible = screen_colours[np.abs(screen_colours[:, 0] - lightness) < 3][:, 1:]
    for one in suggest(torch.zeros(NUM_BINS), lightness):
        assert np.hypot(*(possible - one.ab).T).min() < 8  # half the diagonal of a bin, and one step of L
        shown = rgb2lab(np.array([[one.rgb8]], np.uint8))[0, 0]
        assert shown[0] == pytest.approx(lightness, abs=0.7)
    # a peak at a colour that cannot be is no suggestion
    impossible = suggest(logits_of({(-80, 80): 1.0}), 8.0)
    assert all(np.hypot(one.ab[0] + 80, one.ab[1] - 80) > 40 for one in impossible)


@pytest.mark.parametrize(("lightness", "level"), [(0.0, 0), (100.0, 255)])
def test_black_and_white_have_one_colour(lightness, level):
    (only,) = suggest(torch.randn(NUM_BINS), lightness)
    assert only.rgb8 == (level,) * 3 and only.probability == pytest.approx(1)


@pytest.mark.parametrize("count", [1, 2, 5, 32])
def test_as_many_as_asked(count):
    found = suggest(torch.zeros(NUM_BINS), 55.0, count)
    assert len(found) == count
    places = np.array([one.ab for one in found])
    apart = np.hypot(*(places[:, None] - places).transpose(2, 0, 1))[~np.eye(count, dtype=bool)]
    assert count == 1 or apart.min() > 10  # a bin's width


def test_half_precision_and_sureness_beyond_numbers():
    logits = logits_of({(30, 40): 0.7, (0, 0): 0.3})
    assert suggest(logits.bfloat16(), 55.0)[0].ab == pytest.approx((30, 40), abs=0.01)
    sure = torch.full((NUM_BINS,), -1e9)
    sure[bin_of(30, 40)] = 0.0
    assert suggest(sure, 55.0)[0].probability == pytest.approx(1)
