"""JPEG files: what they say as Pillow writes it, the pixels through libjpeg-turbo.

Pillow's encoder keeps Python's lock while it works, so that one photograph at a time would be written, on
however many cores. The bytes are the same.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
from PIL import Image

from ..errors import UserError
from ..files import encode_image

_START = b"\xff\xd8"
# Markers of what a file says: application segments and comments (ITU-T T.81, table B.1).
_SAYING = (*range(0xE0, 0xF0), 0xFE)
_LARGEST_SIDE = 65_500  # libjpeg's


def encode_jpeg(path: Path, rgb8: np.ndarray, quality: int, options: dict[str, Any]) -> bytes:
    """A JPEG at full chroma resolution.

    Args:
        path: what errors call it.
        rgb8: (H, W, 3) uint8.
        quality: 1..100.
        options: Pillow's for what the file says: icc_profile, exif, extra, dpi.

    Raises:
        UserError: larger than JPEG can be, or Pillow refuses what is to be said.
    """
    height, width, _ = rgb8.shape
    if max(height, width) > _LARGEST_SIDE:
        raise UserError(
            f"cannot write {path}: JPEG has at most {_LARGEST_SIDE} pixels a side; use .png or .tif"
        )
    tiny = encode_image(path, Image.new("RGB", (1, 1)), "JPEG", **options)
    pixels = imagecodecs.jpeg8_encode(np.ascontiguousarray(rgb8), level=quality, subsampling="444")
    said = b"".join(segment for marker, segment in _segments(bytes(tiny)) if marker in _SAYING)
    rest = next(at for at, marker in _places(pixels) if marker not in _SAYING)
    return _START + said + pixels[rest:]


def _segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    for (at, marker), (end, _) in itertools.pairwise(_places(data)):
        yield marker, data[at:end]


def _places(data: bytes) -> Iterator[tuple[int, int]]:
    """(place, marker) of every segment of a file, up to the scan's."""
    at, marker = len(_START), 0
    while marker != 0xDA:
        marker = data[at + 1]
        yield at, marker
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
