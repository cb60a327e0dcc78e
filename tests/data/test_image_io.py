"""What a file stores is what is read, at its depth and upright; the oracles are the arrays saved."""

import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
from picture_files import encode, png16, tiff16
from PIL import Image, ImageOps
from skimage.color import rgb2lab

from gan_colorize.data.image_io import read_photo, read_rgb8
from gan_colorize.errors import UserError


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


@pytest.fixture
def rgb(rng: np.random.Generator) -> np.ndarray:
    """Smooth colours with one pixel of noise, 24 x 20."""
    small = Image.fromarray(rng.integers(0, 256, (5, 4, 3), dtype=np.uint8))
    return np.asarray(small.resize((20, 24), Image.Resampling.BICUBIC))


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP", "WEBP"])
def test_lossless_rgb(rgb: np.ndarray, kind: str) -> None:
    data = encode(rgb, kind, **({"lossless": True} if kind == "WEBP" else {}))
    photo = read_photo(data)
    assert np.array_equal(photo.pixels, rgb)
    assert photo.alpha is None and photo.format == kind and photo.size == (20, 24) and not photo.warnings
    assert np.array_equal(read_rgb8(data), rgb)


@pytest.mark.parametrize("kind", ["JPEG", "AVIF", "JPEG2000"])
def test_lossy_rgb(rgb: np.ndarray, kind: str) -> None:
    photo = read_photo(encode(rgb, kind, quality=95) if kind != "JPEG2000" else encode(rgb, kind))
    assert np.abs(photo.pixels.astype(int) - rgb).mean() < 6
    assert photo.pixels.dtype == np.uint8


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "JPEG"])
def test_grey_stays_one_channel(rgb: np.ndarray, kind: str) -> None:
    grey = rgb[..., 1]
    photo = read_photo(encode(grey, kind, **({"quality": 100} if kind == "JPEG" else {})))
    assert photo.pixels.shape == grey.shape
    assert np.abs(photo.pixels.astype(int) - grey).max() <= (2 if kind == "JPEG" else 0)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_16_bit_grey_keeps_every_bit(rng: np.random.Generator, kind: str) -> None:
    grey = rng.integers(0, 65536, (9, 11)).astype(np.uint16)
    photo = read_photo(encode(grey, kind))
    assert photo.pixels.dtype == np.uint16 and np.array_equal(photo.pixels, grey)
    # Pillow's own convert("RGB") would clip everything above 255 to white.
    assert np.array_equal(read_rgb8(encode(grey, kind))[..., 2], np.rint(grey / 257))


def test_big_endian_and_white_is_zero_tiff(rng: np.random.Generator) -> None:
    grey = rng.integers(0, 65536, (6, 7)).astype(np.uint16)
    big = Image.frombytes("I;16B", (7, 6), grey.astype(">u2").tobytes())
    assert np.array_equal(read_photo(encode(big, "TIFF")).pixels, grey)
    inverted = bytearray(encode(grey, "TIFF"))
    at = inverted.index(struct.pack("<HHIH", 262, 3, 1, 1))  # PhotometricInterpretation: BlackIsZero
    inverted[at : at + 10] = struct.pack("<HHIH", 262, 3, 1, 0)
    assert np.array_equal(read_photo(bytes(inverted)).pixels, 65535 - grey)


def test_16_bit_pgm_and_float_tiff(rng: np.random.Generator) -> None:
    grey = rng.integers(0, 65536, (6, 7)).astype(np.uint16)
    pgm = b"P5 7 6 65535\n" + grey.astype(">u2").tobytes()
    assert np.array_equal(read_photo(pgm).pixels, grey)
    unit = (grey / 65535).astype(np.float32)
    assert np.array_equal(read_photo(encode(unit, "TIFF")).pixels, grey)
    with pytest.raises(UserError, match="no agreed white"):
        read_photo(encode(unit * 1e6, "TIFF"))


def test_floating_point_takes_its_white_from_the_values(rng: np.random.Generator) -> None:
    grey = rng.integers(0, 256, (6, 7)).astype(np.uint8)
    grey[0, 0] = 255
    photo = read_photo(encode(grey.astype(np.float32), "TIFF"))
    assert np.array_equal(photo.pixels, grey.astype(np.uint16) * 257)
    assert photo.warnings == ["floating-point values up to 255: taken as 0 (black) to 255 (white)"]
    wide = rng.integers(0, 65536, (6, 7)).astype(np.uint16)
    photo = read_photo(encode(wide.astype(np.float32), "TIFF"))
    assert np.array_equal(photo.pixels, wide)
    assert "to 65535 (white)" in photo.warnings[0]
    for value in (np.nan, np.inf, -np.inf):
        spoilt = grey.astype(np.float32)
        spoilt[2, 3] = value
        with pytest.raises(UserError, match="infinite or not a number"):
            read_photo(encode(spoilt, "TIFF"))


