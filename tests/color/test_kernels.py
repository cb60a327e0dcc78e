"""The compiled loops against scikit-image, and against the same in torch."""

import numpy as np
import pytest
import torch
from skimage.color import rgb2lab

from gan_colorize.color import fast, lightness
from gan_colorize.inference import upsample
from gan_colorize.inference.upsample import Rendering

pytestmark = pytest.mark.skipif(lightness.kernels is None, reason="numba is not there")


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("shape", [(7, 1), (1, 1), (300, 401)])
def test_lightness_of_colour_and_grey(dtype, shape):
    most = np.iinfo(dtype).max
    rgb = np.random.default_rng(0).integers(0, most + 1, (*shape, 3)).astype(dtype)
    rgb[0, 0] = 0
    rgb[-1, -1] = most
    expected = rgb2lab(rgb / most)[..., 0]
    assert np.abs(lightness.lightness_of(rgb) - expected).max() < 5e-5
    assert np.abs(lightness.lightness_of(rgb[:, ::-1])[:, ::-1] - expected).max() < 5e-5  # strided
    grey = rgb[..., 0]
    expected = rgb2lab(np.repeat(grey[..., None], 3, 2) / most)[..., 0]
    assert np.abs(lightness.lightness_of(grey) - expected).max() < 5e-4  # white's three digits


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_without_numba_the_same(dtype, monkeypatch):
    rgb = np.random.default_rng(1).integers(0, np.iinfo(dtype).max + 1, (40, 50, 3)).astype(dtype)
    for pixels in (rgb, rgb[..., 0]):
        compiled = lightness.lightness_of(pixels)
        with monkeypatch.context() as patch:
            patch.setattr(lightness, "kernels", None)
            assert np.abs(lightness.lightness_of(pixels) - compiled).max() < 1e-3


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("edges", [False, True])
@pytest.mark.parametrize("strength", [10, 90])
def test_pictures_are_those_of_torch(bits, edges, strength, monkeypatch):
    generator = np.random.default_rng(2)
    light = generator.uniform(0, 100, (123, 1031)).astype(np.float32)
    light[0, 0], light[0, 1] = 0, 100
    ab = generator.normal(0, strength, (2, 8, 64)).astype(np.float32)
    compiled = Rendering(light, ab, (7.5, 63.2), bits=bits, edges=edges).whole()
    monkeypatch.setattr(upsample, "kernels", None)
    plain = Rendering(light, ab, (7.5, 63.2), bits=bits, edges=edges).whole()
    difference = np.abs(compiled.astype(int) - plain.astype(int))
    assert compiled.dtype == plain.dtype == (np.uint8 if bits == 8 else np.uint16)
    assert difference.max() <= (1 if bits == 8 else 2)
    assert difference.mean() < 0.05


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_refused(bad):
    light, ab = np.full((30, 40), 50, np.float32), np.zeros((2, 8, 8), np.float32)
    light[20, 30] = bad
    with pytest.raises(ValueError, match="finite"):
        Rendering(light, ab, (8, 8), seen=np.full((32, 32), 50, np.float32)).whole()


def test_8_bit_torch_path_is_within_a_level_as_well():
    light = np.random.default_rng(3).uniform(0, 100, (64, 64)).astype(np.float32)
    ab = np.random.default_rng(4).normal(0, 60, (2, 64, 64)).astype(np.float32)
    compiled = Rendering(light, ab, (64, 64), edges=False).whole()
    weights = upsample.cubic_weights(64, 64, 64)
    torch.testing.assert_close(weights, torch.eye(64))  # nothing is enlarged
    assert np.abs(compiled.astype(int) - fast.lab_to_rgb8(light, ab)).max() <= 1
