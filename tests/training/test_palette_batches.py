"""Batches for a network that listens to palettes."""

import pytest
import torch

from gan_colorize.color.fast import rgb8_to_lab
from gan_colorize.color.targets import SoftEncoder
from gan_colorize.config import Data, load_config
from gan_colorize.errors import UserError
from gan_colorize.models import create_model
from gan_colorize.training.batch import BatchMaker


@pytest.fixture
def rgb():
    return torch.randint(
        0, 256, (6, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
    )


def maker(name, share):
    contract = create_model(name, {"width": 4}).contract
    return BatchMaker(contract, SoftEncoder(), torch.ones(313), Data(palettes=share), seed=1)


def test_palettes_are_of_the_pictures_and_follow_from_the_position(rgb):
    one = maker("palette_colorizer", 1.0)
    palette = one.training(rgb, torch.arange(len(rgb)) + 32, 32).conditions.palette
    assert palette.shape == (6, 5, 3)
    assert torch.equal(palette, one.training(rgb, torch.arange(len(rgb)) + 32, 32).conditions.palette)
    assert not torch.equal(palette, one.training(rgb, torch.arange(len(rgb)) + 64, 64).conditions.palette)
    lab = rgb8_to_lab(rgb).flatten(2)
    assert (palette >= lab.amin(2)[:, None] - 1e-3).all() and (palette <= lab.amax(2)[:, None] + 1e-3).all()
    assert (
        not maker("palette_colorizer", 0.0)
        .training(rgb, torch.arange(len(rgb)) + 32, 32)
        .conditions.palette.any()
    )


def test_validation_tells_the_palette_when_training_mostly_does(rgb):
    told = maker("palette_colorizer", 0.8).validation(rgb).conditions.palette
    assert told.flatten(1).any(1).all()
    assert torch.equal(told, maker("palette_colorizer", 0.8).validation(rgb).conditions.palette)
    assert maker("palette_colorizer", 0.5).validation(rgb).conditions.palette is None


def test_networks_that_do_not_listen_are_told_none(rgb):
    for batch in (
        maker("cic", 1.0).training(rgb, torch.arange(len(rgb)) + 32, 32),
        maker("cic", 1.0).validation(rgb),
    ):
        assert batch.conditions.palette is None


def test_the_share_is_checked():
    with pytest.raises(UserError, match=r"data\.palettes: 1\.5 must be within 0\.\.1"):
        load_config((), ["data.palettes=1.5"])
