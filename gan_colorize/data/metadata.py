"""What a file says beside its pixels: which way is up, how large it prints, who took it."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
from PIL import ExifTags, Image


@dataclass(frozen=True)
class Metadata:
    """What a file says beside its pixels, as far as it stays true of an upright sRGB copy.

    exif:      EXIF data, orientation reset, without thumbnails of the grey picture, or None.
    xmp:       the XMP packet, or None.
    photoshop: image resource blocks of Photoshop ("8BIM..."), of which one holds IPTC data, or None.
    text:      (keyword, text) of PNG text chunks and of comments ("Comment").
    dpi:       (x, y), or None.
    """

    exif: bytes | None = None
    xmp: bytes | None = None
    photoshop: bytes | None = None
    text: tuple[tuple[str, str], ...] = ()
    dpi: tuple[float, float] | None = None


# Descriptions of the picture. Everything else in a TIFF's first directory says how its bytes are laid out,
# and would be wrong in the file that we write.
_CARRIED = (
    ExifTags.Base.DocumentName,
    ExifTags.Base.ImageDescription,
    ExifTags.Base.Make,
    ExifTags.Base.Model,
    ExifTags.Base.Software,
    ExifTags.Base.DateTime,
    ExifTags.Base.Artist,
    ExifTags.Base.HostComputer,
    ExifTags.Base.Copyright,
    ExifTags.Base.Rating,
    ExifTags.Base.XPTitle,
    ExifTags.Base.XPComment,
    ExifTags.Base.XPAuthor,
    ExifTags.Base.XPKeywords,
    ExifTags.Base.XPSubject,
)
_SRGB = 1
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


def orientation_of(image: Image.Image) -> int:
    """EXIF orientation 1..8; 1 (upright) when there is none or it makes no sense."""
    try:
        value = image.getexif().get(ExifTags.Base.Orientation, 1)
    except (OSError, SyntaxError, ValueError, KeyError, IndexError, TypeError, struct.error):
        return 1  # damaged EXIF data is no reason to refuse a picture
    return value if value in _TURNS else 1


def orient(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Stored (H, W, ...) pixels turned upright."""
    if orientation not in _TURNS:
        return pixels
    transpose, rows, columns = _TURNS[orientation]
    if transpose:
        pixels = pixels.swapaxes(0, 1)
    return np.ascontiguousarray(pixels[:: -1 if rows else 1, :: -1 if columns else 1])


def resolution(image: Image.Image) -> tuple[float, float] | None:
    """Dots per inch (x, y), or None when the file does not say."""
    try:
        x, y = (float(value) for value in image.info.get("dpi", (0, 0)))
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return (x, y) if 1 < x < 1e5 and 1 < y < 1e5 else None  # 1: what Pillow says of a TIFF without


def carried_exif(image: Image.Image, size: tuple[int, int]) -> bytes | None:
    """The EXIF data that stays true of an upright sRGB copy of ``size`` (width, height), or None."""
    try:
        old, new = image.getexif(), Image.Exif()
        for tag in _CARRIED:
            if tag in old:
                new[tag] = old[tag]
        details = dict(old.get_ifd(ExifTags.IFD.Exif))
        if details:
            details.pop(ExifTags.IFD.Interop, None)  # a pointer into the old file
            details |= {
                ExifTags.Base.ExifImageWidth: size[0],
                ExifTags.Base.ExifImageHeight: size[1],
                ExifTags.Base.ColorSpace: _SRGB,
            }
            new.get_ifd(ExifTags.IFD.Exif).update(details)
        place = old.get_ifd(ExifTags.IFD.GPSInfo)
        if place:  # asking for a directory is enough to have an empty one written
            new.get_ifd(ExifTags.IFD.GPSInfo).update(place)
        return new.tobytes() if len(new) or details or place else None
    except (OSError, SyntaxError, ValueError, KeyError, IndexError, TypeError, AttributeError, struct.error):
        return None  # damaged EXIF data is no reason to refuse a picture


def read_metadata(image: Image.Image, size: tuple[int, int]) -> Metadata:
    """What of an image's metadata is carried over to its upright copy of ``size`` (width, height)."""
    return Metadata(exif=carried_exif(image, size), dpi=resolution(image))
