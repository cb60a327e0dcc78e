"""Restoring photographs: any size, depth and colour; tiles that nobody can see."""

import numpy as np
import pytest
import torch
from torch import nn

from gan_colorize.data.image_io import Photo
from gan_colorize.errors import UserError
from gan_colorize.inference import denoiser as module
from gan_colorize.inference.denoiser import Denoiser
from gan_colorize.models import create_model


def network(**options):
    torch.manual_seed(1)
    options = {"output": "lightness", "branches": 2, "width": 4, "trunk": 3, "kernel": 5} | options
    model = create_model("rbdn", options).eval()
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):  # untrained norms let nothing through to the far ends
            layer.running_var.fill_(0.1)
    nn.init.normal_(model.head.weight, std=0.2)
    return model


@pytest.fixture
def ten_darker():
    model = network(residual=True)
    nn.init.zeros_(model.head.weight)
    nn.init.constant_(model.head.bias, -10 / 255 * 2)  # 50 L a unit
    return Denoiser(model, "cpu", "fp32")


@pytest.mark.parametrize("shape", [(1, 1), (16, 24), (37, 53), (8, 130)])
def test_any_size_keeps_its_size_and_levels(ten_darker, grey_picture, shape):
    picture = grey_picture(*shape) if min(shape) > 5 else np.full(shape, 77, np.uint8)
    restored = ten_darker.restore(Photo(picture))
    assert restored.dtype == np.uint8
    assert np.array_equal(restored, np.clip(picture.astype(int) - 10, 0, 255))


def test_sixteen_bits_count_and_colours_become_grey(ten_darker):
    wide = (
        np.arange(257 * 20, 257 * 276, 257, dtype=np.uint32).clip(0, 65535).astype(np.uint16).reshape(16, 16)
    )
    expected = np.clip(wide / 257 - 10, 0, 255).round()
    assert np.array_equal(ten_darker.restore(Photo(wide, bits=16)), expected)
    colour = np.random.default_rng(0).integers(20, 256, (16, 16, 3)).astype(np.uint8)
    luma = colour @ np.array([0.299, 0.587, 0.114])
    assert np.abs(ten_darker.restore(Photo(colour)) - (luma - 10)).max() <= 0.51


@pytest.mark.parametrize("branches", [1, 3])
def test_tiles_give_what_the_whole_gives(monkeypatch, grey_picture, branches):
    denoiser = Denoiser(network(branches=branches), "cpu", "fp32")
    photo = Photo(grey_picture(250, 330))
    whole = denoiser.restore(photo)
    assert whole.std() > 5
    monkeypatch.setattr(module, "TILE", 64)
    tiles = denoiser.restore(photo)
    assert np.abs(tiles.astype(int) - whole).max() <= 1  # the last bit of a float before it is rounded
    assert (tiles != whole).mean() < 0.001
    denoiser.margin = 0
    assert (denoiser.restore(photo) != whole).mean() > 0.01


def test_a_colorizer_is_refused():
    with pytest.raises(UserError, match=r"this model \(rbdn\) does not restore grey pictures"):
        Denoiser(network(output="distribution", residual=False), "cpu")
