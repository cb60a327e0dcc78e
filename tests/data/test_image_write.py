"""What is written can be read back as it was meant, or nothing is there."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from gan_colorize.data.image_io import Photo, read_photo, write_photo
from gan_colorize.data.jpeg_write import encode_jpeg
from gan_colorize.data.metadata import Metadata
from gan_colorize.errors import UserError


@pytest.fixture
def rgb() -> np.ndarray:
    rng = np.random.default_rng(1)
    return np.asarray(Image.fromarray(rng.integers(0, 256, (6, 5, 3), dtype=np.uint8)).resize((50, 60)))


@pytest.mark.parametrize("suffix", [".png", ".tif", ".tiff", ".bmp", ".PNG"])
def test_lossless(tmp_path: Path, rgb: np.ndarray, suffix: str) -> None:
    path = tmp_path / "deep" / "er" / f"out{suffix}"
    write_photo(path, rgb)
    assert np.array_equal(np.asarray(Image.open(path)), rgb)
    assert [p.name for p in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("suffix", [".jpg", ".webp", ".avif"])
def test_quality(tmp_path: Path, rgb: np.ndarray, suffix: str) -> None:
    good, poor = tmp_path / f"good{suffix}", tmp_path / f"poor{suffix}"
    write_photo(good, rgb, quality=95)
    write_photo(poor, rgb, quality=20)
    assert poor.stat().st_size < good.stat().st_size
    assert np.abs(np.asarray(Image.open(good)).astype(int) - rgb).mean() < 3


def test_jpeg_keeps_every_chroma_sample(tmp_path: Path) -> None:
    stripes = np.zeros((16, 16, 3), np.uint8)
    stripes[:, ::2], stripes[:, 1::2] = (200, 60, 60), (60, 120, 60)
    write_photo(tmp_path / "a.jpg", stripes, quality=95)
    with Image.open(tmp_path / "a.jpg") as image:
        assert [layer[1:3] for layer in image.layer] == [(1, 1)] * 3  # 4:4:4
        assert np.abs(np.asarray(image).astype(int) - stripes).max() < 20


@pytest.mark.parametrize("suffix", [".png", ".webp", ".tif", ".avif", ".jpg"])
def test_alpha_exif_and_profile(tmp_path: Path, rgb: np.ndarray, suffix: str) -> None:
    exif = Image.Exif()
    exif[0x8298] = "the heirs"
    alpha = np.random.default_rng(2).integers(0, 65536, rgb.shape[:2]).astype(np.uint16)
    photo = Photo(rgb[..., 0], alpha=alpha, metadata=Metadata(exif=exif.tobytes(), dpi=(600, 600)))
    path = tmp_path / f"out{suffix}"
    write_photo(path, rgb, photo, quality=100)
    with Image.open(path) as image:
        assert image.getexif()[0x8298] == "the heirs"
        profile = ImageCms.getOpenProfile(io.BytesIO(image.info["icc_profile"]))
        assert "sRGB" in ImageCms.getProfileDescription(profile)
        if suffix == ".jpg":
            assert image.mode == "RGB"
        else:
            written = np.asarray(image.getchannel("A")).astype(int)
            assert np.abs(written - np.rint(alpha / 257)).max() <= (0 if suffix != ".avif" else 4)
        if suffix not in (".webp", ".avif"):
            assert tuple(round(float(v)) for v in image.info["dpi"]) == (600, 600)


def test_same_bytes_every_time(tmp_path: Path, rgb: np.ndarray) -> None:
    write_photo(tmp_path / "a.jpg", rgb)
    write_photo(tmp_path / "b.jpg", rgb)
    assert (tmp_path / "a.jpg").read_bytes() == (tmp_path / "b.jpg").read_bytes()


def test_there_and_back(tmp_path: Path, rgb: np.ndarray) -> None:
    """A scan with alpha and a turned original: what is read from the copy is what was written."""
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "Kodak"
    Image.fromarray(np.dstack([rgb, rgb[..., 0]])).save(
        tmp_path / "in.png", exif=exif.tobytes(), dpi=(200, 200)
    )
    photo = read_photo(tmp_path / "in.png")
    write_photo(tmp_path / "out.png", photo.pixels, photo)
    again = read_photo(tmp_path / "out.png")
    assert np.array_equal(again.pixels, photo.pixels) and np.array_equal(again.alpha, photo.alpha)
    assert again.size == (60, 50) and again.metadata.exif == photo.metadata.exif
    assert round(again.metadata.dpi[0]) == 200


def test_maker_notes_too_long_for_jpeg(tmp_path: Path, rgb: np.ndarray) -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x927C] = bytes(70_000)
    write_photo(tmp_path / "a.jpg", rgb, Photo(rgb, metadata=Metadata(exif=exif.tobytes())))
    assert read_photo(tmp_path / "a.jpg").size == (50, 60)


@pytest.mark.parametrize("name", ["a.gif", "a.xyz", "a"])
def test_unknown_format(tmp_path: Path, rgb: np.ndarray, name: str) -> None:
    with pytest.raises(UserError, match=r"\.jpg \.jpeg \.png"):
        write_photo(tmp_path / name, rgb)


def test_too_large_for_the_format(tmp_path: Path) -> None:
    for name in ("wide.webp", "wide.jpg"):
        with pytest.raises(UserError, match="cannot write") as caught:
            write_photo(tmp_path / name, np.zeros((1, 70_000, 3), np.uint8))
        assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif", ".avif", ".bmp"])
def test_full_disk_keeps_the_older_file(small_disk: Path, rgb: np.ndarray, suffix: str) -> None:
    path = small_disk / f"out{suffix}"
    write_photo(path, rgb)
    before = path.read_bytes()
    noise = np.random.default_rng(0).integers(0, 256, (500, 500, 3), dtype=np.uint8)
    with pytest.raises(UserError, match="No space left"):
        write_photo(path, noise)
    assert path.read_bytes() == before and list(small_disk.iterdir()) == [path]


@pytest.mark.parametrize("shape", [(1, 1), (7, 9), (120, 161)])
@pytest.mark.parametrize("quality", [1, 60, 95, 100])
def test_jpeg_is_pillows_byte_for_byte(tmp_path, shape, quality):
    rgb = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x010E] = "a bridge"
    options = {"exif": exif.tobytes(), "dpi": (300, 300), "icc_profile": bytes(200_000), "comment": b"mine"}
    Image.fromarray(rgb).save(tmp_path / "theirs.jpg", quality=quality, subsampling=0, **options)
    ours = encode_jpeg(tmp_path / "ours.jpg", rgb, quality, options)
    assert ours == (tmp_path / "theirs.jpg").read_bytes()


def test_a_picture_too_large_for_jpeg_is_told(tmp_path):
    with pytest.raises(UserError, match="65500 pixels a side"):
        write_photo(tmp_path / "a.jpg", np.zeros((1, 65_501, 3), np.uint8))
