"""Colours that follow edges: the paper's guided filter, less bleeding, no fringes, plain where L is plain."""

import numpy as np
import pytest
import torch

from gan_colorize.inference import guided
from gan_colorize.inference.guided import follow, local_lines
from gan_colorize.inference.predictor import Settings
from gan_colorize.inference.upsample import enlarge, render


def enlarged(lightness, ab, extent, edges=True):
    """Full-size ab (2, H, W): by the lines, or by plain cubic enlargement."""
    planes = local_lines(lightness, ab, extent) if edges else ab
    planes = np.stack([enlarge(plane, lightness.shape, extent) for plane in planes])
    return follow(torch.from_numpy(lightness), torch.from_numpy(planes)).numpy() if edges else planes


def two_colours(width=1000, at=470, cell=20):
    """L 30 and 75 and a colour each, meeting in the middle of a cell; true ab and its means over cells."""
    right = np.broadcast_to(np.arange(width) >= at, (200, width))
    lightness = np.where(right, 75, 30).astype(np.float32)
    true = np.where(right, np.float32([-10, -25])[:, None, None], np.float32([35, 20])[:, None, None])
    small = true.reshape(2, 200 // cell, cell, width // cell, cell).mean((2, 4))
    return lightness, true, small, (200 / cell, width / cell)


def test_slopes_are_those_of_the_paper(monkeypatch):
    # He, Sun, Tang 2013, equations 5 and 8, window by window; the mirrored border is ours
    monkeypatch.setattr(guided, "_TEXTURE", 0.0)
    monkeypatch.setattr(guided, "_ROOM", 1e9)
    generator = np.random.default_rng(0)
    height, width, cell = 6, 7, 8
    lightness = generator.uniform(0, 100, (height * cell, width * cell)).astype(np.float32)
    lightness[:, 20:] *= 0.3
    ab = generator.normal(0, 20, (2, height, width)).astype(np.float32)
    light = lightness.reshape(height, cell, width, cell).mean((1, 3))
    for channel in range(2):
        guide, source = np.pad(light, 2, "symmetric"), np.pad(ab[channel], 2, "symmetric")
        slopes = np.zeros((height + 2, width + 2))
        for row in range(height + 2):
            for column in range(width + 2):
                window = np.s_[row : row + 3, column : column + 3]
                covariance = np.cov(guide[window].ravel(), source[window].ravel(), bias=True)
                slopes[row, column] = covariance[0, 1] / (covariance[0, 0] + guided._FLAT)
        slopes[[0, -1]], slopes[:, [0, -1]] = slopes[[1, -2]], slopes[:, [1, -2]]
        expected = [[slopes[r : r + 3, c : c + 3].mean() for c in range(width)] for r in range(height)]
        lines = local_lines(lightness, ab, (height, width))
        np.testing.assert_allclose(lines[channel], expected, atol=1e-4)
        through = lines[channel] * light + lines[2 + channel]  # every line goes through its cell's colour
        np.testing.assert_allclose(through, ab[channel], atol=1e-3)


def test_colour_that_is_a_line_of_lightness_comes_back_with_its_detail(monkeypatch):
    monkeypatch.setattr(guided, "_TEXTURE", 0.0)
    monkeypatch.setattr(guided, "_FLAT", 0.0)
    monkeypatch.setattr(guided, "_ROOM", 1e9)
    generator = np.random.default_rng(1)
    lightness = generator.uniform(10, 90, (96, 128)).astype(np.float32)
    true = np.stack([0.5 * lightness - 20, 30 - 0.25 * lightness])
    small = true.reshape(2, 12, 8, 16, 8).mean((2, 4))
    np.testing.assert_allclose(enlarged(lightness, small, (12, 16)), true, atol=1e-3)
    assert np.abs(enlarged(lightness, small, (12, 16), edges=False) - true).mean() > 5


@pytest.mark.parametrize("at", [460, 465, 470, 475])  # the border of a cell to three quarters
def test_colours_bleed_less_over_an_edge(at):
    lightness, true, small, extent = two_colours(at=at)
    plain, guided_ = (enlarged(lightness, small, extent, edges) for edges in (False, True))
    wrong = {
        name: np.linalg.norm(full - true, axis=0) for name, full in (("plain", plain), ("guided", guided_))
    }
    near = np.s_[:, 450:490]  # the colours are 64 apart; errors of 8.3 to 14.6 become 2.5 to 4.6
    assert wrong["guided"][near].mean() < 0.35 * wrong["plain"][near].mean()
    columns = {name: (error > 10).sum(1).max() for name, error in wrong.items()}
    assert columns["plain"] >= 12 and columns["guided"] <= 2  # that is how far a colour runs
    span = np.ptp(true, (1, 2))[:, None, None]
    beyond = np.maximum(guided_ - true.max((1, 2), keepdims=True), true.min((1, 2), keepdims=True) - guided_)
    assert (beyond < 0.03 * span).all()  # no fringes; the cubic kernel's own are up to 0.074


def test_a_scratch_takes_the_colours_around_it():
    lightness = np.tile(np.linspace(30, 70, 400, dtype=np.float32), (200, 1))  # a sky
    small = np.stack([np.full((10, 20), -3.0), np.tile(np.linspace(-40, 0, 20), (10, 1))])
    lightness[97:102, 30:370] = 100  # a pixel wide in what is looked at
    away = np.abs(enlarged(lightness, small, (10, 20)) - enlarged(lightness, small, (10, 20), edges=False))
    assert away.max() < 4  # half of what it is unbounded; 30 to 70 along the sky's own line


@pytest.mark.parametrize("lightness", [0.0, 50.0, 100.0])
def test_constant_lightness_is_the_plain_enlargement(lightness):
    ab = np.random.default_rng(2).normal(0, 30, (2, 16, 24)).astype(np.float32)
    plane = np.full((60, 90), lightness, np.float32)
    np.testing.assert_allclose(
        enlarged(plane, ab, (15, 22.5)), enlarged(plane, ab, (15, 22.5), edges=False), atol=1e-3
    )


def test_constant_chroma_stays_constant():
    lightness = np.random.default_rng(3).uniform(0, 100, (60, 90)).astype(np.float32)
    ab = np.broadcast_to(np.float32([20, -15])[:, None, None], (2, 16, 24))
    lines = local_lines(lightness, ab, (15, 22.5))
    assert not lines[:2].any()
    np.testing.assert_array_equal(lines[2:], ab)


@pytest.mark.parametrize(
    ("size", "cells", "extent"),
    [
        ((1, 1), (8, 8), (0.25, 0.25)),
        ((1, 1), (1, 1), (1, 1)),
        ((1, 500), (8, 128), (0.25, 125)),
        ((700, 1), (128, 8), (128, 0.25)),
        ((33, 47), (16, 16), (8.25, 11.75)),
        ((3, 2), (40, 56), (40, 53.25)),  # fewer pixels than cells
    ],
)
def test_any_size_gives_finite_colours_within_reach(size, cells, extent):
    generator = np.random.default_rng(4)
    lightness = generator.uniform(0, 100, size).astype(np.float32)
    ab = generator.uniform(-40, 40, (2, *cells)).astype(np.float32)
    full = enlarged(lightness, ab, extent)
    assert full.shape == (2, *size)
    assert np.abs(full).max() < 120
    assert render(lightness, ab, extent).shape == (*size, 3)


def test_padding_is_the_mirrored_photograph():
    # 45 of 64 columns are photograph: the same lines as for the mirrored picture that fills the plane
    generator = np.random.default_rng(5)
    photo = generator.uniform(0, 100, (64, 45)).astype(np.float32)
    ab = generator.normal(0, 20, (2, 16, 16)).astype(np.float32)
    whole = np.pad(photo, ((0, 0), (0, 19)), "symmetric")
    np.testing.assert_allclose(
        local_lines(photo, ab, (16, 11.25)), local_lines(whole, ab, (16, 16)), atol=1e-3
    )


def test_blocks_do_not_show(monkeypatch):
    generator = np.random.default_rng(6)
    lightness = generator.uniform(0, 100, (211, 173)).astype(np.float32)
    ab = generator.normal(0, 20, (2, 16, 16)).astype(np.float32)
    lines = local_lines(lightness, ab, (16, 13.25))
    for block in (1, 7, 1000):
        monkeypatch.setattr(guided, "_BLOCK", block)
        np.testing.assert_allclose(local_lines(lightness, ab, (16, 13.25)), lines, atol=1e-3)


def test_a_read_only_photograph_is_left_alone():
    lightness = np.random.default_rng(7).uniform(0, 100, (40, 60)).astype(np.float32)
    lightness.flags.writeable = False
    before = lightness.copy()
    render(lightness, np.zeros((2, 10, 15), np.float32), (10, 15))
    np.testing.assert_array_equal(lightness, before)


def test_what_the_network_saw_serves_as_well(predictor, grey_picture):
    lightness = grey_picture(300, 410).astype(np.float32) * (100 / 255)
    (chroma,) = predictor.decode(predictor.predict([seen := predictor.see(lightness)]), [seen], Settings())
    assert chroma.seen is seen.plane
    made, given, plain = (
        render(lightness, chroma.ab[0], chroma.extent, **how).astype(int)
        for how in ({}, {"seen": chroma.seen}, {"edges": False})
    )
    assert 0 < np.abs(given - made).mean() < 0.1 * np.abs(plain - made).mean()
    # of another shape, as with a network of another output stride, it is not used
    other = render(lightness, chroma.ab[0], chroma.extent, seen=chroma.seen[:-4])
    np.testing.assert_array_equal(other, made)
