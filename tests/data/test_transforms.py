"""Crops against their geometry, grey photographs against scikit-image and Pillow."""

import numpy as np
import pytest
import torch
from PIL import Image
from skimage.color import rgb2lab

from gan_colorize.data.chance import Chance
from gan_colorize.data.transforms import centre_crop, random_crop, simulate_grey_lightness


def ramp(width: int, height: int) -> np.ndarray:
    """Red is the column and green the row, so a crop tells which box it came from."""
    rows, columns = np.indices((height, width))
    return np.stack([columns, rows, np.zeros_like(rows)], -1).astype(np.uint8)


def box_of(crop: np.ndarray) -> tuple[float, float, float, float, bool]:
    """left, top, width, height, mirrored of the box that a crop of a ramp shows."""
    size = len(crop)
    red, green = crop[size // 2, :, 0].astype(float), crop[:, size // 2, 1].astype(float)
    middle = slice(size // 4, 3 * size // 4)
    at = np.arange(size) + 0.5
    slope_x, start_x = np.polyfit(at[middle], red[middle] + 0.5, 1)
    slope_y, start_y = np.polyfit(at[middle], green[middle] + 0.5, 1)
    mirrored = slope_x < 0
    left = start_x + slope_x * size if mirrored else start_x
    return left, start_y, abs(slope_x) * size, slope_y * size, bool(mirrored)


def test_random_crop_boxes() -> None:
    image = ramp(240, 120)
    boxes = []
    for seed in range(300):
        crop = random_crop(image, 48, 0.5, np.random.default_rng(seed))
        assert crop.shape == (48, 48, 3) and crop.dtype == np.uint8
        boxes.append(box_of(crop))
    left, top, width, height, mirrored = np.array(boxes, dtype=float).T
    tolerance = 2.0
    assert left.min() > -tolerance and (left + width).max() < 240 + tolerance
    assert top.min() > -tolerance and (top + height).max() < 120 + tolerance
    assert left.max() > 120 and top.max() > 40  # everywhere in the picture
    side = np.sqrt(width * height)
    assert 55 < side.min() < 70 and 110 < side.max() < 121  # 0.5 to 1 of the largest square
    assert 0.72 < (width / height).min() < 0.8 and 1.25 < (width / height).max() < 1.38
    assert 0.4 < mirrored.mean() < 0.6


def test_random_crop_is_one_draw() -> None:
    """The generator moves on by the same amount whatever the picture: a resumed stream stays in step."""
    first, second = np.random.default_rng(3), np.random.default_rng(3)
    random_crop(ramp(100, 50), 16, 0.5, first)
    random_crop(ramp(30, 200), 32, 0.9, second)
    assert first.random() == second.random()
    again = random_crop(ramp(100, 50), 16, 0.5, np.random.default_rng(3))
    assert np.array_equal(again, random_crop(ramp(100, 50), 16, 0.5, np.random.default_rng(3)))


@pytest.mark.parametrize("shape", [(1, 1), (20, 4000), (4000, 20), (16, 16)])
def test_extreme_shapes(shape: tuple[int, int]) -> None:
    image = np.full((*shape, 3), 90, np.uint8)
    for seed in range(20):
        assert (random_crop(image, 32, 0.3, np.random.default_rng(seed)) == 90).all()
    assert (centre_crop(image, 32) == 90).all()


def test_crops_are_antialiased() -> None:
    checker = np.repeat((np.indices((128, 128)).sum(0) % 2 * 255).astype(np.uint8)[..., None], 3, 2)
    for crop in (random_crop(checker, 16, 1.0, np.random.default_rng(0)), centre_crop(checker, 16)):
        assert np.abs(crop.astype(int) - 127).max() < 40


def test_centre_crop() -> None:
    image = ramp(200, 100)
    assert np.array_equal(centre_crop(image, 100), image[:, 50:150])
    assert np.array_equal(centre_crop(ramp(50, 80), 50), ramp(50, 80)[15:65])
    # An odd remainder is cut in whole pixels, and nothing is blurred.
    noise = np.random.default_rng(0).integers(0, 256, (60, 65, 3), np.uint8)
    assert np.array_equal(centre_crop(noise, 60), noise[:, 2:62])


@pytest.fixture
def batch() -> torch.Tensor:
    return torch.randint(0, 256, (64, 3, 8, 8), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)


def chance(pictures: torch.Tensor, seed: int = 0) -> Chance:
    return Chance(seed, range(len(pictures)))


def test_lightness_of_the_picture_itself(batch: torch.Tensor) -> None:
    lightness = simulate_grey_lightness(batch, chance(batch), 0.0)
    assert lightness.shape == (64, 1, 8, 8) and lightness.dtype == torch.float32
    expected = rgb2lab(batch.permute(0, 2, 3, 1).numpy() / 255)[..., 0]
    assert np.abs(lightness[:, 0].numpy() - expected).max() < 0.01


def test_share_of_simulated_pictures(batch: torch.Tensor) -> None:
    many = batch.repeat(20, 1, 1, 1)
    plain = simulate_grey_lightness(many, chance(many), 0.0)
    changed = (simulate_grey_lightness(many, chance(many), 0.3) - plain).abs().amax((1, 2, 3)) > 0
    assert 0.25 < changed.float().mean() < 0.35
    assert torch.equal(
        simulate_grey_lightness(many, chance(many, 5), 0.5),
        simulate_grey_lightness(many, chance(many, 5), 0.5),
    )
    assert not torch.equal(
        simulate_grey_lightness(many, chance(many, 5), 1), simulate_grey_lightness(many, chance(many, 6), 1)
    )


def test_simulated_grey_is_plausible() -> None:
    """Red, green, blue, and a neutral ramp, seen by many simulated films."""
    colours = torch.tensor([[255, 0, 0], [0, 255, 0], [0, 0, 255], [128, 128, 128]], dtype=torch.uint8)
    many = colours.T[None, :, None, :].expand(2000, 3, 4, 4).contiguous()
    lightness = simulate_grey_lightness(many, chance(many), 1.0)
    assert lightness.min() >= 0 and lightness.max() <= 100
    red, green, blue, grey = lightness.mean(2)[:, 0].T
    # Pillow's grey (Rec. 601) of the same colours is the most frequent kind: 76, 150 and 29 of 255.
    pillow = [Image.new("RGB", (1, 1), tuple(c)).convert("L").getpixel((0, 0)) for c in colours.tolist()[:3]]
    expected = rgb2lab(np.repeat(np.array(pillow)[:, None, None], 3, 2) / 255)[:, 0, 0]
    for value, kind in zip((red, green, blue), expected, strict=True):
        assert ((value - kind).abs() < 8).float().mean() > 0.25
    assert 0.15 < (blue > green).float().mean() < 0.45  # other films than the standards
    assert 0.15 < (red < 30).float().mean() < 0.45  # orthochromatic: red is nearly black
    # A neutral tone only takes the tone curve, which stays mild: L 53.6 is moved by a few units.
    assert abs(float(grey.mean()) - 53.6) < 4 and 2 < float(grey.std()) < 9


def test_simulated_files_have_8_bits() -> None:
    flat = torch.full((50, 3, 16, 16), 128, dtype=torch.uint8)
    levels = torch.from_numpy(rgb2lab(np.repeat(np.arange(256)[:, None, None], 3, 2) / 255)[:, 0, 0]).float()
    lightness = simulate_grey_lightness(flat, chance(flat), 1.0)
    assert (lightness.flatten()[:, None] - levels).abs().amin(1).max() < 0.01
    grain = lightness.std((2, 3))[:, 0]
    assert (grain < 0.3).any() and (grain > 0.5).any() and grain.max() < 4
