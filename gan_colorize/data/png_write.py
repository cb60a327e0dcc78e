"""PNG a band of rows at a time, 8 or 16 bits a channel: Pillow writes no 16-bit colour, and needs it all."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from PIL import Image, PngImagePlugin

from ..errors import UserError
from ..files import atomic_path
from .picture import Picture, strips

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_RGB, _RGBA = 2, 6  # colour types (PNG specification, table 11.1)
# As Pillow's files of this program: half the time of the default 6, for 2 % more bytes.
_LEVEL = 4
_ROWS_BYTES = 1 << 20
_SUB, _UP, _PAETH = 1, 2, 4
_LARGEST_SIDE = 2**31 - 1
# Readers take chunks of pixels as small as they like; libpng reads them 8 kB at a time.
_CHUNK = 1 << 20


def write_png(path: Path, picture: Picture, alpha: np.ndarray | None, options: dict[str, Any]) -> None:
    """Write a picture whole or not at all.

    Args:
        path: .png.
        picture: (H, W, 3).
        alpha: (H, W) of either depth, or None.
        options: Pillow's for PNG: icc_profile, exif, dpi, pnginfo.

    Raises:
        UserError: as :func:`~gan_colorize.files.atomic_path`.
    """
    height, width, _ = picture.shape
    if max(height, width) > _LARGEST_SIDE:
        raise UserError(f"cannot write {path}: PNG has at most {_LARGEST_SIDE} pixels a side")
    kind = _RGB if alpha is None else _RGBA
    header = struct.pack(">2I5B", width, height, 8 * picture.dtype.itemsize, kind, 0, 0, 0)
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        file.write(_SIGNATURE)
        PngImagePlugin.putchunk(file, b"IHDR", header)
        for name, data in _ancillary(options):
            PngImagePlugin.putchunk(file, name, data)
        _put_pixels(file, picture, alpha)
        PngImagePlugin.putchunk(file, b"IEND", b"")
        file.flush()
        os.fsync(file.fileno())


def _ancillary(options: dict[str, Any]) -> Iterator[tuple[bytes, bytes]]:
    """What Pillow writes beside the pixels, of a picture of one pixel."""
    for name, data, _ in PngImagePlugin.getchunks(Image.new("RGB", (1, 1)), **options):
        if name not in (b"IHDR", b"IDAT", b"IEND"):
            yield name, data


def _put_pixels(file: BinaryIO, picture: Picture, alpha: np.ndarray | None) -> None:
    channels = 3 if alpha is None else 4
    step = channels * picture.dtype.itemsize
    width = picture.shape[1] * step
    packer = zlib.compressobj(_LEVEL, strategy=zlib.Z_FILTERED)
    above, waiting = np.zeros(width, np.uint8), bytearray()
    for strip in strips(picture, alpha, max(1, _ROWS_BYTES // width)):
        big_endian = strip.astype(strip.dtype.newbyteorder(">"), copy=False)
        rows = np.frombuffer(big_endian.tobytes(), np.uint8).reshape(len(strip), width)
        waiting += packer.compress(_filtered(rows, above, step).tobytes())
        above = rows[-1]
        while len(waiting) >= _CHUNK:
            PngImagePlugin.putchunk(file, b"IDAT", bytes(waiting[:_CHUNK]))
            del waiting[:_CHUNK]
    waiting += packer.flush()
    PngImagePlugin.putchunk(file, b"IDAT", bytes(waiting))


def _filtered(rows: np.ndarray, above: np.ndarray, step: int) -> np.ndarray:
    """(rows, 1 + bytes): every row by the filter that leaves the least (PNG specification, 12.8).

    rows: (rows, bytes) uint8; above: the row before them; step: bytes a pixel.
    """
    up = np.concatenate([above[None], rows[:-1]])
    left, corner = np.zeros_like(rows), np.zeros_like(rows)
    left[:, step:], corner[:, step:] = rows[:, :-step], up[:, :-step]
    candidates = {_SUB: rows - left, _UP: rows - up, _PAETH: rows - _paeth(left, up, corner)}
    # as signed bytes: a small step down is as good as one up
    costs = np.stack([_magnitude(one) for one in candidates.values()])
    best = costs.argmin(axis=0)
    out = np.empty((len(rows), rows.shape[1] + 1), np.uint8)
    for index, (kind, values) in enumerate(candidates.items()):
        chosen = best == index
        out[chosen, 0] = kind
        out[chosen, 1:] = values[chosen]
    return out


def _magnitude(values: np.ndarray) -> np.ndarray:
    signed = values.view(np.int8)
    return np.abs(signed.astype(np.int16)).sum(axis=1)


def _paeth(left: np.ndarray, up: np.ndarray, corner: np.ndarray) -> np.ndarray:
    """The neighbour that left + up - corner is closest to, in this order (PNG specification, 9.4)."""
    a, b, c = (values.astype(np.int16) for values in (left, up, corner))
    from_a, from_b, from_c = np.abs(b - c), np.abs(a - c), np.abs(a + b - 2 * c)
    first = (from_a <= from_b) & (from_a <= from_c)
    return np.where(first, left, np.where(from_b <= from_c, up, corner))
