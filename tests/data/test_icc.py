"""Profiles are applied at the depth of the picture; the oracles are closed forms of the colour spaces."""

import io
import struct

import numpy as np
import pytest
import torch
from picture_files import encode, png16, tiff16
from PIL import Image, ImageCms
from skimage.color import lab2rgb

from gan_colorize.color.wide import lab_to_levels
from gan_colorize.data.icc import ProfileError, srgb_profile
from gan_colorize.data.icc_wide import grey_to_srgb16, rgb_to_srgb16, space_of
from gan_colorize.data.image_io import read_photo, read_rgb8

# Colorants of Adobe RGB (1998), adapted to D50, as its published profile has them.
_ADOBE = [(0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457)]
_ADOBE_GAMMA = 563 / 256
# Linear Adobe RGB to linear sRGB: both have D65 whites, so this is independent of any adaptation.
_ADOBE_TO_SRGB = np.array([[1.39836, -0.39836, 0.0], [0.0, 1.0, 0.0], [0.0, -0.04293, 1.04293]])


def profile(space: bytes, curve: bytes, colorants: list[tuple[float, float, float]] = ()) -> bytes:
    """An ICC v2 display profile: header, tag table, tags (ICC.1:2001-04, section 6)."""

    def xyz(values: tuple[float, float, float]) -> bytes:
        return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(value * 65536) for value in values))

    text = b"test\0"
    description = b"desc\0\0\0\0" + struct.pack(">I", len(text)) + text + bytes(78)
    tags = {b"desc": description, b"wtpt": xyz((0.9642, 1.0, 0.8249)), b"cprt": b"text\0\0\0\0none\0"}
    if colorants:
        tags |= {name + b"XYZ": xyz(value) for name, value in zip((b"r", b"g", b"b"), colorants, strict=True)}
        tags |= {name + b"TRC": curve for name in (b"r", b"g", b"b")}
    else:
        tags[b"kTRC"] = curve
    table, body = b"", b""
    start = 128 + 4 + 12 * len(tags)
    for name, data in tags.items():
        body += bytes(-len(body) % 4)
        table += name + struct.pack(">II", start + len(body), len(data))
        body += data
    size = start + len(body)
    header = struct.pack(">I", size) + bytes(4) + b"\x02\x40\0\0mntr" + space + b"XYZ " + bytes(12)
    header += b"acsp" + bytes(28) + struct.pack(">3i", 63190, 65536, 54061)
    return header.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body


def gamma_curve(gamma: float) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256))


def encode_srgb(linear: np.ndarray) -> np.ndarray:
    linear = np.clip(linear, 0, 1)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


ADOBE = profile(b"RGB ", gamma_curve(_ADOBE_GAMMA), _ADOBE)


def adobe_to_srgb(unit: np.ndarray) -> np.ndarray:
    return encode_srgb(unit**_ADOBE_GAMMA @ _ADOBE_TO_SRGB.T)


@pytest.fixture
def colours() -> np.ndarray:
    """(8, 8, 3) 0..1, of middling saturation: inside sRGB after the conversion."""
    return np.random.default_rng(5).uniform(0.4, 0.7, (8, 8, 3))


def test_adobe_rgb_8_bit(colours: np.ndarray) -> None:
    rgb8 = np.rint(colours * 255).astype(np.uint8)
    expected = adobe_to_srgb(rgb8 / 255) * 255
    assert np.abs(expected - rgb8).max() > 8  # the profile matters
    for kind in ("PNG", "TIFF"):
        data = encode(rgb8, kind, icc_profile=ADOBE)
        assert np.abs(read_photo(data).pixels / 257 - expected).max() < 0.2
        assert np.abs(read_rgb8(data) - expected).max() < 1.5
    rgba = np.dstack([rgb8, np.full((8, 8), 200, np.uint8)])
    photo = read_photo(encode(rgba, "PNG", icc_profile=ADOBE))
    assert np.abs(photo.pixels / 257 - expected).max() < 0.2 and photo.alpha.max() == 200


def test_adobe_rgb_16_bit(colours: np.ndarray) -> None:
    rgb16 = np.rint(colours * 65535).astype(np.uint16)
    expected = adobe_to_srgb(rgb16 / 65535) * 65535
    converted = rgb_to_srgb16(rgb16, ADOBE)
    assert np.abs(converted - expected).max() < 40  # a sixth of an 8-bit level: the colorants' five digits
    photo = read_photo(png16(rgb16, ADOBE))
    assert np.array_equal(photo.pixels, converted) and not photo.warnings


