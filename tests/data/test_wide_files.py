"""Sixteen bits, pages and transparency into files and out again; the readers here are not the package's."""

import threading

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image

from gan_colorize.data.image_io import Photo, pixels_of_pages, read_pages, read_photo
from gan_colorize.data.image_write import write_photo
from gan_colorize.data.metadata import Metadata
from gan_colorize.data.picture import ArrayPicture, ahead, strips
from gan_colorize.data.tiff_write import tiff_writer
from gan_colorize.errors import UserError


@pytest.fixture
def rgb16() -> np.ndarray:
    """(61, 47, 3): smooth, noisy and extreme parts, for every filter of PNG."""
    generator = np.random.default_rng(0)
    picture = np.add.outer(np.arange(61) * 700, np.arange(47) * 300)[..., None] + np.array([0, 900, 5000])
    picture[30:] = generator.integers(0, 65536, (31, 47, 3))
    picture[:3], picture[3:5] = 0, 65535
    return picture.clip(0, 65535).astype(np.uint16)


def stored(path) -> np.ndarray:
    return tifffile.imread(path) if path.suffix == ".tif" else imagecodecs.png_decode(path.read_bytes())


@pytest.mark.parametrize("suffix", [".tif", ".png"])
@pytest.mark.parametrize("depth", [None, np.uint8, np.uint16])
def test_16_bits_and_alpha_come_back(rgb16, suffix, depth, tmp_path):
    alpha = None
    if depth is not None:
        alpha = np.random.default_rng(1).integers(0, np.iinfo(depth).max + 1, rgb16.shape[:2]).astype(depth)
    photo = Photo(rgb16[..., 0], alpha, Metadata(dpi=(600, 600)), bits=16)
    path = tmp_path / f"a{suffix}"
    assert write_photo(path, rgb16, photo) == []
    found = stored(path)
    assert found.dtype == np.uint16 and np.array_equal(found[..., :3], rgb16)
    if alpha is not None:
        assert np.array_equal(found[..., 3], alpha.astype(int) * (257 if depth == np.uint8 else 1))
    again = read_photo(path)
    assert again.bits == 16 and np.array_equal(again.pixels, rgb16)
    assert round(again.metadata.dpi[0]) == 600
    with Image.open(path) as image:  # another reader opens it, profile included
        image.load()
        assert image.size == (47, 61) and image.info["icc_profile"][16:20] == b"RGB "


@pytest.mark.parametrize("shape", [(1, 1), (1, 700), (700, 1), (8, 8), (300, 500)])
def test_8_bit_tiff_is_read_by_pillow(shape, tmp_path):
    rgb = np.random.default_rng(2).integers(0, 256, (*shape, 3), dtype=np.uint8)
    write_photo(tmp_path / "a.tif", rgb)
    assert np.array_equal(np.asarray(Image.open(tmp_path / "a.tif")), rgb)


def test_large_png_is_written_in_bands_like_the_others(monkeypatch, tmp_path):
    rgb = np.random.default_rng(3).integers(0, 256, (40, 30, 3), dtype=np.uint8)
    monkeypatch.setattr("gan_colorize.data.image_write._MOST_AT_ONCE", 100)
    write_photo(tmp_path / "a.png", rgb, Photo(rgb, metadata=Metadata(text=(("Title", "Grandmother"),))))
    image = Image.open(tmp_path / "a.png")
    assert np.array_equal(np.asarray(image), rgb)
    assert image.text["Title"] == "Grandmother"


def test_formats_of_8_bits_refuse_16(rgb16, tmp_path):
    for suffix in (".jpg", ".webp", ".avif", ".bmp"):
        with pytest.raises(UserError, match="8 bits a channel"):
            write_photo(tmp_path / f"a{suffix}", rgb16)
    assert not list(tmp_path.iterdir())


def test_pages_and_bigtiff(rgb16, tmp_path):
    path, first = tmp_path / "a.tif", rgb16
    second = np.random.default_rng(4).integers(0, 256, (20, 90, 3), dtype=np.uint8)
    with tiff_writer(path, 2**33) as writer:
        writer.add(ArrayPicture(first), None, Metadata(), pages=2)
        writer.add(ArrayPicture(second), np.full((20, 90), 7, np.uint8), Metadata(), pages=2)
    with tifffile.TiffFile(path) as tiff:
        assert tiff.is_bigtiff and len(tiff.pages) == 2
        assert np.array_equal(tiff.pages[0].asarray(), first)
        assert np.array_equal(tiff.pages[1].asarray()[..., :3], second)
    assert np.array_equal(read_photo(path).pixels, first) and read_photo(path).pages == 2
    assert [page.size for page in read_pages(path)] == [first.shape[1::-1], (90, 20)]
    assert pixels_of_pages(path) == first[..., 0].size + 20 * 90
    (page,) = read_pages(path, first=1)
    assert np.array_equal(page.pixels, second) and (page.alpha == 7).all() and page.bits == 8


