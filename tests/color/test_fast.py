"""The fast path against the exact one and against scikit-image."""

import time

import numpy as np
import pytest
import torch

from gan_colorize.color import fast
from gan_colorize.color.gamut import in_gamut
from gan_colorize.color.lab import grey_to_lightness, lab_to_rgb, rgb_to_lab


@pytest.fixture(scope="module")
def rgb8() -> np.ndarray:
    """More pixels than a band, and a last band of another size."""
    picture = np.random.default_rng(0).integers(0, 256, (190, 200, 3), dtype=np.uint8)
    picture[:20] //= 20  # dark colours: the toes of both curves
    picture[20, :256] = np.arange(200, dtype=np.uint8)[:, None]
    picture[21, :2] = [[0, 0, 0], [255, 255, 255]]
    return picture


def _exact_lab(rgb8: np.ndarray) -> torch.Tensor:
    return rgb_to_lab(torch.from_numpy(rgb8).permute(2, 0, 1).double() / 255)


def test_lab_of_8bit(rgb8):
    planar = torch.from_numpy(rgb8).permute(2, 0, 1)
    got = fast.rgb8_to_lab(planar)
    assert got.dtype == torch.float32 and got.shape == planar.shape
    torch.testing.assert_close(got.double(), _exact_lab(rgb8), atol=1e-3, rtol=0)
    stacked = fast.rgb8_to_lab(planar.expand(2, 2, -1, -1, -1))
    torch.testing.assert_close(stacked[1, 0], got, atol=0, rtol=0)


@pytest.mark.parametrize("side", [100, 101, 300])
def test_lab_of_8bit_is_the_same_with_any_number_of_threads(side):
    generator = torch.Generator().manual_seed(side)
    rgb = torch.randint(0, 256, (4, 3, side, side - 1), dtype=torch.uint8, generator=generator)
    before, results = torch.get_num_threads(), []
    try:
        for threads in (1, 2, 3, 8):
            torch.set_num_threads(threads)
            results.append(fast.rgb8_to_lab(rgb))
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(results[0], other) for other in results[1:])


def test_lab_of_8bit_inside_autocast(rgb8):
    planar = torch.from_numpy(rgb8).permute(2, 0, 1)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        got = fast.rgb8_to_lab(planar)
    assert torch.equal(got, fast.rgb8_to_lab(planar))


def test_lightness_of_8bit(rgb8):
    color = pytest.importorskip("skimage.color")
    got = fast.rgb8_to_lightness(rgb8)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, color.rgb2lab(rgb8)[..., 0], atol=1e-3)
    rgb8 = rgb8[::2, ::-1]  # strided and read-only input
    rgb8.flags.writeable = False
    np.testing.assert_allclose(fast.rgb8_to_lightness(rgb8), got[::2, ::-1], atol=1e-4)


def test_grey_tables():
    color = pytest.importorskip("skimage.color")
    grey = np.linspace(0, 1, 256)[None, :, None].repeat(3, axis=2)
    np.testing.assert_allclose(fast.LIGHTNESS_OF_GREY8, color.rgb2lab(grey)[0, :, 0], atol=1e-4)
    table = fast.lightness_of_grey16()
    assert table.shape == (65536,) and table.dtype == np.float32
    np.testing.assert_allclose(table[::257], fast.LIGHTNESS_OF_GREY8, atol=1e-5)
    assert (np.diff(table) > 0).all()


def test_every_colour_comes_back(rgb8):
    lab = _exact_lab(rgb8).float().numpy()
    np.testing.assert_array_equal(fast.lab_to_rgb8(lab[0], lab[1:]), rgb8)


def test_every_grey_comes_back():
    grey = np.arange(256, dtype=np.uint8)[None]
    got = fast.lab_to_rgb8(fast.LIGHTNESS_OF_GREY8[grey], np.zeros((2, 1, 256), np.float32))
    np.testing.assert_array_equal(got, grey[..., None].repeat(3, axis=-1))


def test_within_one_level_of_exact_in_gamut():
    generator = torch.Generator().manual_seed(2)
    lab = torch.rand(3, 200, 400, generator=generator) * torch.tensor([100.0, 120.0, 120.0]).view(3, 1, 1)
    lab[1:] -= 60
    inside = in_gamut(lab)[0].numpy()
    assert inside.mean() > 0.2
    exact = (lab_to_rgb(lab.double()) * 255).permute(1, 2, 0).numpy()
    got = fast.lab_to_rgb8(lab[0].numpy(), lab[1:].numpy()).astype(float)
    # Half a level is the rounding itself; the table may add a tenth.
    assert np.abs(got - exact)[inside].max() < 0.65


