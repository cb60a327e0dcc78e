"""Whatever the bytes are, reading them gives a picture or one clean line; the examples never change."""

import io
import struct
import zlib

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from picture_files import encode, png16, tiff16
from PIL import Image

from gan_colorize.data.image_io import Photo, read_photo
from gan_colorize.errors import UserError

_GREY = np.random.default_rng(5).integers(0, 256, (18, 23), dtype=np.uint8)
_WIDE = np.random.default_rng(6).integers(0, 65536, (18, 23, 3), dtype=np.uint16)


def _by_tifffile(values, **options):
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, values, **options)
    return buffer.getvalue()


_SEEDS = [
    *(encode(_GREY, kind) for kind in ("JPEG", "PNG", "TIFF", "BMP", "GIF", "JPEG2000", "PPM")),
    *(encode(Image.fromarray(_GREY).convert("RGB"), kind) for kind in ("WEBP", "AVIF")),
    encode(
        _GREY,
        "JPEG",
        progressive=True,
        exif=b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0",
    ),
    png16(_WIDE),
    tiff16(_WIDE, compressed=True, predictor=True),
    _by_tifffile(_WIDE, photometric="rgb", compression="lzw", tile=(16, 16)),
    _by_tifffile(_GREY, photometric="miniswhite", bigtiff=True, byteorder=">"),
]

_EXAMPLES = settings(
    max_examples=250,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def assert_picture_or_line(data: bytes) -> None:
    try:
        photo = read_photo(data, max_megapixels=4)
        lightness = photo.lightness()
    except UserError as error:
        line = str(error)
        assert line.isprintable() and 0 < len(line) < 1000
        return
    assert isinstance(photo, Photo)
    assert lightness.shape == photo.pixels.shape[:2] and lightness.size
    assert lightness.min() >= -1e-4 and lightness.max() <= 100.001


@st.composite
def damaged(draw):
    """A good file with bytes and numbers overwritten, a piece taken out or doubled, or its end missing."""
    data = bytearray(draw(st.sampled_from(_SEEDS)))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, min(len(data) - 1, draw(st.sampled_from((40, 400, 10_000))))))
        kind = draw(st.sampled_from(("byte", "number", "cut", "remove", "double")))
        if kind == "byte":
            data[at] = draw(st.integers(0, 255))
        elif kind == "number":
            value = draw(st.sampled_from((0, 1, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)))
            data[at : at + 4] = struct.pack(draw(st.sampled_from("<>")) + "I", value)
        elif kind == "cut" and at > 8:
            del data[at:]
        elif kind == "remove":
            del data[at : at + draw(st.integers(1, 64))]
        else:
            data[at:at] = data[at : at + draw(st.integers(1, 64))]
        if len(data) < 9:
            break
    return bytes(data)


@_EXAMPLES
@given(damaged())
def test_damaged_files(data):
    assert_picture_or_line(data)


@_EXAMPLES
@given(st.binary(max_size=300), st.sampled_from([seed[:26] for seed in _SEEDS] + [b""]))
def test_any_bytes_behind_any_start(tail, start):
    assert_picture_or_line(start + tail)


@_EXAMPLES
@given(
    bits=st.sampled_from((1, 2, 4, 8, 16)),
    colour=st.sampled_from((0, 2, 3, 4, 6)),
    interlaced=st.integers(0, 1),
    width=st.integers(0, 40),
    height=st.integers(0, 40),
    rows=st.binary(max_size=2000),
)
def test_png_whose_check_sums_are_right(bits, colour, interlaced, width, height, rows):
    """Every filter, depth and colour type, possible or not, over rows of any bytes."""

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, interlaced)
    body = chunk(b"IHDR", header) + chunk(b"PLTE", bytes(range(48))) + chunk(b"IDAT", zlib.compress(rows * 4))
    assert_picture_or_line(b"\x89PNG\r\n\x1a\n" + body + chunk(b"IEND", b""))


@pytest.mark.parametrize("where", [0.4, 0.6, 0.9])
def test_sixteen_bit_png_with_damage_deep_within(where):
    """Some decoders of such files end the whole process."""
    data = bytearray(png16(np.random.default_rng(8).integers(0, 65536, (60, 80, 3), dtype=np.uint16)))
    for offset in range(12):
        data[int(len(data) * where) + offset] ^= 0xFF
    with pytest.raises(UserError):
        read_photo(bytes(data))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("shape", [(1, 7, 3), (7, 1, 3), (1, 1, 3)])
def test_a_single_row_or_column_that_is_turned(shape, orientation):
    """numpy takes a negative stride along one pixel for contiguous; torch does not."""
    values = np.arange(int(np.prod(shape)), dtype=np.uint16).reshape(shape) * 2000
    data = _by_tifffile(values, photometric="rgb", extratags=[(274, 3, 1, orientation, True)])
    photo = read_photo(data)
    height, width = shape[:2] if orientation < 5 else shape[1::-1]
    assert photo.size == (width, height)
    assert photo.lightness().shape == (height, width)
    backwards = {1: "", 2: "x", 3: "xy", 4: "y", 5: "", 6: "y", 7: "xy", 8: "x"}[
        orientation
    ]  # of what is stored
    line = values[:: -1 if "y" in backwards else 1, :: -1 if "x" in backwards else 1].reshape(-1, 3)
    np.testing.assert_array_equal(photo.pixels.reshape(-1, 3), line)


@pytest.mark.parametrize("seed", range(len(_SEEDS)))
def test_the_seeds_are_good(seed):
    assert read_photo(_SEEDS[seed]).pixels.size in (18 * 23, 3 * 18 * 23)


@pytest.mark.parametrize("tag", [256, 257])
def test_a_tiff_without_a_pixel_is_refused(tag):
    data = tiff16(_WIDE, compressed=False)
    side = {256: 23, 257: 18}[tag]
    entry = struct.pack(">HHIH", tag, 3, 1, side)
    assert data.count(entry) == 1
    with pytest.raises(UserError, match="damaged"):
        read_photo(data.replace(entry, struct.pack(">HHIH", tag, 3, 1, 0)))
