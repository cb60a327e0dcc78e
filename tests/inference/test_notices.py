"""Findings: colours and tones that were in the input, results that are none."""

import numpy as np
import pytest
from PIL import Image

from gan_colorize.inference.notices import input_notices, result_notices, tint_of


def ramp(colour):
    """Black to white through ``colour`` in the middle, as a toned print has it."""
    shades = np.linspace(0, 1, 200)[:, None]
    tone = 4 * shades * (1 - shades) * (np.float64(colour) - 128)
    return (shades * 255 + tone).clip(0, 255).astype(np.uint8)[None].repeat(50, axis=0)


def test_grey_is_no_finding():
    grey = np.random.default_rng(0).integers(0, 256, (60, 60), dtype=np.uint8)
    assert input_notices(grey) == []
    assert input_notices(np.repeat(grey[..., None], 3, axis=2)) == []


def test_noise_of_a_colour_scanner_is_no_finding():
    noise = np.random.default_rng(0).normal(128, 3, (80, 80, 3)).astype(np.uint8)
    assert input_notices(noise) == []


def test_sepia_and_cyanotype_are_tones():
    for colour in ((150, 128, 95), (100, 128, 165)):
        (finding,) = input_notices(ramp(colour))
        assert "tone" in finding


def test_the_sepia_of_image_programs_is_a_tone():
    """Its lights are yellow and its shadows brown: two hues, but the same one in equal shades."""
    grey = np.random.default_rng(1).integers(0, 256, (90, 90)).astype(np.float64)
    # the matrix that .NET's examples made known: rows of red, green and blue, of grey their sums
    sepia = (grey[..., None] * (0.393 + 0.769 + 0.189, 0.349 + 0.686 + 0.168, 0.272 + 0.534 + 0.131)).clip(
        0, 255
    )
    noisy = (sepia + np.random.default_rng(2).normal(0, 3, sepia.shape)).clip(0, 255)
    for picture in (sepia, noisy):
        assert tint_of(picture.astype(np.uint8)) == "toned"
        assert tint_of((picture * 257).astype(np.uint16)) == "toned"


def test_brown_things_are_no_tone():
    """Colours of one hue, but with more and less of it in equal shades: a desert, autumn leaves."""
    generator = np.random.default_rng(3)
    grey, amount = generator.integers(60, 200, (2, 90, 90, 1))
    brown = grey + (amount - 60) * np.array([0.35, 0.0, -0.4])
    assert tint_of(brown.clip(0, 255).astype(np.uint8)) == "coloured"


def test_a_handful_of_pixels_makes_no_tone():
    assert tint_of(np.random.default_rng(4).integers(0, 256, (8, 8, 3), dtype=np.uint8)) == "coloured"


def test_colours_are_named_at_both_depths():
    picture = np.zeros((40, 40, 3), np.uint8)
    picture[:20, :, 0], picture[20:, :, 2] = 200, 180
    for pixels in (picture, picture.astype(np.uint16) * 257):
        (finding,) = input_notices(pixels)
        assert "already has colours" in finding


def test_colour_photographs_of_the_package_are_recognised():
    from gan_colorize.zoo.checkpoint import DEFAULT_WEIGHTS

    folder = DEFAULT_WEIGHTS.parents[2] / "examples" / "truth"
    paths = sorted(folder.glob("*.jpg"))
    assert paths
    for path in paths:
        with Image.open(path) as image:
            assert "already has colours" in input_notices(np.asarray(image.convert("RGB")))[0]


@pytest.mark.parametrize(
    ("strength", "size", "seen", "words"),
    [
        (20.0, (750, 1000), (256, 341), []),
        (1.0, (750, 1000), (256, 341), ["nearly grey"]),
        (20.0, (100, 80), (100, 80), []),  # small is not extreme
        (20.0, (2000, 32000), (128, 2048), ["extreme aspect ratio"]),
    ],
)
def test_results(strength, size, seen, words):
    found = result_notices(strength, size, seen, 256)
    assert len(found) == len(words)
    assert all(word in line for word, line in zip(words, found, strict=True))
