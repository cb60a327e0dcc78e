"""Chroma to full size: aligned, smooth, in bands that do not show, with the photograph's own lightness."""

import numpy as np
import pytest
import torch
from skimage.color import lab2rgb, rgb2lab

from gan_colorize.inference import upsample
from gan_colorize.inference.upsample import cubic_weights, enlarge, render


@pytest.mark.parametrize(
    ("outputs", "inputs", "extent"), [(100, 16, 16), (37, 8, 6.25), (1, 8, 0.25), (5, 1, 1)]
)
def test_rows_sum_to_one(outputs, inputs, extent):
    weights = cubic_weights(outputs, inputs, extent)
    assert weights.shape == (outputs, inputs)
    torch.testing.assert_close(weights.sum(1), torch.ones(outputs))


def test_kernel_is_the_one_of_keys():
    # halfway between samples: (-1, 9, 9, -1) / 16 (Keys 1981, a = -1/2)
    weights = cubic_weights(8, 16, 16)  # every output falls halfway between two inputs
    torch.testing.assert_close(weights[3, 5:9] * 16, torch.tensor([-1.0, 9.0, 9.0, -1.0]))


def test_centre_aligned_and_exact_for_quadratics():
    height, extent, inputs = 200, 12.5, 16
    samples = (np.arange(inputs) + 0.5) / extent  # the photograph covers 0..1
    position = (np.arange(height) + 0.5) / height
    plane = np.repeat((3 * samples**2 - samples)[:, None], 4, axis=1)
    out = enlarge(plane, (height, 9), (extent, 4))
    inside = (position * extent > 2) & (position * extent < inputs - 2)
    expected = 3 * position**2 - position
    np.testing.assert_allclose(out[inside, 4], expected[inside], atol=1e-5)


@pytest.mark.parametrize("edges", [False, True])
def test_bands_do_not_show(monkeypatch, edges):
    generator = np.random.default_rng(0)
    lightness = generator.uniform(0, 100, (90, 70)).astype(np.float32)
    ab = generator.normal(0, 30, (2, 24, 16)).astype(np.float32)
    whole = render(lightness, ab, (22.5, 16), edges)
    monkeypatch.setattr(upsample, "BAND_PIXELS", 7 * 70)
    np.testing.assert_array_equal(render(lightness, ab, (22.5, 16), edges), whole)


def test_render_keeps_lightness_and_shows_the_colour():
    lightness = np.linspace(20, 90, 60 * 80, dtype=np.float32).reshape(60, 80)
    ab = np.broadcast_to(np.float32([20, -15])[:, None, None], (2, 16, 24))
    lab = rgb2lab(render(lightness, ab, (15, 20)))
    np.testing.assert_allclose(lab[..., 0], lightness, atol=0.4)
    np.testing.assert_allclose(lab[..., 1:].mean(axis=(0, 1)), [20, -15], atol=0.3)


def test_impossible_colours_lose_chroma_and_not_lightness():
    lightness = np.linspace(0, 100, 64 * 64, dtype=np.float32).reshape(64, 64)
    ab = np.zeros((2, 16, 16), np.float32)
    ab[0], ab[1, :, 8:] = 100, -110
    rgb = render(lightness, ab, (16, 16))
    zero = np.zeros_like(lightness)
    grey_in = lab2rgb(np.stack([lightness, zero, zero], -1))[..., 0] * 255
    grey_out = lab2rgb(np.stack([rgb2lab(rgb)[..., 0], zero, zero], -1))[..., 0] * 255
    assert np.abs(grey_in - grey_out).max() <= 1.0


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (40, 1)])
def test_tiny(size):
    rgb = render(np.full(size, 50, np.float32), np.zeros((2, 8, 8), np.float32), (size[0] / 4, size[1] / 4))
    assert rgb.shape == (*size, 3)
    assert set(rgb.ravel()) == {119}  # L 50 is sRGB 118.9


@pytest.mark.parametrize("shape", [(1, 3000), (3000, 1), (2, 5000), (1, 1), (8, 8)])
@pytest.mark.parametrize("compiled", [True, False])
def test_extreme_shapes_in_blocks_of_columns(shape, compiled, monkeypatch):
    generator = np.random.default_rng(0)
    lightness = generator.uniform(20, 80, shape).astype(np.float32)
    ab = generator.normal(0, 10, (2, 8, 200)).astype(np.float32)
    if not compiled:
        monkeypatch.setattr(upsample, "kernels", None)
    whole = render(lightness, ab, (2.5, 190.5))
    monkeypatch.setattr(upsample, "BAND_PIXELS", 700)  # less than a row
    monkeypatch.setattr(upsample, "_COLUMNS", 300)
    in_blocks = render(lightness, ab, (2.5, 190.5))
    assert np.abs(whole.astype(int) - in_blocks).max() <= 1  # other sums of the same numbers
    np.testing.assert_allclose(rgb2lab(in_blocks)[..., 0], lightness, atol=0.5)


def test_lightness_that_is_made_row_by_row(monkeypatch):
    lightness = np.random.default_rng(0).uniform(0, 100, (90, 70)).astype(np.float32)
    ab = np.random.default_rng(1).normal(0, 30, (2, 24, 16)).astype(np.float32)

    class Rows:
        shape = lightness.shape
        most = 0

        def __getitem__(self, rows):
            part = lightness[rows]
            Rows.most = max(Rows.most, len(part))
            return part

    monkeypatch.setattr(upsample, "BAND_PIXELS", 7 * 70)
    np.testing.assert_array_equal(render(Rows(), ab, (22.5, 16)), render(lightness, ab, (22.5, 16)))
    assert Rows.most < 90
