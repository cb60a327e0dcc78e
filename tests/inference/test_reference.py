"""The colours of another picture: shares and saturation that can be counted by hand."""

import io

import numpy as np
import pytest
from PIL import Image
from skimage.color import rgb2lab

from gan_colorize.color.bins import bin_centres
from gan_colorize.errors import UserError
from gan_colorize.inference.reference import reference_of

RED, BLUE = (200, 30, 30), (20, 40, 160)
SATURATION = {RED: 170 / 200, BLUE: 140 / 160}  # (most - least) / most, of HSV


def two_colours(height=64, width=96, share=0.25):
    picture = np.full((height, width, 3), BLUE, np.uint8)
    picture[:, : round(width * share)] = RED
    return picture


def nearest(colour):
    """Number of the bin: the grid node beside the colour's ab."""
    _, a, b = rgb2lab(np.array([[colour]], np.uint8))[0, 0]
    node = np.round(np.array([a, b]) / 10) * 10
    (found,) = np.flatnonzero((bin_centres().numpy() == node).all(1))
    return int(found)


@pytest.mark.parametrize("share", [0.25, 0.5, 0.75])
def test_a_picture_of_two_colours(share):
    found = reference_of(two_colours(share=share), "two")
    assert dict(found.histogram) == pytest.approx({nearest(RED): share, nearest(BLUE): 1 - share}, abs=1e-5)
    expected = share * SATURATION[RED] + (1 - share) * SATURATION[BLUE]
    assert found.saturation == pytest.approx(expected, abs=1e-6) and found.name == "two"


def test_files_bytes_and_arrays_agree(tmp_path):
    Image.fromarray(two_colours()).save(tmp_path / "other.png")
    path, array = reference_of(tmp_path / "other.png"), reference_of(two_colours(), "other.png")
    assert path == array == reference_of(str(tmp_path / "other.png"))
    assert reference_of((tmp_path / "other.png").read_bytes(), "other.png") == path


@pytest.mark.parametrize(("height", "width"), [(1024, 1536), (64, 96), (3, 8), (2, 4000), (4000, 8)])
def test_size_and_shape_hardly_matter(height, width):
    found = dict(reference_of(two_colours(height, width, 0.5)).histogram)
    assert found[nearest(RED)] == pytest.approx(0.5, abs=0.02)
    assert found[nearest(BLUE)] == pytest.approx(0.5, abs=0.02)
    assert sum(found.values()) == pytest.approx(1, abs=1e-3)


def test_a_picture_of_one_pixel():
    assert reference_of(np.array([[RED]], np.uint8)).histogram == ((nearest(RED), 1.0),)


def test_what_is_no_reference(tmp_path):
    grey = np.repeat(np.arange(64, dtype=np.uint8)[:, None, None], 64, 1).repeat(3, 2)
    with pytest.raises(UserError, match=r"^the reference: is grey; a reference must be a picture in colour$"):
        reference_of(grey)
    Image.fromarray(grey).save(tmp_path / "grey.png")
    with pytest.raises(UserError, match=r"grey\.png: is grey"):
        reference_of(tmp_path / "grey.png")
    for wrong in (grey[..., 0], grey.astype(float), grey[:0], grey[..., :2]):
        with pytest.raises(UserError, match=r"must be \(H, W, 3\) of uint8; got"):
            reference_of(wrong)
    with pytest.raises(UserError, match=r"none\.png"):
        reference_of(tmp_path / "none.png")
    with pytest.raises(UserError):
        reference_of(b"no picture")


def test_rotation_by_the_camera_does_not_matter():
    exif = Image.Exif()
    exif[0x0112] = 6
    buffer = io.BytesIO()
    Image.fromarray(two_colours()).save(buffer, "PNG", exif=exif)
    assert reference_of(buffer.getvalue(), "x") == reference_of(two_colours(), "x")
