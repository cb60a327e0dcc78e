"""The size policy: what the network sees of a photograph of any shape."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage.transform import downscale_local_mean

import gan_colorize
from gan_colorize.inference import working_size
from gan_colorize.inference.working_size import pad_to_multiple, shrink, working_shape


@pytest.mark.parametrize(
    ("height", "width", "expected"),
    [
        (750, 1000, (256, 341)),
        (1000, 750, (341, 256)),
        (256, 256, (256, 256)),
        (100, 80, (100, 80)),  # never enlarged
        (1, 1, (1, 1)),
        (20, 4000, (20, 4000)),  # small enough as it is
        (1000, 4000, (256, 1024)),  # 4:1 is still seen at the full working size
        (2000, 32000, (128, 2048)),  # 16:1: area 4 * 256**2, aspect kept
    ],
)
def test_shapes(height, width, expected):
    assert working_shape(height, width, 256) == expected


@pytest.mark.parametrize(("height", "width"), [(1, 10**7), (10**6, 300), (3, 10**6)])
def test_area_is_bounded_however_long(height, width):
    shape = working_shape(height, width, 256)
    assert min(shape) >= 1
    padded = [-(-side // 32) * 32 for side in shape]
    assert padded[0] * padded[1] <= 5 * 256**2


def test_whole_number_reduction_is_close_to_the_mean():
    plane = np.random.default_rng(0).normal(50, 8, (160, 240)).astype(np.float32)
    small = shrink(plane, (40, 60))
    assert small.dtype == np.float32
    # noise is averaged away as a mean over 4x4 would (standard deviation 8 / 4), not picked out
    assert small.std() < 2.6
    smooth = np.add.outer(np.linspace(0, 60, 160), np.linspace(0, 30, 240)).astype(np.float32)
    np.testing.assert_allclose(shrink(smooth, (40, 60)), downscale_local_mean(smooth, (4, 4)), atol=0.35)


def test_large_scans_go_through_two_steps_without_a_shift():
    ramp = np.tile(np.linspace(0, 100, 3000, dtype=np.float32), (2000, 1))
    small = shrink(ramp, (64, 96))
    centres = (np.arange(96) + 0.5) / 96 * 100
    np.testing.assert_allclose(small[30, 4:-4], centres[4:-4], atol=0.1)


@pytest.mark.parametrize("tiles", [3, 6])
def test_two_steps_are_within_a_tenth_of_the_plain_filter(tiles):
    """On large pictures as sharp as a small photograph: the same one again and again."""
    grey = Path(gan_colorize.__file__).parent / "examples" / "grey" / "coffee.jpg"
    with Image.open(grey) as image:
        tile = np.asarray(image.convert("L"), np.float32)[:400, :400] * (100 / 255)
    large = np.tile(tile, (tiles, tiles))
    plain = np.asarray(Image.fromarray(large).resize((160, 160), Image.Resampling.BICUBIC))
    assert np.sqrt(np.square(shrink(large, (160, 160)) - plain).mean()) < 0.1


def test_stays_in_range_at_hard_edges():
    plane = np.zeros((90, 90), np.float32)
    plane[:, 40:] = 100
    small = shrink(plane, (40, 40))
    assert small.min() >= 0
    assert small.max() <= 100


def test_padding_mirrors_and_keeps_the_corner():
    plane = np.arange(12, dtype=np.float32).reshape(3, 4)
    padded = pad_to_multiple(plane, 8)
    assert padded.shape == (8, 8)
    np.testing.assert_array_equal(padded[:3, :4], plane)
    np.testing.assert_array_equal(padded[0, :8], [0, 1, 2, 3, 3, 2, 1, 0])
    assert pad_to_multiple(np.full((1, 1), 7.0, np.float32), 32).tolist() == [[7.0] * 32] * 32
    assert pad_to_multiple(padded, 8) is padded


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize(("height", "width"), [(700, 530), (3000, 40), (41, 3001), (1601, 2003)])
def test_rows_that_are_made_when_asked_for_are_shrunk_alike(height, width, compiled, monkeypatch):
    if not compiled:
        monkeypatch.setattr(working_size, "shrink_kernel", None)
    plane = np.random.default_rng(0).uniform(0, 100, (height, width)).astype(np.float32)

    class Rows:
        shape = plane.shape

        def __getitem__(self, rows):
            return plane[rows]

    monkeypatch.setattr(working_size, "_BAND_PIXELS", 9000)
    shape = working_shape(height, width, 64)
    np.testing.assert_array_equal(shrink(Rows(), shape), shrink(plane, shape))
    np.testing.assert_array_equal(shrink(Rows(), plane.shape), plane)


@pytest.mark.skipif(working_size.shrink_kernel is None, reason="numba is not there")
@pytest.mark.parametrize(
    ("shape", "small"),
    [
        ((750, 1000), (160, 213)),
        ((41, 900), (41, 300)),
        ((1, 3000), (1, 7)),
        ((2000, 3), (40, 1)),
        ((5, 5), (1, 1)),
    ],
)
def test_the_compiled_filter_is_pillows(shape, small):
    plane = np.random.default_rng(0).uniform(0, 100, shape).astype(np.float32)
    expected = np.asarray(Image.fromarray(plane).resize(small[::-1], Image.Resampling.BICUBIC))
    np.testing.assert_allclose(shrink(plane, small), expected.clip(0, 100), atol=1e-4)