def test_a_colour_beyond_srgb_keeps_its_luminance() -> None:
    green = np.array([[[20089, 47182, 22192]]], np.uint16)
    linear = (green / 65535) ** _ADOBE_GAMMA @ _ADOBE_TO_SRGB.T
    assert linear.min() < -0.05  # beyond, indeed
    encoded = rgb_to_srgb16(green, ADOBE)[0, 0] / 65535
    shown = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    luminance = np.array([0.212671, 0.715160, 0.072169])
    assert shown @ luminance == pytest.approx(linear[0, 0] @ luminance, abs=1e-4)
    assert shown.min() == pytest.approx(0, abs=1e-5) and shown.max() < linear.max()


def test_pixels_go_back_into_the_space_they_came_from() -> None:
    lightness = np.linspace(5, 95, 600, dtype=np.float32).reshape(20, 30)
    ab = np.random.default_rng(1).uniform(-40, 40, (2, 20, 30)).astype(np.float32)
    space, exact = space_of(ADOBE), lab2rgb(np.dstack([lightness, *ab]))
    inside = ((exact > 1e-3) & (exact < 1 - 1e-3)).all(-1)
    assert inside.mean() > 0.5
    linear = np.where(exact <= 0.04045, exact / 12.92, ((exact + 0.055) / 1.055) ** 2.4)
    expected = np.clip(linear @ np.linalg.inv(_ADOBE_TO_SRGB).T, 0, 1) ** (1 / _ADOBE_GAMMA)
    for levels, slack in ((255, 0.55), (65535, 45)):  # the published colorants have five digits
        found = lab_to_levels(torch.from_numpy(lightness), torch.from_numpy(ab), levels, space).numpy()
        assert np.abs(found - expected * levels)[inside].max() < slack
    assert space_of(None) is None and space_of(srgb_profile()) is None
    with pytest.raises(ProfileError):
        space_of(profile(b"GRAY", gamma_curve(1.8)))


def test_16_bit_tiff_with_a_profile(colours: np.ndarray) -> None:
    """The tag of the profile takes the place of the predictor's, which says no more than the default."""
    rgb16 = np.rint(colours * 65535).astype(np.uint16)
    data = bytearray(tiff16(rgb16, compressed=False))
    at = data.index(struct.pack(">HHIH", 317, 3, 1, 1))
    data[at : at + 12] = struct.pack(">HHII", 34675, 7, len(ADOBE), len(data))
    photo = read_photo(bytes(data) + ADOBE)
    assert photo.pixels.dtype == np.uint16 and not photo.warnings
    assert np.abs(photo.pixels - adobe_to_srgb(rgb16 / 65535) * 65535).max() < 40


def test_grey_gamma_profile_keeps_16_bits() -> None:
    ramp = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    expected = encode_srgb((ramp / 65535) ** 1.8) * 65535
    grey = profile(b"GRAY", gamma_curve(1.8))
    assert np.abs(grey_to_srgb16(ramp, grey) - expected).max() <= 25  # gamma is stored as 461/256
    photo = read_photo(encode(ramp, "TIFF", icc_profile=grey))
    assert np.abs(photo.pixels - expected).max() <= 25
    assert len(np.unique(photo.pixels)) > 50_000
    eight = np.arange(256, dtype=np.uint8).reshape(16, 16)
    photo = read_photo(encode(eight, "PNG", icc_profile=grey))
    assert np.abs(photo.pixels / 257 - encode_srgb((eight / 255) ** 1.8) * 255).max() < 0.1