def test_the_depth_of_the_file_is_known(rng: np.random.Generator) -> None:
    wide = rng.integers(0, 65536, (6, 7, 3)).astype(np.uint16)
    assert read_photo(png16(wide)).bits == 16
    assert read_photo(encode(wide[..., 0].copy(), "PNG")).bits == 16
    assert read_photo(encode((wide // 257).astype(np.uint8), "PNG")).bits == 8


@pytest.mark.parametrize("channels", [2, 3, 4])
def test_16_bit_colour_png_keeps_every_bit(rng: np.random.Generator, channels: int) -> None:
    stored = rng.integers(0, 65536, (9, 11, channels)).astype(np.uint16)
    photo = read_photo(png16(stored))
    colours = stored[..., 0] if channels == 2 else stored[..., :3]
    assert photo.pixels.dtype == np.uint16 and np.array_equal(photo.pixels, colours)
    if channels == 3:
        assert photo.alpha is None
    else:
        assert np.array_equal(photo.alpha, stored[..., -1])


@pytest.mark.parametrize(("compressed", "predictor"), [(False, False), (True, False), (True, True)])
@pytest.mark.parametrize("channels", [3, 4])
def test_16_bit_colour_tiff_keeps_every_bit(
    rng: np.random.Generator, compressed: bool, predictor: bool, channels: int
) -> None:
    stored = rng.integers(0, 65536, (12, 7, channels)).astype(np.uint16)
    photo = read_photo(tiff16(stored, compressed, predictor))
    assert np.array_equal(photo.pixels, stored[..., :3])
    assert channels == 3 or np.array_equal(photo.alpha, stored[..., 3])
    assert not photo.warnings


def test_alpha_is_kept_apart(rgb: np.ndarray, rng: np.random.Generator) -> None:
    alpha = rng.integers(0, 256, rgb.shape[:2], dtype=np.uint8)
    rgba = np.dstack([rgb, alpha])
    photo = read_photo(encode(rgba, "PNG"))
    assert np.array_equal(photo.pixels, rgb) and np.array_equal(photo.alpha, alpha)
    shown = read_rgb8(encode(rgba, "PNG"))
    over = np.rint(rgb * (alpha / 255)[..., None] + 128 * (1 - alpha / 255)[..., None])
    assert np.abs(shown - over).max() <= 1

    grey_alpha = Image.merge("LA", [Image.fromarray(rgb[..., 0]), Image.fromarray(alpha)])
    photo = read_photo(encode(grey_alpha, "PNG"))
    assert np.array_equal(photo.pixels, rgb[..., 0]) and np.array_equal(photo.alpha, alpha)

    opaque = read_photo(encode(np.dstack([rgb, np.full_like(alpha, 255)]), "PNG"))
    assert (opaque.alpha == 255).all()  # the file has it, so the copy will


def test_palette_with_transparency(rgb: np.ndarray) -> None:
    palette = Image.fromarray(rgb).quantize(8)
    expected = np.asarray(palette.convert("RGB"))
    photo = read_photo(encode(palette, "PNG", transparency=bytes([0, 100])))
    index = np.asarray(palette)
    assert np.array_equal(photo.pixels, expected)
    assert np.array_equal(photo.alpha, np.where(index == 0, 0, np.where(index == 1, 100, 255)))
    assert read_photo(encode(palette, "PNG")).alpha is None


def test_one_transparent_grey_level(rgb: np.ndarray) -> None:
    grey = rgb[..., 0]
    photo = read_photo(encode(grey, "PNG", transparency=int(grey[3, 3])))
    assert np.array_equal(photo.pixels, grey)
    assert np.array_equal(photo.alpha == 0, grey == grey[3, 3])


@pytest.mark.parametrize("gamma", [1.0, 1 / 1.8])
@pytest.mark.parametrize("wide", [False, True])
def test_the_gamma_of_a_png_is_applied(gamma: float, wide: bool) -> None:
    """PNG specification, 13.13: light is the stored value to the power of 1 / gamma."""
    most = 65535 if wide else 255
    levels = np.linspace(0, most, 256).round().astype(np.uint16 if wide else np.uint8).reshape(16, 16)
    data = png16(levels[..., None]) if wide else encode(Image.fromarray(levels), "PNG")

    def tagged(*chunks: tuple[bytes, bytes]) -> bytes:
        told = [struct.pack(">I", len(body)) + name + body for name, body in chunks]
        return data[:33] + b"".join(one + struct.pack(">I", zlib.crc32(one[4:])) for one in told) + data[33:]

    chunk = (b"gAMA", struct.pack(">I", round(gamma * 100_000)))
    photo = read_photo(tagged(chunk))
    light = (levels / most) ** (1 / gamma)
    encoded = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    assert np.abs(photo.pixels / 65535 - encoded).max() < 2e-4 and photo.bits == (16 if wide else 8)
    assert len(photo.warnings) == 1 and "gamma" in photo.warnings[0]
    # the usual value is sRGB's, and what says sRGB is sRGB
    for chunks in ([(b"gAMA", struct.pack(">I", 45455))], [chunk, (b"sRGB", b"\0")]):
        photo = read_photo(tagged(*chunks))
        assert np.array_equal(photo.pixels, levels) and photo.warnings == []


def test_tiffs_of_kinds_that_are_read_at_8_bits_or_not_at_all(rgb: np.ndarray, tmp_path: Path) -> None:
    inks = np.zeros((*rgb.shape[:2], 4), np.uint16)
    inks[..., 3] = 65535 - rgb[..., 0].astype(np.uint16) * 257
    tifffile.imwrite(tmp_path / "inks.tif", inks, photometric="separated", metadata=None)
    photo = read_photo(tmp_path / "inks.tif")
    assert photo.warnings == ["16-bit SEPARATED is read at 8 bits"]
    tifffile.imwrite(tmp_path / "lab.tif", inks[..., :3], photometric="cielab", metadata=None)
    with pytest.raises(
        UserError, match=r"lab.tif: damaged, or of a kind of TIFF that is not read \(16-bit CIELAB\)"
    ):
        read_photo(tmp_path / "lab.tif")


def test_cmyk_and_one_bit(rgb: np.ndarray) -> None:
    cmyk = Image.fromarray(rgb).convert("CMYK")
    for data in (encode(cmyk, "TIFF"), encode(cmyk, "JPEG", quality=100)):
        photo = read_photo(data)
        assert photo.pixels.shape == rgb.shape
        assert np.abs(photo.pixels.astype(int) - rgb).mean() < 3
    one_bit = Image.fromarray(rgb[..., 0] > 127)
    assert np.array_equal(read_photo(encode(one_bit, "PNG")).pixels, np.where(rgb[..., 0] > 127, 255, 0))


def test_lab_tiff(rgb: np.ndarray) -> None:
    from PIL import ImageCms

    srgb, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    image = ImageCms.profileToProfile(Image.fromarray(rgb), srgb, lab, outputMode="LAB")
    # 8-bit Lab is coarse, most of all for dark channels of vivid colours.
    assert np.abs(read_photo(encode(image, "TIFF")).pixels.astype(int) - rgb).mean() < 2


def test_first_frame_of_an_animation(rgb: np.ndarray) -> None:
    frames = [Image.fromarray(np.roll(rgb, 5 * i, 0)).quantize(32) for i in range(3)]
    for kind in ("GIF", "WEBP", "TIFF"):
        data = encode(frames[0].convert("RGB"), kind, save_all=True, append_images=frames[1:])
        photo = read_photo(data)
        assert np.abs(photo.pixels.astype(int) - np.asarray(frames[0].convert("RGB"))).mean() < 12
        if kind == "TIFF":
            assert photo.pages == 3 and not photo.warnings
        else:
            assert len(photo.warnings) == 1 and "3 frames" in photo.warnings[0]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP", "deflate"])
def test_exif_orientation(rgb: np.ndarray, orientation: int, kind: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"WEBP": {"lossless": True}, "deflate": {"compression": "tiff_adobe_deflate"}}.get(kind, {})
    kind = "TIFF" if kind == "deflate" else kind
    data = encode(rgb, kind, exif=exif.tobytes(), **options)
    # The oracle turns a plain image that only carries the tag.
    plain = Image.fromarray(rgb)
    plain.getexif()[0x0112] = orientation
    upright = np.asarray(ImageOps.exif_transpose(plain))
    assert np.array_equal(read_photo(data).pixels, upright)
    assert np.array_equal(read_rgb8(data), upright)
    carried = read_photo(data).metadata.exif
    if carried is not None:
        again = Image.Exif()
        again.load(carried)
        assert again.get(0x0112, 1) == 1


@pytest.mark.parametrize("orientation", [3, 6])
def test_orientation_of_16_bit_colour(rng: np.random.Generator, orientation: int) -> None:
    stored = rng.integers(0, 65536, (6, 9, 3)).astype(np.uint16)
    data = bytearray(tiff16(stored, compressed=False))
    at = data.index(struct.pack(">HHI", 284, 3, 1))  # PlanarConfiguration 1 is the default: its place is free
    data[at : at + 10] = struct.pack(">HHIH", 274, 3, 1, orientation)
    turned = stored[::-1, ::-1] if orientation == 3 else np.rot90(stored, -1)
    assert np.array_equal(read_photo(bytes(data)).pixels, turned)


def test_lightness_has_the_depth_of_the_file(rng: np.random.Generator) -> None:
    rgb8 = rng.integers(0, 256, (9, 11, 3), dtype=np.uint8)
    rgb16 = rng.integers(0, 65536, (9, 11, 3)).astype(np.uint16)
    for data, unit in (
        (encode(rgb8, "PNG"), rgb8 / 255),
        (encode(rgb8[..., 0], "PNG"), np.stack([rgb8[..., 0] / 255] * 3, -1)),
        (png16(rgb16), rgb16 / 65535),
        (encode(rgb16[..., 0].copy(), "PNG"), np.stack([rgb16[..., 0] / 65535] * 3, -1)),
    ):
        lightness = read_photo(data).lightness()
        assert lightness.dtype == np.float32
        # scikit-image rounds the matrix differently in the fifth digit; one 8-bit level is about 0.4.
        assert np.abs(lightness - rgb2lab(unit)[..., 0]).max() < 0.01


def test_short_side_only_shrinks(rng: np.random.Generator) -> None:
    rgb = np.full((60, 90, 3), (200, 100, 50), np.uint8)
    for kind in ("JPEG", "PNG"):
        assert read_rgb8(encode(rgb, kind), 20).shape == (20, 30, 3)
        assert read_rgb8(encode(rgb, kind), 200).shape == (60, 90, 3)
        assert np.abs(read_rgb8(encode(rgb, kind), 20).astype(int) - (200, 100, 50)).max() <= 2
    checker = np.indices((64, 64)).sum(0) % 2 * 255
    small = read_rgb8(encode(np.stack([checker.astype(np.uint8)] * 3, -1), "PNG"), 16)
    assert np.abs(small.astype(int) - 127).max() <= 8  # antialiased: no stripes of black and white


def test_metadata_is_carried() -> None:
    exif = Image.Exif()
    exif[0x010F], exif[0x8298], exif[0x0112] = "Kodak", "the heirs", 1
    exif.get_ifd(0x8769)[0x9003] = "1936:05:01 12:00:00"
    for kind in ("JPEG", "TIFF"):
        photo = read_photo(encode(np.zeros((8, 9, 3), np.uint8), kind, exif=exif.tobytes(), dpi=(300, 300)))
        assert photo.metadata.dpi == (300, 300)
        carried = Image.Exif()
        carried.load(photo.metadata.exif)
        assert carried[0x010F] == "Kodak" and carried[0x8298] == "the heirs"
        assert carried.get_ifd(0x8769)[0x9003] == "1936:05:01 12:00:00"
        assert 0x8825 not in carried  # no place was told, so there is no empty directory for one
        assert 0x0111 not in carried and 0x0103 not in carried  # where and how a TIFF stores its strips


def test_extreme_shapes() -> None:
    one = read_photo(encode(np.full((1, 1, 3), 77, np.uint8), "PNG"))
    assert one.size == (1, 1) and one.lightness().shape == (1, 1)
    thin = read_photo(encode(np.full((4000, 20), 90, np.uint8), "PNG"))
    assert thin.size == (20, 4000)
    assert read_rgb8(encode(np.full((4000, 20, 3), 90, np.uint8), "PNG"), 10).shape == (2000, 10, 3)


def test_import_is_light() -> None:
    """Reading a file must not cost the seconds that torch takes to import."""
    code = (
        "import sys, gan_colorize.data.image_io; sys.exit(any(m in sys.modules for m in ('torch', 'kornia')))"
    )
    root = Path(__file__).resolve().parents[2]
    assert subprocess.run([sys.executable, "-c", code], cwd=root).returncode == 0
