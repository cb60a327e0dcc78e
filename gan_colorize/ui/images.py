"""Pictures for the page: small, encoded quickly, and named by their media type."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image

from ..color.fast import lab_to_rgb8
from ..data.image_io import read_rgb8
from ..data.opening import MAX_MEGAPIXELS, opened
from ..errors import UserError

THUMBNAIL_SIDE = 160


class TooLarge(UserError):
    """More pixels than the editor takes."""


def jpeg(pixels: np.ndarray, quality: int = 88) -> bytes:
    """(H, W) or (H, W, 3) uint8 -> a JPEG file. Chroma keeps its full size: it is what is looked at."""
    return _encoded(pixels, "JPEG", quality=quality, subsampling=0)


def grey_png(values: np.ndarray) -> bytes:
    """(H, W) in 0..1 -> an 8-bit grey PNG file: black is 0, white is 1."""
    return _encoded(np.rint(values * 255.0).clip(0, 255).astype(np.uint8), "PNG", compress_level=1)


def grey_jpeg(lightness: np.ndarray) -> bytes:
    """L (H, W) 0..100 as the grey picture that it is the lightness of -> a JPEG file."""
    colourless = np.zeros((2, *lightness.shape), np.float32)
    return jpeg(np.ascontiguousarray(lab_to_rgb8(lightness, colourless)[..., 1]), quality=90)


def thumbnail(path: Path, most_megapixels: float) -> bytes:
    """A small JPEG of an image file, upright, 160 pixels long.

    Raises:
        UserError: it cannot be read. TooLarge: it has more pixels than the editor takes.
    """
    check_megapixels(path, path.name, most_megapixels)
    image = Image.fromarray(read_rgb8(path, short_side=THUMBNAIL_SIDE))
    image.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE))
    return jpeg(np.asarray(image), quality=80)


def check_megapixels(source: Path | bytes, name: str, most: float) -> None:
    """See by its header that an image is one, and not too large.

    Raises:
        TooLarge: it has more pixels than that. UserError: it cannot be read.
    """
    advice = f"the editor takes up to {most:g} (gan-colorize colorize takes {MAX_MEGAPIXELS:g})"
    try:
        with opened(source, max_megapixels=float("inf")) as image:
            width, height = image.size
    except UserError as error:
        if isinstance(error.__cause__, Image.DecompressionBombError):
            raise TooLarge(f"{name}: far too many megapixels; {advice}") from error
        raise
    if width * height > most * 1e6:
        raise TooLarge(f"{name}: {width}x{height} is {width * height / 1e6:.0f} megapixels; {advice}")


def _encoded(pixels: np.ndarray, kind: str, **options: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()
