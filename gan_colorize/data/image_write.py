"""Colour photographs out: full chroma resolution where the format allows it, sRGB stated, whole or absent."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from ..errors import UserError
from ..files import encode_image, save_image
from .icc import srgb_profile

if TYPE_CHECKING:
    from .image_io import Photo

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
# JPEG keeps EXIF data in one segment of 64 KB.
_MOST_EXIF = 65_000


def write_photo(path: Path | str, rgb8: np.ndarray, photo: Photo | None = None, quality: int = 95) -> None:
    """Write a picture in the format of the suffix.

    Args:
        path: .jpg .jpeg .png .webp .tif .tiff .avif .bmp; folders on the way are made.
        rgb8: (H, W, 3) uint8 sRGB.
        photo: what was read; its alpha (where the format has one), EXIF data and resolution are carried over.
        quality: 1..100 for JPEG, WebP and AVIF; WebP is lossless at 100.

    Raises:
        UserError: the format cannot be written or cannot hold the picture, or the disk is full; an older file
            of this name is then still there.
    """
    image, kind, options = _prepared(Path(path), rgb8, photo, quality)
    save_image(path, image, kind, **options)


def encode_photo(suffix: str, rgb8: np.ndarray, photo: Photo | None = None, quality: int = 95) -> memoryview:
    """The file that :func:`write_photo` would write, in memory; arguments as there.

    Raises:
        UserError: the format cannot be written or cannot hold the picture.
    """
    image, kind, options = _prepared(Path(f"photograph{suffix}"), rgb8, photo, quality)
    return encode_image(f"a {kind} file", image, kind, **options)


def _prepared(
    path: Path, rgb8: np.ndarray, photo: Photo | None, quality: int
) -> tuple[Image.Image, str, dict[str, Any]]:
    """The picture, its format and the encoder's options, with what is carried over."""
    kind = _FORMATS.get(path.suffix.lower())
    if kind is None:
        raise UserError(f"{path}: cannot write this format; use one of {' '.join(_FORMATS)}")
    image = Image.fromarray(np.ascontiguousarray(rgb8))
    if photo is not None and photo.alpha is not None and kind not in ("JPEG", "BMP"):
        image.putalpha(Image.fromarray(_alpha8(photo.alpha)))
    options = _options(kind, quality)
    if kind != "BMP":
        options["icc_profile"] = srgb_profile()
        if photo is not None and photo.metadata.exif and len(photo.metadata.exif) < _MOST_EXIF:
            options["exif"] = photo.metadata.exif
    if photo is not None and photo.metadata.dpi and kind not in ("WEBP", "AVIF"):
        options["dpi"] = photo.metadata.dpi
    return image, kind, options


def _alpha8(alpha: np.ndarray) -> np.ndarray:
    from .image_io import to_8bit

    return to_8bit(alpha)


def _options(kind: str, quality: int) -> dict[str, Any]:
    if kind == "JPEG":
        return {"quality": quality, "subsampling": 0}  # 4:4:4: the chroma is what was made
    if kind == "WEBP":
        return {"quality": quality, "lossless": quality >= 100}
    if kind == "AVIF":
        return {"quality": quality, "subsampling": "4:4:4"}
    if kind == "TIFF":
        return {"compression": "tiff_adobe_deflate"}
    if kind == "PNG":
        return {"compress_level": 4}  # half the time of the default 6, for 2 % more bytes
    return {}
