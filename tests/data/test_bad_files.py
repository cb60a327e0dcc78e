"""Every kind of damage is one line that names the file, never another exception."""

import io
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gan_colorize.data.image_io import read_photo, read_rgb8
from gan_colorize.data.opening import opened
from gan_colorize.errors import UserError

_PICTURE = np.asarray(
    Image.fromarray(np.random.default_rng(3).integers(0, 256, (6, 8, 3), dtype=np.uint8)).resize((64, 48))
)
_KINDS = ["JPEG", "PNG", "WEBP", "TIFF", "BMP", "AVIF", "GIF", "JPEG2000"]


def encode(kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(_PICTURE).save(buffer, kind, **options)
    return buffer.getvalue()


def assert_one_line(path: Path, *words: str) -> None:
    for read in (read_photo, read_rgb8):
        with pytest.raises(UserError) as caught:
            read(path)
        line = str(caught.value)
        assert "\n" not in line and str(path) in line
        assert line.count(str(path)) == 1
        assert all(word in line for word in words), line


@pytest.mark.parametrize(
    ("content", "word"),
    [(b"", "empty"), (b"dear diary, today\n" * 50, "not an image"), (b"\xff\xd8\xff", "image")],
)
def test_not_an_image(tmp_path: Path, content: bytes, word: str) -> None:
    path = tmp_path / "holiday.jpg"
    path.write_bytes(content)
    assert_one_line(path, word)


def test_missing_and_folder(tmp_path: Path) -> None:
    assert_one_line(tmp_path / "nowhere.png", "no such file")
    folder = tmp_path / "folder.png"
    folder.mkdir()
    assert_one_line(folder)


@pytest.mark.parametrize("kind", _KINDS)
def test_truncated(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"cut.{kind.lower()}"
    data = encode(kind)
    for share in (0.5, 0.9):
        path.write_bytes(data[: int(len(data) * share)])
        assert_one_line(path)


def test_postscript_is_not_run(tmp_path: Path) -> None:
    path = tmp_path / "page.jpg"
    path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\nshowpage\n")
    assert_one_line(path, "not an image")


def test_too_many_pixels(tmp_path: Path) -> None:
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    path = tmp_path / "bomb.png"
    for side in (30_000, 60_000):  # 900 megapixels, and 3,600, which Pillow refuses first
        header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0))
        rows = chunk(b"IDAT", zlib.compress(b"\0" * 1000))
        path.write_bytes(b"\x89PNG\r\n\x1a\n" + header + rows + chunk(b"IEND", b""))
        assert_one_line(path, "megapixels", "500")
    Image.fromarray(_PICTURE).save(path)
    with pytest.raises(UserError, match=r"64x48 is 0 megapixels; the limit is 0\.001"):
        read_photo(path, max_megapixels=0.001)


def test_a_scan_above_pillows_own_limit(tmp_path: Path) -> None:
    """95 megapixels of 1-bit white: common for archives, refused or warned about by Pillow by default."""
    path = tmp_path / "large.png"
    Image.new("1", (10_000, 9_500), 1).save(path)
    photo = read_photo(path)
    assert photo.size == (10_000, 9_500) and photo.pixels[5, 5] == 255


@pytest.mark.parametrize("kind", _KINDS)
def test_random_damage_never_escapes(kind: str) -> None:
    """Either it can still be read or it is a UserError; pytest fails on anything else."""
    rng = np.random.default_rng(11)
    clean = encode(kind)
    for _ in range(60):
        data = bytearray(clean)
        span = len(data) if rng.random() < 0.5 else min(len(data), 200)
        for _ in range(rng.integers(1, 6)):
            data[rng.integers(span)] = rng.integers(256)
        for read in (read_photo, read_rgb8):
            try:
                read(bytes(data))
            except UserError as error:
                assert "\n" not in str(error)


@pytest.mark.parametrize("error", [ZeroDivisionError("division by zero"), OverflowError(), struct.error("x")])
def test_arithmetic_on_damaged_numbers_is_damage(tmp_path: Path, error: Exception) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(encode("PNG"))
    with pytest.raises(UserError, match="damaged or unsupported"), opened(path):
        raise error


def test_damaged_exif_is_no_reason_to_refuse(tmp_path: Path) -> None:
    path = tmp_path / "exif.jpg"
    Image.fromarray(_PICTURE).save(path, exif=b"Exif\0\0II*\0\xff\xff\xff\xff" + b"\xff" * 40)
    photo = read_photo(path)
    assert photo.size == (64, 48) and photo.metadata.exif is None


@pytest.mark.parametrize("name", ["PIL.TiffImagePlugin", "imagecodecs", "tifffile"])
def test_libraries_that_log_are_not_heard(name):
    program = f"import logging, gan_colorize.data.image_io; logging.getLogger({name!r}).error('odd')"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stderr == ""
