"""Encoded pictures for the tests, those that Pillow cannot write made by their specifications."""

import io
import struct
import zlib

import numpy as np
from PIL import Image


def encode(image: Image.Image | np.ndarray, kind: str, **options: object) -> bytes:
    image = image if isinstance(image, Image.Image) else Image.fromarray(image)
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def png16(pixels: np.ndarray, profile: bytes = b"") -> bytes:
    """A PNG of (H, W, C) uint16 by the specification, for Pillow cannot write one with colour."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    height, width, channels = pixels.shape
    kind = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    header = struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + (chunk(b"iCCP", b"icc\0\0" + zlib.compress(profile)) if profile else b"")
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def tiff16(pixels: np.ndarray, compressed: bool, predictor: bool = False, rows: int = 5) -> bytes:
    """A big-endian TIFF of (H, W, 3 or 4) uint16 in several strips, by TIFF 6.0."""
    height, width, channels = pixels.shape
    strips = []
    for top in range(0, height, rows):
        strip = pixels[top : top + rows]
        if predictor:
            strip = np.concatenate([strip[:, :1], strip[:, 1:] - strip[:, :-1]], 1)  # wraps around
        data = strip.astype(">u2").tobytes()
        strips.append(zlib.compress(data) if compressed else data)
    body = b"".join(strips)
    starts = 8 + np.cumsum([0] + [len(strip) for strip in strips[:-1]])
    tags: list[tuple[int, int, list[int]]] = [
        (256, 3, [width]),
        (257, 3, [height]),
        (258, 3, [16] * channels),
        (259, 3, [8 if compressed else 1]),
        (262, 3, [2]),
        (273, 4, [int(start) for start in starts]),
        (277, 3, [channels]),
        (278, 3, [rows]),
        (279, 4, [len(strip) for strip in strips]),
        (284, 3, [1]),
        (317, 3, [2 if predictor else 1]),
    ]
    if channels == 4:
        tags.append((338, 3, [2]))
    directory, extra = b"", b""
    extra_at = 8 + len(body) + 2 + 12 * len(tags) + 4
    for tag, kind, values in tags:
        data = struct.pack(f">{len(values)}{'H' if kind == 3 else 'I'}", *values)
        if len(data) <= 4:
            field = data.ljust(4, b"\0")
        else:
            field = struct.pack(">I", extra_at + len(extra))
            extra += data
        directory += struct.pack(">HHI", tag, kind, len(values)) + field
    header = b"MM\0*" + struct.pack(">I", 8 + len(body))
    return header + body + struct.pack(">H", len(tags)) + directory + b"\0\0\0\0" + extra
