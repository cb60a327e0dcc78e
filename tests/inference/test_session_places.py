"""Where hints and suggestions lie on photographs of every shape, and that every network meets them."""

import io

import numpy as np
import pytest
import torch
from PIL import Image
from skimage.color import rgb2lab
from torch import nn

from gan_colorize.color.bins import NUM_BINS, bin_centres
from gan_colorize.inference.colorizer import Colorizer
from gan_colorize.models import create_model
from gan_colorize.models.contract import Contract, Prediction


@pytest.fixture(scope="module")
def colorizer(listener):
    return Colorizer(listener, "cpu", "fp32")


class Halves(nn.Module):
    """Thinks one colour likely where the photograph is dark and another where it is light."""

    contract = Contract(
        frozenset({"hints"}), "distribution", output_stride=4, size_divisor=32, classes="gamut"
    )
    name = "halves"
    DARK, LIGHT = (20, 30), (-30, 20)

    def __init__(self):
        super().__init__()
        self.metadata = {"working_size": "64"}

    def forward(self, plane, conditions=None):
        centres = bin_centres().tolist()
        light = nn.functional.avg_pool2d(plane, 4) > 50
        logits = torch.full((len(plane), NUM_BINS, *light.shape[2:]), -20.0)
        for colour, where in ((self.DARK, ~light), (self.LIGHT, light)):
            logits[:, centres.index(list(colour))] = where[:, 0] * 20.0 - 20.0
        return Prediction(logits=logits)


@pytest.mark.parametrize(("height", "width"), [(64, 64), (50, 70), (640, 900), (33, 400), (400, 33)])
def test_suggestions_are_those_of_the_place(height, width):
    """On both sides of a border that the network's cells do not meet, and up to the photograph's edge."""
    dark = np.full((height, width), 90, np.uint8)
    dark[:, width * 5 // 8 :] = 160
    opened = Colorizer(Halves(), "cpu", "fp32").open(dark)
    cell = 4 * max(1.0, min(height, width) / 64)
    border = width * 5 // 8
    for y in (0, height / 3, height):
        for x, colour in (
            (0, Halves.DARK),
            (border - cell, Halves.DARK),
            (border + cell, Halves.LIGHT),
            (width, Halves.LIGHT),
        ):
            assert opened.suggest(x, y)[0].ab == pytest.approx(colour, abs=0.01), (x, y)


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1), (7, 2000), (33, 40)])
def test_photographs_of_any_shape_meet_their_hints(colorizer, size):
    grey = np.random.default_rng(1).integers(90, 160, size, dtype=np.uint8)
    opened = colorizer.open(grey)
    opened.add_hint(size[1] / 2, size[0] / 2, (35.0, 30.0), radius=max(1, min(size) / 4))
    picture = opened.predict().rgb8
    assert picture.shape == (*size, 3)
    lab = rgb2lab(picture)[size[0] // 2, size[1] // 2]
    assert np.hypot(lab[1] - 35, lab[2] - 30) < 14
    assert opened.preview(16).shape[:2] == tuple(max(1, round(s * min(1, 16 / max(size)))) for s in size)
    assert sum(one.probability for one in opened.suggest(0, 0)) == pytest.approx(1, abs=1e-6)


class Grey(nn.Module):
    """Colours nothing by itself: what there is of colour comes from the hints."""

    contract = Contract(frozenset({"hints"}), "ab", output_stride=4, size_divisor=32)
    name = "grey"

    def __init__(self):
        super().__init__()
        self.metadata = {"working_size": "64"}

    def forward(self, plane, conditions=None):
        return Prediction(ab=torch.zeros(len(plane), 2, plane.shape[2] // 4, plane.shape[3] // 4))


def peak(picture):
    """(x, y) of the middle of the most coloured pixels."""
    chroma = np.hypot(*np.moveaxis(rgb2lab(picture)[..., 1:], -1, 0))
    rows, columns = np.nonzero(chroma > 0.97 * chroma.max())
    return columns.mean() + 0.5, rows.mean() + 0.5


@pytest.mark.parametrize(("height", "width"), [(64, 64), (200, 300), (301, 203), (90, 700)])
@pytest.mark.parametrize(("across", "down"), [(0.5, 0.5), (0.2, 0.7), (0.85, 0.15)])
def test_a_hint_colours_the_place_it_was_given_for(height, width, across, down):
    opened = Colorizer(Grey(), "cpu", "fp32").open(np.full((height, width), 120, np.uint8))
    x, y = across * width, down * height
    opened.add_hint(x, y, (40.0, 30.0), radius=min(height, width) / 40)
    found = peak(opened.predict().rgb8)
    cell = 4 * max(height / opened.seen.shape[0], width / opened.seen.shape[1])
    assert abs(found[0] - x) <= cell and abs(found[1] - y) <= cell


@pytest.mark.parametrize("orientation", range(1, 9))
def test_hints_are_placed_on_the_photograph_as_it_is_shown(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    buffer = io.BytesIO()
    Image.fromarray(np.full((80, 120), 120, np.uint8)).save(buffer, "JPEG", exif=exif, quality=95)
    opened = Colorizer(Grey(), "cpu", "fp32").open(buffer.getvalue())
    width, height = (120, 80) if orientation <= 4 else (80, 120)
    assert opened.lightness.shape == (height, width)
    opened.add_hint(0.25 * width, 0.75 * height, (40.0, 30.0), radius=2)
    x, y = peak(opened.predict().rgb8)
    assert abs(x - 0.25 * width) < 6 and abs(y - 0.75 * height) < 6


@pytest.mark.parametrize(
    ("name", "options"),
    [("user_guided", {"width": 4}), ("unet", {"steering": True}), ("unet", {"output": "ab"})],
)
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_networks_of_every_stride_and_precision_meet_hints(name, options, precision, grey_picture, tiny_unet):
    torch.manual_seed(0)
    model = create_model(name, options | (tiny_unet if name == "unet" else {})).eval()
    model.metadata = {"working_size": "64"}
    opened = Colorizer(model, "cpu", precision).open(np.clip(grey_picture(80, 120), 90, 170))
    opened.add_hint(60, 40, (30.0, 35.0), radius=8)
    lab = rgb2lab(opened.predict().rgb8)[38:43, 58:63, 1:].mean((0, 1))
    assert lab == pytest.approx((30, 35), abs=4)


def test_several_views_take_the_plain_one_for_hints(listener, grey_picture):
    pictures = []
    for views in (1, 4):
        opened = Colorizer(listener, "cpu", "fp32", views=views).open(grey_picture(64, 96))
        opened.add_hint(30, 40, "#3a7d44")
        pictures.append(opened.predict().rgb8)
        assert opened.suggest(5, 5)
    np.testing.assert_array_equal(*pictures)
