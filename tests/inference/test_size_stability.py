"""The same photograph, large or small, gets the same colours from the weights that ship."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import gan_colorize
from gan_colorize import Colorizer
from gan_colorize.color.lab import rgb_to_lab

PHOTOGRAPHS = Path(gan_colorize.__file__).parent / "examples" / "grey"


@pytest.fixture(scope="module")
def colorizer():
    return Colorizer("default", "cpu")


@pytest.mark.parametrize("name", ["nagasaki_boats", "coffee", "alpine_landscape"])
def test_colours_hardly_depend_on_the_size(colorizer, name):
    with Image.open(PHOTOGRAPHS / f"{name}.jpg") as image:
        original = image.convert("L")
    compared = {}
    for short_side in (256, 512, 1024, 2048):
        scale = short_side / min(original.size)
        size = tuple(round(side * scale) for side in original.size)
        rgb8 = colorizer.colorize(np.array(original.resize(size, Image.Resampling.BICUBIC))).rgb8
        small = Image.fromarray(rgb8).resize((256, 256), Image.Resampling.BOX)
        pixels = torch.from_numpy(np.array(small)).permute(2, 0, 1).double() / 255
        compared[short_side] = rgb_to_lab(pixels)[1:]
    for short_side in (512, 1024, 2048):
        difference = (compared[short_side] - compared[256]).norm(dim=0).mean()
        assert difference < 1.5, f"{short_side} px: {difference:.2f}"
    assert compared[256].norm(dim=0).mean() > 5.0  # there are colours to compare