def test_lightness_is_preserved_everywhere():
    """L within the rounding to 8 bits, also for impossible ab: the point of desaturating in linear light."""
    color = pytest.importorskip("skimage.color")
    generator = torch.Generator().manual_seed(3)
    lightness = (torch.rand(120, 200, generator=generator) * 100).numpy()
    ab = (torch.rand(2, 120, 200, generator=generator) * 220 - 110).numpy()
    result = fast.lab_to_rgb8(lightness, ab)
    got = color.rgb2lab(result)[..., 0]
    # One level of grey is 0.27 (black) to 0.4 L; half a level in each of three channels.
    assert np.abs(got - lightness).max() < 0.35
    lab = torch.from_numpy(np.stack((lightness, *ab)))
    clipped = rgb_to_lab(lab_to_rgb(lab))[0].numpy()
    assert np.abs(clipped - lightness).max() > 5  # what plain clipping would have done


def test_out_of_gamut_colour_lands_on_the_surface_with_its_hue():
    """Linear RGB - Y keeps its direction and some channel touches 0 or 1: t by its definition, float64."""
    lab = torch.tensor([[50.0, 80.0], [-90.0, 60.0], [40.0, 95.0]], dtype=torch.float64).view(3, 1, 2)
    got = fast.lab_to_rgb8(lab[0].float().numpy(), lab[1:].float().numpy())[0]
    encoded = lab_to_rgb(lab, clip=False)[:, 0].numpy().T
    magnitude = np.abs(encoded)
    linear = np.sign(encoded) * np.where(
        magnitude > 0.04045, ((magnitude + 0.055) / 1.055) ** 2.4, magnitude / 12.92
    )
    for pixel, level in zip(linear, got, strict=True):
        grey = pixel @ np.array([0.212671, 0.715160, 0.072169])
        share = min([1.0] + [((1.0 if d > 0 else 0.0) - grey) / d for d in pixel - grey])
        assert share < 1
        fitted = grey + share * (pixel - grey)
        expected = np.where(
            fitted > 0.0031308, 1.055 * np.maximum(fitted, 0) ** (1 / 2.4) - 0.055, 12.92 * fitted
        )
        np.testing.assert_allclose(level, expected * 255, atol=0.7)


def test_lightness_outside_its_range_is_the_nearer_end():
    lightness = np.array([[-5.0, 107.0]], np.float32)
    got = fast.lab_to_rgb8(lightness, np.full((2, 1, 2), 30.0, np.float32))
    np.testing.assert_array_equal(got[0], [[0, 0, 0], [255, 255, 255]])


def test_bands_do_not_show():
    rng = np.random.default_rng(4)
    lightness = rng.uniform(0, 100, (3, 40000)).astype(np.float32)
    ab = rng.normal(0, 25, (2, 3, 40000)).astype(np.float32)
    whole = fast.lab_to_rgb8(lightness, ab)
    for column in (0, 32767, 32768, 39999):
        alone = fast.lab_to_rgb8(lightness[:, column : column + 1], ab[:, :, column : column + 1])
        np.testing.assert_array_equal(whole[:, column : column + 1], alone)


def test_threads_are_as_before():
    before = torch.get_num_threads()
    with pytest.raises(ValueError, match="finite"):
        fast.lab_to_rgb8(np.zeros((1, 1), np.float32), np.full((2, 1, 1), np.nan, np.float32))
    assert torch.get_num_threads() == before


def test_exceptions():
    with pytest.raises(ValueError, match="shape"):
        fast.lab_to_rgb8(np.zeros((4, 5), np.float32), np.zeros((2, 5, 4), np.float32))
    with pytest.raises(TypeError, match="uint8"):
        fast.rgb8_to_lab(torch.zeros(3, 4, 4))
    with pytest.raises(ValueError, match="shape"):
        fast.rgb8_to_lab(torch.zeros(4, 4, 3, dtype=torch.uint8))
    with pytest.raises(ValueError, match="uint8"):
        fast.rgb8_to_lightness(np.zeros((4, 4), np.uint8))


def test_faster_than_exact():
    """A ratio in one run, in CPU time: several times faster than the exact conversion."""
    lab = torch.rand(3, 512, 512, generator=torch.Generator().manual_seed(5)) * 40 + 20

    def cpu_seconds(call) -> float:
        times = []
        for _ in range(4):
            start = time.process_time()
            call()
            times.append(time.process_time() - start)
        return min(times)

    planes = lab.numpy()
    quick = cpu_seconds(lambda: fast.lab_to_rgb8(planes[0], planes[1:]))
    assert quick < 0.6 * cpu_seconds(lambda: lab_to_rgb(lab))


def test_grey_table_is_the_exact_function():
    expected = grey_to_lightness(torch.arange(256, dtype=torch.float64) / 255).float().numpy()
    np.testing.assert_array_equal(expected, fast.LIGHTNESS_OF_GREY8)
