"""Findings: colours and tones that were in the input, results that are none."""

import numpy as np
import pytest
from PIL import Image

from gan_colorize.inference.notices import input_notices, result_notices


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
