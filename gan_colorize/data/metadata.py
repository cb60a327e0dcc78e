"""What a file says beside its pixels: which way is up, how large it prints, who took it."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import ExifTags, Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from . import exif as exif_data
from . import photoshop as photoshop_data
from . import xmp as xmp_data
from .exif import DAMAGE, IPTC, ORIENTATION, PHOTOSHOP, XMP, Directories
from .jpeg_segments import extended_xmp
from .png_text import TEXT_LEFT_OUT
from .xmp import MOST_BYTES, Packet, XmpError


@dataclass(frozen=True)
class Metadata:
    """What a file says beside its pixels, as far as it stays true of an upright sRGB copy.

    exif:      EXIF data, orientation reset, without thumbnails of the grey picture, or None.
    xmp:       the XMP packet, or None.
    photoshop: image resource blocks of Photoshop ("8BIM..."), of which one holds IPTC data, or None.
    text:      (keyword, text) of PNG text chunks and of comments ("Comment").
    dpi:       (x, y), or None.
    notes:     what could not be carried, a line each.
    """

    exif: bytes | None = None
    xmp: bytes | None = None
    photoshop: bytes | None = None
    text: tuple[tuple[str, str], ...] = ()
    dpi: tuple[float, float] | None = None
    notes: tuple[str, ...] = ()


# How numpy turns stored rows upright: (transpose, flip rows, flip columns) by EXIF orientation (tag 0x0112).
_TURNS = {
    2: (False, False, True),
    3: (False, True, True),
    4: (False, True, False),
    5: (True, False, False),
    6: (True, False, True),
    7: (True, True, True),
    8: (True, True, False),
}
# ImageMagick's way to put into a PNG what PNG has no chunk for.
_RAW_PROFILE = "Raw profile type "


def orientation_of(image: Image.Image) -> int:
    """EXIF orientation 1..8; 1 (upright) when there is none or it makes no sense."""
    try:
        value = image.getexif().get(ExifTags.Base.Orientation, 1)
    except DAMAGE:
        return 1  # damaged EXIF data is no reason to refuse a picture
    return value if value in _TURNS else 1


def orient(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Stored (H, W, ...) pixels turned upright."""
    if orientation not in _TURNS:
        return pixels
    transpose, rows, columns = _TURNS[orientation]
    if transpose:
        pixels = pixels.swapaxes(0, 1)
    # A copy, always: a side of one pixel counts as contiguous with its stride still negative.
    return np.array(pixels[:: -1 if rows else 1, :: -1 if columns else 1], order="C")


def read_metadata(
    image: Image.Image, size: tuple[int, int], source: Path | str | bytes | None = None
) -> Metadata:
    """What of a loaded image's metadata is carried over to its upright copy.

    Args:
        image: its current frame, after ``load()``: a PNG may say things behind its pixels.
        size: (width, height) of the copy.
        source: the file; without it little of a TIFF is read, for Pillow closes the file when it loads.
    """
    if image.format == "TIFF" and source is not None:
        metadata = tiff_page_metadata(source, image.tag_v2.offset, size)
        return replace(metadata, dpi=metadata.dpi or _resolution(image))
    notes: list[str] = []
    if TEXT_LEFT_OUT in image.info:
        notes.append("its text is too large and was left out")
    profiles = _raw_profiles(image)
    raw = image.info.get("exif") or profiles.get("exif") or profiles.get("app1", b"")
    directories = None
    if raw and _fits(raw, "EXIF data", notes):
        directories = exif_data.parse(raw)
        if directories is None and not raw.startswith(b"http://"):
            notes.append("its EXIF data is damaged and was left out")
    blocks = photoshop_data.from_jpeg(image) or profiles.get("8bim", b"")
    iptc = profiles.get("iptc", b"")
    blocks = blocks or iptc if iptc.startswith(b"8BIM") else photoshop_data.with_iptc(blocks, iptc)
    packet = image.info.get("xmp") or profiles.get("xmp", b"")
    return _corrected(
        directories, packet, extended_xmp(image), blocks, _text(image, notes), _resolution(image), size, notes
    )


def tiff_page_metadata(source: Path | str | bytes | BinaryIO, offset: int, size: tuple[int, int]) -> Metadata:
    """As :func:`read_metadata`, of the page of a TIFF whose directory is at ``offset``."""
    try:
        with _stream(source) as stream:
            directories = exif_data.hanging_on(stream, exif_data.load(stream, offset))
    except DAMAGE:
        return Metadata(notes=("what it says beside its pixels is damaged and was left out",))
    main = directories.main
    blocks = photoshop_data.with_iptc(_bytes_of(main, PHOTOSHOP), _bytes_of(main, IPTC))
    dpi = exif_data.resolution(main)
    return _corrected(directories, _bytes_of(main, XMP), b"", blocks, (), dpi, size, [])


