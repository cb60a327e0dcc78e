"""Colour photographs out: full chroma resolution where there is one, the profile stated, whole or absent."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from ..errors import UserError
from ..files import save_bytes, save_image
from .carry import encoder_options
from .icc import srgb_profile
from .jpeg_write import encode_jpeg
from .metadata import Metadata
from .picture import Picture, alpha_at, as_picture
from .png_write import write_png

if TYPE_CHECKING:
    from .image_io import Photo
    from .provenance import Provenance

_FORMATS = {
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".png": "PNG",
    ".webp": "WEBP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".avif": "AVIF",
    ".bmp": "BMP",
}
WRITE_SUFFIXES = tuple(_FORMATS)
_WIDE = ("PNG", "TIFF")
_NO_ALPHA = ("JPEG", "BMP")
# Larger PNGs are written in bands; Pillow's encoder is faster, and holds 4 bytes a pixel and the whole file.
_MOST_AT_ONCE = 32_000_000


def format_of(path: Path | str) -> str:
    """The format of a path's suffix, or of a suffix, as Pillow names it.

    Raises:
        UserError: none that is written here.
    """
    name = str(path)
    suffix = name if name.startswith(".") and name.count(".") == 1 else Path(path).suffix
    kind = _FORMATS.get(suffix.lower())
    if kind is None:
        raise UserError(f"{path}: cannot write this format; use one of {' '.join(_FORMATS)}")
    return kind


def holds_16_bits(path: Path | str) -> bool:
    """Whether the format of a suffix has 16 bits a channel."""
    return format_of(path) in _WIDE


def write_photo(
    path: Path | str,
    picture: Picture | np.ndarray,
    photo: Photo | None = None,
    quality: int = 95,
    provenance: Provenance | None = None,
) -> list[str]:
    """Write a picture in the format of the suffix; returns a line for all that the format cannot hold.

    Args:
        path: .jpg .jpeg .png .webp .tif .tiff .avif .bmp; folders on the way are made.
        picture: (H, W, 3) uint8 or, for PNG and TIFF, uint16.
        photo: what was read; its alpha (where the format has one) and metadata are carried over.
        quality: 1..100 for JPEG, WebP and AVIF; WebP is lossless at 100.
        provenance: how the colours were made; None writes nothing about them.

    Raises:
        UserError: the format cannot be written or cannot hold the picture, or the disk is full; an older file
            of this name is then still there.
    """
    path, picture, kind = Path(path), as_picture(picture), format_of(path)
    if picture.dtype != np.uint8 and kind not in _WIDE:
        raise UserError(f"{path}: {kind} has 8 bits a channel; use .png or .tif")
    metadata = Metadata() if photo is None else photo.metadata
    alpha = None if photo is None else photo.alpha
    if kind == "TIFF":
        from .tiff_write import tiff_writer  # tifffile takes a tenth of a second to import

        with tiff_writer(path, _bytes(picture)) as writer:
            return writer.add(picture, alpha, metadata, provenance)
    said, notes = encoder_options(kind, metadata, provenance, srgb=picture.profile is None)
    if alpha is not None and kind in _NO_ALPHA:
        if alpha.min() < np.iinfo(alpha.dtype).max:
            notes.append(f"{kind} has no transparency; left out")
        alpha = None
    if kind != "BMP":
        said["icc_profile"] = picture.profile or srgb_profile()
    height, width, _ = picture.shape
    if kind == "PNG" and (picture.dtype != np.uint8 or height * width > _MOST_AT_ONCE):
        write_png(path, picture, alpha, said)
    else:
        pixels = np.ascontiguousarray(picture.whole())
        if kind == "JPEG":
            save_bytes(path, encode_jpeg(path, pixels, quality, said))
            return notes
        image = Image.fromarray(pixels)
        if alpha is not None:
            image.putalpha(Image.fromarray(alpha_at(alpha, np.dtype(np.uint8))))
        save_image(path, image, kind, **_options(kind, quality), **said)
    return notes


def encode_photo(
    suffix: str,
    picture: Picture | np.ndarray,
    photo: Photo | None = None,
    quality: int = 95,
    provenance: Provenance | None = None,
) -> bytes:
    """The file that :func:`write_photo` would write, in memory; arguments as there.

    Raises:
        UserError: the format cannot be written or cannot hold the picture.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"photograph{suffix}")
        try:
            write_photo(path, picture, photo, quality, provenance)
        except UserError as error:
            raise UserError(str(error).replace(str(path), f"a {format_of(path)} file")) from error
        return path.read_bytes()


def _bytes(picture: Picture) -> int:
    height, width, _ = picture.shape
    return height * width * 4 * picture.dtype.itemsize


def _options(kind: str, quality: int) -> dict[str, Any]:
    if kind == "WEBP":
        return {"quality": quality, "lossless": quality >= 100}
    if kind == "AVIF":
        return {"quality": quality, "subsampling": "4:4:4"}  # the chroma is what was made
    if kind == "PNG":
        return {"compress_level": 4}  # half the time of the default 6, for 2 % more bytes
    return {}