def test_grey_curves_of_every_kind() -> None:
    ramp = np.arange(0, 65536, 97, dtype=np.uint16)[None]
    unit = ramp / 65535
    linear = profile(b"GRAY", b"curv\0\0\0\0" + struct.pack(">I", 0))
    assert np.abs(grey_to_srgb16(ramp, linear) - encode_srgb(unit) * 65535).max() <= 1
    table = profile(b"GRAY", b"curv\0\0\0\0" + struct.pack(">I3H", 3, 0, 16384, 65535))
    expected = np.interp(unit, [0, 0.5, 1], [0, 16384 / 65535, 1])
    # LittleCMS keeps tables in steps of 1/65535 of linear light, which at black are 13 encoded levels
    low, high = (encode_srgb(expected + step * 0.51 / 65535) * 65535 for step in (-1, 1))
    found = grey_to_srgb16(ramp, table)
    assert (found >= np.floor(low)).all() and (found <= np.ceil(high)).all()

    def para(kind: int, *values: float) -> bytes:
        return (
            b"para\0\0\0\0"
            + struct.pack(">HH", kind, 0)
            + struct.pack(f">{len(values)}i", *(round(value * 65536) for value in values))
        )

    srgb = profile(b"GRAY", para(3, 2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045))
    assert grey_to_srgb16(ramp, srgb) is None
    gamma = profile(b"GRAY", para(0, 3.0))
    assert np.abs(grey_to_srgb16(ramp, gamma) - encode_srgb(unit**3) * 65535).max() <= 1
    shifted = profile(b"GRAY", para(1, 2.0, 1.25, -0.25))
    expected = np.where(unit >= 0.2, (1.25 * unit - 0.25) ** 2, 0)
    assert np.abs(grey_to_srgb16(ramp, shifted) - encode_srgb(expected) * 65535).max() <= 1


def test_srgb_profile_changes_nothing(colours: np.ndarray) -> None:
    rgb8 = np.rint(colours * 255).astype(np.uint8)
    assert np.array_equal(read_photo(encode(rgb8, "PNG", icc_profile=srgb_profile())).pixels, rgb8)
    ImageCms.getOpenProfile(io.BytesIO(srgb_profile()))  # still a profile without its date


def test_profile_of_another_space_is_ignored_with_a_word(colours: np.ndarray) -> None:
    grey = np.rint(colours[..., 0] * 255).astype(np.uint8)
    photo = read_photo(encode(grey, "JPEG", quality=100, icc_profile=ADOBE))
    assert np.abs(photo.pixels.astype(int) - grey).max() <= 2
    assert len(photo.warnings) == 1 and "not for grey" in photo.warnings[0]


@pytest.mark.parametrize("length", [0, 100, 131, 140, 200, 300])
def test_damaged_profile_is_ignored_with_a_word(colours: np.ndarray, length: int) -> None:
    rgb8 = np.rint(colours * 255).astype(np.uint8)
    photo = read_photo(encode(rgb8, "PNG", icc_profile=ADOBE[:length] or b"x"))
    assert np.array_equal(photo.pixels, rgb8)
    assert len(photo.warnings) == 1 and "profile" in photo.warnings[0]
    with pytest.raises(ProfileError):
        rgb_to_srgb16(np.zeros((1, 1, 3), np.uint16), ADOBE[:length])
    with pytest.raises(ProfileError):
        grey_to_srgb16(np.zeros((1, 1), np.uint16), profile(b"GRAY", gamma_curve(1.8))[:length])


@pytest.mark.parametrize(
    "values",
    [
        (1, 2.0, 0.0, 0.5),  # y = (a x + b)^g from -b / a on
        (2, 2.0, 0.0, 0.5, 0.1),
        (1, 2.0),  # cut short
        (7, 2.0, 1.0, 0.0),  # no such kind
    ],
)
def test_damaged_grey_curve_is_ignored_with_a_word(values: tuple[float, ...]) -> None:
    grey = np.random.default_rng(2).integers(0, 256, (40, 40), dtype=np.uint8)
    tag = b"para\0\0\0\0" + struct.pack(">HH", values[0], 0)
    tag += struct.pack(f">{len(values) - 1}i", *(round(value * 65536) for value in values[1:]))
    damaged = profile(b"GRAY", tag)
    with pytest.raises(ProfileError, match="damaged"):
        grey_to_srgb16(grey, damaged)
    data = encode(grey, "PNG", icc_profile=damaged)
    photo = read_photo(data)
    assert np.array_equal(photo.pixels, grey)
    assert len(photo.warnings) == 1 and "damaged" in photo.warnings[0]
    assert np.array_equal(read_rgb8(data), np.stack([grey] * 3, -1))


def test_cmyk_profile_of_the_wrong_kind(colours: np.ndarray) -> None:
    cmyk = Image.fromarray(np.rint(colours * 255).astype(np.uint8)).convert("CMYK")
    photo = read_photo(encode(cmyk, "TIFF", icc_profile=ADOBE))
    assert photo.pixels.shape == (8, 8, 3) and "CMYK" in photo.warnings[0]