def _corrected(
    directories: Directories | None,
    packet: bytes | str,
    extension: bytes,
    blocks: bytes,
    text: tuple[tuple[str, str], ...],
    dpi: tuple[float, float] | None,
    size: tuple[int, int],
    notes: list[str],
) -> Metadata:
    """All of it, made true of the upright copy."""
    exif = None
    orientation = 1
    if directories is not None:
        orientation = directories.main.get(ORIENTATION, 1)
        orientation = orientation if orientation in _TURNS else 1
        dpi = dpi or exif_data.resolution(directories.main)
        swapped = _TURNS[orientation][0] if orientation > 1 else False
        try:
            kept, lost = exif_data.corrected(directories, size, orientation > 1, swapped, MOST_BYTES)
            exif = None if kept.empty() else exif_data.serialise(kept)
        except DAMAGE:
            lost = ["its EXIF data is damaged and was left out"]
        notes += lost[:5]  # a file of nothing but damage needs no hundred lines
        dpi = (dpi[1], dpi[0]) if dpi and swapped else dpi
    if blocks and not _fits(blocks, "Photoshop data", notes):
        blocks = b""
    sensible = dpi and all(1 < value < 1e5 for value in dpi)  # 1: what Pillow says of a TIFF without
    return Metadata(
        exif=exif,
        xmp=_corrected_xmp(packet, extension, size, orientation > 1, notes),
        photoshop=photoshop_data.corrected(blocks, orientation > 1),
        text=text,
        dpi=dpi if sensible else None,
        notes=tuple(notes),
    )


def _corrected_xmp(
    packet: bytes | str, extension: bytes, size: tuple[int, int], turned: bool, notes: list[str]
) -> bytes | None:
    if not packet or not packet.strip(b"\0 \r\n" if isinstance(packet, bytes) else "\0 \r\n"):
        return None
    try:
        parsed = Packet.parse(packet)
    except XmpError as error:
        notes.append(f"its XMP {error}; left out")
        return None
    if extension:
        try:
            parsed.absorb(Packet.parse(extension))
        except XmpError as error:
            notes.append(f"the second part of its XMP {error}; left out")
    notes += xmp_data.corrected(parsed, size, turned)
    return parsed.tobytes()


def _resolution(image: Image.Image) -> tuple[float, float] | None:
    """Dots per inch (x, y) as stored, or None when the format itself does not say."""
    try:
        x, y = (float(value) for value in image.info.get("dpi", (0, 0)))
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return (x, y) if 1 < x < 1e5 and 1 < y < 1e5 else None


def _text(image: Image.Image, notes: list[str]) -> tuple[tuple[str, str], ...]:
    """PNG text and the comments of JPEG and GIF."""
    found: list[tuple[str, str]] = []
    if image.format == "PNG":
        hidden = ("XML:com.adobe.xmp", "exif", "xmp")
        chunks = getattr(image, "text", {}).items()
        found = [
            (key, str(text)) for key, text in chunks if key not in hidden and not key.startswith(_RAW_PROFILE)
        ]
    else:
        segments = [data for name, data in getattr(image, "applist", ()) if name == "COM"]
        for comment in segments or [image.info.get("comment", b"")]:
            if comment:
                found.append(("Comment", _readable(comment)))
    if sum(len(text) for _, text in found) > MOST_BYTES:
        notes.append("its comments are too large and were left out")
        return ()
    return tuple(found)


def _readable(comment: bytes | str) -> str:
    if isinstance(comment, str):
        return comment
    comment = comment.rstrip(b"\0")
    try:
        return comment.decode()
    except UnicodeDecodeError:
        return comment.decode("latin-1")


def _raw_profiles(image: Image.Image) -> dict[str, bytes]:
    """What ImageMagick writes as hexadecimal text: a name, a length, then the bytes."""
    profiles = {}
    for key, text in getattr(image, "text", {}).items() if image.format == "PNG" else ():
        if key.startswith(_RAW_PROFILE):
            try:
                _, _, digits = str(text).strip("\n").split("\n", 2)
                profiles[key.removeprefix(_RAW_PROFILE).lower()] = bytes.fromhex(digits.replace("\n", ""))
            except ValueError:
                continue
    return profiles


def _bytes_of(main: ImageFileDirectory_v2, tag: int) -> bytes:
    """A tag that :func:`~gan_colorize.data.exif.load` left as bytes."""
    try:
        value = main.get(tag, b"")
    except DAMAGE:
        return b""
    value = value[0] if isinstance(value, tuple) and len(value) == 1 else value
    if not isinstance(value, bytes):
        return b""
    if tag == IPTC and value[:1] != b"\x1c":  # as numbers, by a machine of the other byte order
        value = b"".join(value[at : at + 4][::-1] for at in range(0, len(value), 4))
    return value.rstrip(b"\0") if tag == IPTC else value


def _fits(data: bytes, what: str, notes: list[str]) -> bool:
    if len(data) <= MOST_BYTES:
        return True
    notes.append(f"its {what} has {len(data) / 1e6:.0f} MB and was left out")
    return False


@contextmanager
def _stream(source: Path | str | bytes | BinaryIO | None) -> Iterator[BinaryIO]:
    if source is None or isinstance(source, bytes):
        yield io.BytesIO(source or b"")
    elif isinstance(source, str | Path):
        with Path(source).open("rb") as file:
            yield file
    else:
        yield source