def test_nothing_is_left_of_a_tiff_that_failed(rgb16, tmp_path):
    with pytest.raises(ZeroDivisionError), tiff_writer(tmp_path / "a.tif", 1000) as writer:
        writer.add(ArrayPicture(rgb16), None, Metadata())
        raise ZeroDivisionError
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("large", [10, 10**9])
@pytest.mark.parametrize("rows", [1, 7, 61, 100])
def test_strips_are_cut_anew(rgb16, rows, large, monkeypatch):
    monkeypatch.setattr("gan_colorize.data.picture._LARGE", large)

    class Bands(ArrayPicture):
        def bands(self):
            yield from (rgb16[:10], rgb16[10:11], rgb16[11:])

    alpha = np.arange(61 * 47).reshape(61, 47).astype(np.uint16)
    parts = [strip.copy() for strip in strips(Bands(rgb16), alpha, rows)]
    assert np.array_equal(np.concatenate(parts), np.dstack([rgb16, alpha]))
    assert {len(part) for part in parts[:-1]} <= {rows}


# What tifffile can write and Pillow cannot read at its depth.
KINDS = {
    "lzw": {"compression": "lzw", "predictor": True},
    "tiles": {"tile": (16, 32), "compression": "zlib"},
    "planes": {"planarconfig": "separate"},
    "zstd": {"compression": "zstd"},
    "big-endian": {"byteorder": ">"},
    "bigtiff": {"bigtiff": True},
    "float predictor": {"dtype": np.float32},
    "half": {"dtype": np.float16},
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_packing_at_full_depth(rgb16, kind, tmp_path):
    options, path = dict(KINDS[kind]), tmp_path / "a.tif"
    dtype = options.pop("dtype", None)
    writer = {name: options.pop(name) for name in ("byteorder", "bigtiff") if name in options}
    pixels = rgb16 if dtype is None else (rgb16 / 65535).astype(dtype)
    if "planarconfig" in options:
        pixels = np.moveaxis(pixels, -1, 0)
    tifffile.imwrite(path, pixels, photometric="rgb", metadata=None, **options, **writer)
    photo = read_photo(path)
    slack = {np.float16: 16, np.float32: 0}.get(dtype, 0)
    assert photo.bits == 16 and photo.pixels.dtype == np.uint16
    assert np.abs(photo.pixels.astype(int) - rgb16).max() <= slack
    assert photo.warnings == []


def test_white_is_zero_twelve_bits_and_premultiplied(rgb16, tmp_path):
    grey = rgb16[..., 0]
    tifffile.imwrite(tmp_path / "w.tif", 65535 - grey, photometric="miniswhite", metadata=None)
    assert np.array_equal(read_photo(tmp_path / "w.tif").pixels, grey)
    if getattr(imagecodecs, "PACKINTS", None) and imagecodecs.PACKINTS.available:
        twelve = (grey >> 4).astype(np.uint16)
        options = {"photometric": "minisblack", "bitspersample": 12, "metadata": None}
        tifffile.imwrite(tmp_path / "t.tif", twelve, **options)
        expected = np.rint(twelve * (65535 / 4095))
        assert np.array_equal(read_photo(tmp_path / "t.tif").pixels, expected)
    alpha = np.full(grey.shape, 32768, np.uint16)
    half = np.dstack([*(np.moveaxis(rgb16 // 2, -1, 0)), alpha])
    tifffile.imwrite(tmp_path / "p.tif", half, photometric="rgb", extrasamples=["assocalpha"], metadata=None)
    photo = read_photo(tmp_path / "p.tif")
    assert np.abs(photo.pixels.astype(int) - rgb16).max() <= 2 and np.array_equal(photo.alpha, alpha)


def test_cut_short(rgb16, tmp_path):
    for compression in (None, "zlib", "lzw"):
        path = tmp_path / "a.tif"
        tifffile.imwrite(
            path, rgb16, photometric="rgb", compression=compression, rowsperstrip=8, metadata=None
        )
        data = path.read_bytes()
        path.write_bytes(data[: len(data) * 2 // 3])
        with pytest.raises(UserError, match=r"a\.tif: "):
            read_photo(path)


def test_reduced_copies_are_no_pages(rgb16, tmp_path):
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as writer:
        writer.write(rgb16, photometric="rgb", metadata=None)
        writer.write(rgb16[::4, ::4].copy(), photometric="rgb", subfiletype=1, metadata=None)
    assert read_photo(path).pages == 1


def test_another_thread_goes_ahead_a_little_and_its_errors_arrive():
    made = []

    def items():
        for index in range(100):
            made.append(index)
            yield index
        raise ZeroDivisionError

    taken = ahead(items(), 2)
    assert next(taken) == 0 and len(made) <= 5
    with pytest.raises(ZeroDivisionError):
        assert list(taken) == list(range(1, 100))
    before = threading.active_count()
    few = ahead(items(), 2)
    next(few)
    few.close()  # nobody takes more: its thread ends
    assert threading.active_count() == before


@pytest.mark.parametrize("value", [b"\x06\x1b[31m", b"x" * 3000])
def test_a_tag_that_holds_anything_is_not_quoted(rgb16, tmp_path, value):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, rgb16, photometric="rgb", metadata=None)
    with tifffile.TiffFile(path, mode="r+b") as tiff:
        tiff.pages[0].tags["PhotometricInterpretation"].overwrite(value, dtype=1)
    with pytest.raises(UserError) as refused:
        read_photo(path)
    assert len(str(refused.value)) < 300 + len(str(path)) and str(refused.value).isprintable()
