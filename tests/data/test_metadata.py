"""What a file says beside its pixels is carried to every format; exiftool, where it is installed, judges."""

import io
import json
import shutil
import struct
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import tifffile
from picture_files import encode
from PIL import ExifTags, Image, IptcImagePlugin, PngImagePlugin, TiffTags
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from gan_colorize.data.image_io import read_photo, write_photo
from gan_colorize.data.image_write import encode_photo
from gan_colorize.data.metadata import Metadata, read_metadata, tiff_page_metadata
from gan_colorize.data.provenance import SOURCE_TYPE, Provenance
from gan_colorize.data.tiff_tags import TiffPageTags, add_directories

exiftool = pytest.mark.skipif(shutil.which("exiftool") is None, reason="exiftool is not installed")
PROVENANCE = Provenance("default", "ab" * 32, {"temperature": 0.4}, datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
SUFFIXES = ("jpg", "png", "webp", "tif")
DESCRIBED = {
    "EXIF:Make": "Kodak",
    "EXIF:Artist": "Käthe Müller",
    "EXIF:ImageDescription": "Straße",
    "EXIF:Copyright": "the heirs",
    "EXIF:DateTimeOriginal": "1936:05:01 12:00:00",
    "EXIF:UserComment": "a wedding",
    "EXIF:GPSLatitude": 52.5,
    "EXIF:FNumber": 5.6,
    "XMP:Title": "A title",
    "XMP:CreatorTool": "Scanner 1",
}


@pytest.fixture
def rgb() -> np.ndarray:
    small = np.random.default_rng(3).integers(0, 256, (4, 5, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(small).resize((50, 40), Image.Resampling.BICUBIC))


def told(path: Path, *options: str) -> dict:
    command = ["exiftool", "-json", "-n", "-G0", "-charset", "exif=utf8", *options, str(path)]
    return json.loads(subprocess.run(command, capture_output=True, check=True).stdout)[0]


def describe(path: Path, extra: tuple[str, ...] = ()) -> None:
    options = [f"-{name}={value}" for name, value in DESCRIBED.items()]
    options += ["-EXIF:GPSLatitudeRef=N", "-EXIF:Orientation#=6", "-XMP-tiff:Orientation#=6"]
    options += ["-EXIF:XResolution=300", "-EXIF:YResolution=150", "-EXIF:ResolutionUnit=inches"]
    options += ["-XMP-iptcExt:DigitalSourceType=http://cv.iptc.org/newscodes/digitalsourcetype/print"]
    command = ["exiftool", "-q", "-overwrite_original", "-charset", "exif=utf8", *options, *extra, str(path)]
    subprocess.run(command, capture_output=True, check=True)


@exiftool
@pytest.mark.parametrize("source", SUFFIXES)
def test_every_format_to_every_format(tmp_path: Path, rgb: np.ndarray, source: str) -> None:
    scan = tmp_path / f"scan.{source}"
    Image.fromarray(rgb).save(scan, **({"dpi": (300, 150)} if source != "webp" else {"lossless": True}))
    has_iptc = source in ("jpg", "tif")
    describe(scan, ("-IPTC:Keywords=press", "-IPTC:City=Aachen") if has_iptc else ())
    photo = read_photo(scan)
    assert photo.warnings == [] and photo.size == (40, 50)
    for target in (*SUFFIXES, "avif"):
        copy = tmp_path / f"copy.{target}"
        notes = write_photo(copy, np.ascontiguousarray(photo.pixels), photo, 100, PROVENANCE)
        lacks_iptc = has_iptc and target in ("webp", "avif")
        assert notes == ([f"{target.upper()} has no place for IPTC data; left out"] if lacks_iptc else [])
        said = told(copy)
        assert {name: said.get(name) for name in DESCRIBED} == DESCRIBED, target
        if has_iptc and not lacks_iptc:
            assert said["IPTC:Keywords"] == "press" and said["IPTC:City"] == "Aachen"
        assert said.get("EXIF:Orientation", 1) == 1 and said["XMP:Orientation"] == 1
        x, y = read_photo(copy).metadata.dpi
        assert (round(x), round(y)) == (150, 300)  # turned by a quarter
        assert said["XMP:DigitalSourceType"] == SOURCE_TYPE
        assert said["XMP:OriginalDigitalSourceType"].endswith("/print")
        assert said["XMP:Instructions"].startswith("AI-colorized with gan_colorize")
        assert said["EXIF:ProcessingSoftware"] == PROVENANCE.software
        assert "sRGB" in said["ICC_Profile:ProfileDescription"]
        upright = np.rot90(rgb, -1)
        again = read_photo(copy)
        assert again.size == (40, 50) and np.abs(again.pixels.astype(int) - upright).mean() < 8


@exiftool
@pytest.mark.parametrize("target", [*SUFFIXES, "avif"])
def test_no_errors_and_nothing_twice(tmp_path: Path, rgb: np.ndarray, target: str) -> None:
    scan, copy = tmp_path / "scan.jpg", tmp_path / f"copy.{target}"
    Image.fromarray(rgb).save(scan, comment="of a comment")
    describe(scan, ("-IPTC:Keywords=press",))
    write_photo(copy, rgb, read_photo(scan), provenance=PROVENANCE)
    command = ["exiftool", "-validate", "-warning", "-error", "-a", "-s", str(copy)]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    # A TIFF may lack GPS details that only TIFF/EP requires; deflate is in a supplement to TIFF 6.0.
    allowed = ("Validate", "[minor]", "GPSProcessingMethod", "0x0103 Compression")
    assert [line for line in lines if not any(word in line for word in allowed)] == []
    assert not any(line.startswith("Error") for line in lines)
    command = ["exiftool", "-a", "-G1", "-s", "--Composite:all", str(copy)]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    # the container of a WebP repeats the size in its frame
    names = [line.split(":")[0].strip() for line in listed.splitlines() if not line.startswith("[RIFF]")]
    assert sorted(names) == sorted(set(names))


def test_types_and_numbers_stay_exact() -> None:
    """Written by Pillow's lower layer with types of our choice, and read by tifffile from a copy."""
    main = ImageFileDirectory_v2(b"MM\0*\0\0\0\x08")
    for tag, kind, value in (
        (282, TiffTags.RATIONAL, 118.11),
        (283, TiffTags.RATIONAL, 118.11),
        (296, TiffTags.SHORT, 3),
        (285, TiffTags.ASCII, "page ä".encode()),
        (65000, TiffTags.UNDEFINED, b"\x01\x02\x03\x04\x05"),
        (65001, TiffTags.LONG, 4096),
    ):
        main.tagtype[tag] = kind
        main[tag] = value
    image = Image.new("L", (4, 3))
    image.format = "JPEG"
    image.info["exif"] = b"Exif\0\0MM\0*\0\0\0\x08" + main.tobytes(8)
    metadata = read_metadata(image, (4, 3))
    assert metadata.dpi == pytest.approx((300, 300), abs=0.01)
    assert metadata.notes == ("its private tag 65001 may point into the old file and was left out",)
    kept = ImageFileDirectory_v2(metadata.exif[6:14])
    stream = io.BytesIO(metadata.exif[6:])
    stream.seek(8)
    kept.load(stream)
    assert metadata.exif[6:8] == b"MM"
    assert kept.tagtype[65000] == TiffTags.UNDEFINED and kept[65000] == b"\x01\x02\x03\x04\x05"
    assert kept[285].encode("latin-1") == "page ä".encode()
    assert 65001 not in kept


def test_iptc_of_jpeg_and_tiff_reaches_the_other(tmp_path: Path, rgb: np.ndarray) -> None:
    records = b"\x1c\x02\x19\x00\x05press\x1c\x02\x5a\x00\x06Aachen"
    blocks = b"8BIM\x04\x04\0\0" + struct.pack(">I", len(records)) + records + b"\0" * (len(records) % 2)
    thumbnail = b"8BIM\x04\x0c\0\0" + struct.pack(">I", 4) + b"jpeg"
    segment = b"Photoshop 3.0\0" + thumbnail + blocks
    app13 = b"\xff\xed" + struct.pack(">H", len(segment) + 2) + segment
    Image.fromarray(rgb).save(tmp_path / "in.jpg", extra=app13)
    photo = read_photo(tmp_path / "in.jpg")
    for suffix in ("jpg", "tif"):
        write_photo(tmp_path / f"out.{suffix}", rgb, photo)
        with Image.open(tmp_path / f"out.{suffix}") as image:
            found = IptcImagePlugin.getiptcinfo(image)
        assert found[(2, 25)] == b"press" and found[(2, 90)] == b"Aachen"
        data = (tmp_path / f"out.{suffix}").read_bytes()
        assert b"\x04\x0c\0\0" not in data.split(b"press")[0]
    again = read_photo(tmp_path / "out.tif")
    write_photo(tmp_path / "back.png", rgb, again)
    assert read_photo(tmp_path / "back.png").metadata.photoshop == again.metadata.photoshop != b""


def test_comments_and_text(tmp_path: Path, rgb: np.ndarray) -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("Title", "Hochzeit")
    info.add_itxt("Comment", "grün", "de", "Kommentar")
    photo = read_photo(encode(rgb, "PNG", pnginfo=info))
    assert photo.metadata.text == (("Title", "Hochzeit"), ("Comment", "grün"))
    write_photo(tmp_path / "a.png", rgb, photo)
    write_photo(tmp_path / "a.jpg", rgb, photo)
    write_photo(tmp_path / "a.webp", rgb, photo)
    with Image.open(tmp_path / "a.png") as image:
        assert image.text["Title"] == "Hochzeit" and image.text["Comment"] == "grün"
    with Image.open(tmp_path / "a.jpg") as image:
        assert image.info["comment"].decode() == "grün" and b"Hochzeit" in image.info["xmp"]
    with Image.open(tmp_path / "a.webp") as image:
        assert "Comment: grün" in image.info["xmp"].decode() and b"Hochzeit" in image.info["xmp"]
    gif = read_photo(encode(rgb[..., 0], "GIF", comment=b"caf\xe9"))
    assert gif.metadata.text == (("Comment", "café"),)


def test_maker_notes_go_before_anything_else(tmp_path: Path, rgb: np.ndarray) -> None:
    exif = Image.Exif()
    exif[0x010F] = "Kodak"
    details = exif.get_ifd(0x8769)
    details[0x927C], details[0x9003], details[0x9286] = b"m" * 60_000, "1936:05:01 12:00:00", b"c" * 9_000
    photo = read_photo(encode(rgb, "PNG", exif=exif.tobytes()))
    assert write_photo(tmp_path / "a.png", rgb, photo) == []
    assert b"m" * 60_000 in (tmp_path / "a.png").read_bytes()
    assert write_photo(tmp_path / "a.jpg", rgb, photo) == [
        "a JPEG holds 64 KB of EXIF data; left out: MakerNote"
    ]
    with Image.open(tmp_path / "a.jpg") as image:
        kept = image.getexif()
        assert kept[0x010F] == "Kodak" and kept.get_ifd(0x8769)[0x9286] == b"c" * 9_000


def test_thumbnails_and_layout_are_left_behind(rgb: np.ndarray) -> None:
    exif = Image.Exif()
    exif[0x010F], exif[0x0103], exif[0x0111], exif[0xC612] = "Kodak", 5, 99, b"\x01\x04\0\0"
    data = bytearray(exif.tobytes()[6:])
    # a second directory, as cameras hang their thumbnails on
    second = len(data)
    count = struct.unpack_from("<H" if data[:2] == b"II" else ">H", data, 8)[0]
    order = "<" if data[:2] == b"II" else ">"
    struct.pack_into(order + "I", data, 8 + 2 + 12 * count, second)
    data += struct.pack(order + "HHHIII", 1, 0x0201, 4, 1, 1234, 0)
    photo = read_photo(encode(rgb, "JPEG", exif=b"Exif\0\0" + bytes(data)))
    kept = Image.Exif()
    kept.load(photo.metadata.exif)
    assert dict(kept) == {0x010F: "Kodak"}
    assert ExifTags.IFD.IFD1 not in kept and not kept.get_ifd(ExifTags.IFD.IFD1)


@pytest.mark.parametrize("seed", range(40))
def test_damaged_exif_never_refuses_a_picture(rgb: np.ndarray, seed: int) -> None:
    exif = Image.Exif()
    exif[0x010F], exif[0x0112] = "Kodak", 1
    exif.get_ifd(0x8769)[0x9003] = "1936:05:01 12:00:00"
    exif.get_ifd(0x8825)[2] = (52.0, 30.0, 0.0)
    data, rng = bytearray(exif.tobytes()), np.random.default_rng(seed)
    for at in rng.integers(6, len(data), 6):
        data[at] = rng.integers(0, 256)
    photo = read_photo(encode(rgb, "PNG", exif=bytes(data)))
    assert sorted(photo.size) == [40, 50]
    for suffix in (".jpg", ".webp"):
        assert encode_photo(suffix, rgb, photo, provenance=PROVENANCE)


@pytest.mark.parametrize(
    ("kind", "value"), [(TiffTags.SHORT, (7, 8)), (TiffTags.DOUBLE, 0.5), (TiffTags.UNDEFINED, b"x")]
)
def test_a_description_of_an_odd_type(tmp_path: Path, rgb: np.ndarray, kind: int, value: object) -> None:
    main = ImageFileDirectory_v2(b"II*\0\x08\0\0\0")
    for tag, type_, content in ((270, kind, value), (271, TiffTags.ASCII, "Kodak")):
        main.tagtype[tag] = type_
        main[tag] = content
    photo = read_photo(encode(rgb, "PNG", exif=b"Exif\0\0II*\0\x08\0\0\0" + main.tobytes(8)))
    for suffix in SUFFIXES:
        write_photo(tmp_path / f"a.{suffix}", rgb, photo, provenance=PROVENANCE)
        with Image.open(tmp_path / f"a.{suffix}") as image:
            assert image.getexif()[271] == "Kodak"


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("big", [False, True])
def test_directories_are_appended(tmp_path: Path, big: bool, order: str) -> None:
    pages = []
    for number in range(3):
        exif = Image.Exif()
        exif[0x010F] = f"camera {number}"
        if number != 1:
            exif.get_ifd(0x8769)[0x9003] = f"193{number}:05:01 12:00:00"
            exif.get_ifd(0x8825)[1] = "N"
        metadata = Metadata(exif=exif.tobytes(), dpi=(600, 600.5))
        pages.append(TiffPageTags(metadata, PROVENANCE if number else None))
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path, bigtiff=big, byteorder=order) as writer:
        for number, page in enumerate(pages):
            pixels = np.full((5, 6, 3), number, np.uint8)
            writer.write(
                pixels,
                metadata=None,
                software=False,
                extratags=page.extra_tags,
                photometric="rgb",
                **page.resolution,
            )
    add_directories(path, pages)
    with tifffile.TiffFile(path) as tiff:
        assert tiff.is_bigtiff == big and tiff.byteorder == order
        for number, page in enumerate(tiff.pages):
            assert np.array_equal(page.asarray(), np.full((5, 6, 3), number))
            assert page.tags["Make"].value == f"camera {number}"
            assert page.tags["YResolution"].value == (1201, 2)
            if number != 1:
                assert page.tags["ExifTag"].value["DateTimeOriginal"] == f"193{number}:05:01 12:00:00"
                assert page.tags["GPSTag"].value["GPSLatitudeRef"] == "N"
            assert ("ExifTag" in page.tags) == (number != 1)
            assert (SOURCE_TYPE.encode() in page.tags["XMP"].value) if number else ("XMP" not in page.tags)
            again = tiff_page_metadata(path, page.offset, (6, 5))
            assert again.dpi == (600, 600.5) and f"camera {number}".encode() in again.exif
