"""The Python interface."""

import io

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image
from skimage.color import rgb2lab

import gan_colorize
from gan_colorize.errors import UserError
from gan_colorize.inference.colorizer import Colorizer
from gan_colorize.models.contract import Conditions
from gan_colorize.zoo.checkpoint import save_model


@pytest.fixture
def colorizer(network):
    return Colorizer(network, "cpu")


def test_array_in_picture_out(colorizer, grey_picture):
    grey = grey_picture(90, 130)
    result = colorizer.colorize(grey)
    assert result.rgb8.shape == (90, 130, 3)
    assert result.rgb8.dtype == np.uint8
    assert result.confidence is None
    before = rgb2lab(np.repeat(grey[..., None], 3, axis=2))[..., 0]
    np.testing.assert_allclose(rgb2lab(result.rgb8)[..., 0], before, atol=0.6)
    assert np.ptp(result.rgb8.astype(int), axis=2).max() > 20


def test_sixteen_bits_are_saved_as_sixteen(colorizer, grey_picture, tmp_path):
    fine = np.random.default_rng(0).integers(0, 257, (50, 60)).astype(np.uint16)
    wide = grey_picture(50, 60).astype(np.uint16) * 255 + fine
    Image.fromarray(wide).save(tmp_path / "p.png")
    for source in (wide, tmp_path / "p.png"):
        result = colorizer.colorize(source)
        result.save(tmp_path / "out.tif")
        saved = tifffile.imread(tmp_path / "out.tif")
        assert saved.dtype == np.uint16 and len(np.unique(saved[..., 1])) > 1000
        assert np.abs(saved / 257 - result.rgb8).max() <= 1.01
        result.save(tmp_path / "out.jpg")
        result.save(tmp_path / "eight.png", bits=8)
        assert np.array_equal(np.asarray(Image.open(tmp_path / "eight.png")), result.rgb8)


def test_path_bytes_and_array_agree(colorizer, grey_picture, tmp_path):
    grey = grey_picture(50, 60)
    path = tmp_path / "p.png"
    Image.fromarray(grey).save(path)
    pictures = [colorizer.colorize(source).rgb8 for source in (grey, path, str(path), path.read_bytes())]
    for picture in pictures[1:]:
        np.testing.assert_array_equal(picture, pictures[0])


def test_sixteen_bits_keep_their_lightness(colorizer):
    grey = np.linspace(0, 65535, 64 * 64).astype(np.uint16).reshape(64, 64)
    before = rgb2lab(np.repeat(grey[..., None] / 65535.0, 3, axis=2))[..., 0]
    np.testing.assert_allclose(rgb2lab(colorizer.colorize(grey).rgb8)[..., 0], before, atol=0.6)


def test_session_runs_the_network_once(colorizer, grey_picture, monkeypatch):
    calls = []
    original = colorizer.predictor.predict
    monkeypatch.setattr(colorizer.predictor, "predict", lambda *given: calls.append(1) or original(*given))
    session = colorizer.open(grey_picture(64, 64))
    pale, vivid = (session.colorize(temperature=value).rgb8.astype(int) for value in (3.0, 0.1))
    assert np.ptp(vivid, axis=2).mean() > np.ptp(pale, axis=2).mean()
    assert session.colorize(confidence=True).confidence.shape == (64, 64)
    assert len(calls) == 1
    wishes = Conditions(saturation=torch.tensor([[0.5]]))
    session.colorize(conditions=wishes)
    session.colorize(conditions=wishes)
    assert len(calls) == 2


def test_seeds(colorizer, grey_picture):
    session = colorizer.open(grey_picture(64, 64))
    first, again, other = (session.colorize(seed=seed).rgb8.astype(int) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 3


def test_warnings_reach_the_caller(colorizer):
    colourful = np.zeros((64, 64, 3), np.uint8)
    colourful[:32, :, 0], colourful[32:, :, 1] = 220, 220
    assert any("already has colours" in line for line in colorizer.colorize(colourful).warnings)


@pytest.mark.parametrize(
    "source",
    [
        np.zeros((4, 4), np.float32),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((0, 4), np.uint8),
        np.zeros(4, np.uint8),
    ],
)
def test_arrays_that_are_no_picture(colorizer, source):
    with pytest.raises(UserError, match="an array"):
        colorizer.colorize(source)


def test_bad_temperature(colorizer, grey_picture):
    with pytest.raises(UserError, match="--temperature 0"):
        colorizer.colorize(grey_picture(8, 8), temperature=0)


def test_public_names(network, grey_picture, tmp_path):
    save_model(tmp_path / "m.safetensors", network, {"working_size": 64})
    model = gan_colorize.load_model(tmp_path / "m.safetensors")
    encoded = io.BytesIO()
    Image.fromarray(grey_picture(40, 50)).save(encoded, "PNG")
    result = gan_colorize.colorize(encoded.getvalue(), tmp_path / "out.png", model=model, device="cpu")
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "out.png")), result.rgb8)
    assert set(gan_colorize.__all__) <= set(dir(gan_colorize))
    with pytest.raises(AttributeError, match="colourise"):
        gan_colorize.colourise  # noqa: B018


def test_alpha_is_carried(colorizer, tmp_path):
    rgba = np.full((20, 30, 4), 120, np.uint8)
    rgba[:, :15, 3] = 0
    Image.fromarray(rgba).save(tmp_path / "in.png")
    colorizer.colorize(tmp_path / "in.png").save(tmp_path / "out.png")
    with Image.open(tmp_path / "out.png") as out:
        assert out.mode == "RGBA"
        np.testing.assert_array_equal(np.asarray(out)[..., 3], rgba[..., 3])
