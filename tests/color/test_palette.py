"""Palettes in hexadecimal, sRGB and Lab."""

import numpy as np
import pytest
import torch
from skimage.color import rgb2lab

from gan_colorize.color.palette import palette_to_lab, palette_to_rgb8, parse_hex, to_hex


def test_hexadecimal_there_and_back():
    colours = parse_hex(["a1b2c3", "#D4E5F6", " #fff "])
    assert colours.tolist() == [[0xA1, 0xB2, 0xC3], [0xD4, 0xE5, 0xF6], [255, 255, 255]]
    assert to_hex(colours) == ["a1b2c3", "d4e5f6", "ffffff"]
    assert parse_hex([]).shape == (0, 3)


@pytest.mark.parametrize("text", ["", "red", "12345", "1234567", "gggggg", "##fff", "0x1234"])
def test_what_is_no_colour_is_named(text):
    with pytest.raises(ValueError, match=repr(text)):
        parse_hex(["ffffff", text])


def test_lab_is_scikit_images_and_comes_back():
    rgb = np.random.default_rng(0).integers(0, 256, (7, 5, 3), np.uint8)
    lab = palette_to_lab(rgb)
    assert lab.shape == (7, 5, 3) and lab.dtype == torch.float32
    np.testing.assert_allclose(lab.numpy(), rgb2lab(rgb), atol=2e-2)
    assert np.abs(palette_to_rgb8(lab).astype(int) - rgb).max() <= 1


def test_colours_that_no_screen_shows_keep_their_lightness():
    shown = palette_to_rgb8(torch.tensor([[[50.0, 120.0, -130.0], [120.0, 0.0, 0.0]]]))
    assert abs(rgb2lab(shown)[0, 0, 0] - 50.0) < 1.0
    assert shown[0, 1].tolist() == [255, 255, 255]
