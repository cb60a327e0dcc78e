"""Files byte by byte from their specifications: what no encoder would write."""

from __future__ import annotations

import struct
import zlib

import numpy as np

PNG_START = b"\x89PNG\r\n\x1a\n"
_ADAM7 = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))
GREY, RGB, PALETTE, GREY_ALPHA, RGB_ALPHA = 0, 2, 3, 4, 6


def chunk(name: bytes, data: bytes = b"") -> bytes:
    """A PNG chunk with its length and check sum."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def ihdr(width: int, height: int, bits: int, colour: int, interlaced: bool = False) -> bytes:
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, int(interlaced)))


def png_rows(values: np.ndarray, bits: int) -> bytes:
    """Unfiltered rows of (H, W) or (H, W, C) integers."""
    if bits == 16:
        body = values.astype(">u2").view(np.uint8).reshape(len(values), -1)
    elif bits == 8:
        body = values.astype(np.uint8).reshape(len(values), -1)
    else:
        spread = (values[..., None] >> np.arange(bits - 1, -1, -1)) & 1
        body = np.packbits(spread.reshape(len(values), -1).astype(np.uint8), axis=1)
    return b"".join(b"\0" + row.tobytes() for row in body)


def png(
    values: np.ndarray,
    bits: int,
    colour: int,
    before: bytes = b"",
    interlaced: bool = False,
    piece: int = 0,
    after: bytes = b"",
) -> bytes:
    """A PNG of integers (H, W[, C]) by its specification.

    before, after: chunks around the data. piece: bytes in a chunk of data; 0 is one chunk.
    """
    height, width = values.shape[:2]
    if interlaced:
        passes = (values[top::down, left::right] for top, left, down, right in _ADAM7)
        rows = b"".join(png_rows(one, bits) for one in passes if one.size)
    else:
        rows = png_rows(values, bits)
    data = zlib.compress(rows)
    piece = piece or len(data)
    body = b"".join(chunk(b"IDAT", data[at : at + piece]) for at in range(0, len(data), piece))
    return PNG_START + ihdr(width, height, bits, colour, interlaced) + before + body + after + chunk(b"IEND")


def deflated_zeros(count: int) -> bytes:
    """What a zlib stream of ``count`` zero bytes is, a thousandth of them, without ever making them.

    A block that ends at a byte's border and refers to nothing before it may be repeated (RFC 1951), and of
    zeros the check sum of RFC 1950 is their count.
    """
    block, rest = 1 << 20, count % (1 << 20)
    parts = []
    for size in (block, rest):
        packer = zlib.compressobj(9, zlib.DEFLATED, -15)
        parts.append(packer.compress(bytes(size)) + packer.flush(zlib.Z_FULL_FLUSH))
    check = struct.pack(">I", count % 65521 << 16 | 1)
    return b"\x78\xda" + parts[0] * (count // block) + parts[1] + b"\x03\0" + check


_TIFF_LETTERS = {1: "B", 3: "H", 4: "I", 13: "I", 12: "d"}

Tag = tuple[int, int, int, "list[int] | bytes | int"]


def tiff_directory(tags: list[Tag], at: int, following: int = 0, count: int | None = None) -> bytes:
    """A little-endian TIFF directory that stands at offset ``at``.

    tags: (tag, type, count, values): a list is packed, bytes are taken as they are, and an integer is the
        field itself (an offset, true or not). count: how many entries it claims to have.
    """
    entries, extra = b"", b""
    extra_at = at + 2 + 12 * len(tags) + 4
    for tag, kind, number, values in sorted(tags, key=lambda one: one[0]):
        if isinstance(values, int):
            field = struct.pack("<I", values)
        else:
            data = values if isinstance(values, bytes) else _packed(kind, values)
            field = data.ljust(4, b"\0")
            if len(data) > 4:
                field = struct.pack("<I", extra_at + len(extra))
                extra += data + b"\0" * (len(data) % 2)
        entries += struct.pack("<HHI", tag, kind, number) + field
    return (
        struct.pack("<H", len(tags) if count is None else count)
        + entries
        + struct.pack("<I", following)
        + extra
    )


def _packed(kind: int, values: list[int]) -> bytes:
    return struct.pack(f"<{len(values)}{_TIFF_LETTERS[kind]}", *values)


def tiff_tags(width: int, height: int, data_at: int, length: int, /, **changes: Tag | None) -> list[Tag]:
    """The tags of an uncompressed 8-bit grey TIFF in one strip; ``changes`` replace some by their names, None
    leaves one out."""
    tags: dict[str, Tag | None] = {
        "width": (256, 4, 1, [width]),
        "height": (257, 4, 1, [height]),
        "bits": (258, 3, 1, [8]),
        "compression": (259, 3, 1, [1]),
        "photometric": (262, 3, 1, [1]),
        "offsets": (273, 4, 1, [data_at]),
        "samples": (277, 3, 1, [1]),
        "rows": (278, 4, 1, [height]),
        "counts": (279, 4, 1, [length]),
    }
    return [tag for tag in (tags | changes).values() if tag is not None]


def tiff(width: int, height: int, pixels: bytes, /, following: int = 0, **changes: Tag | None) -> bytes:
    """A TIFF of one directory with ``pixels`` before it, as :func:`tiff_tags` says."""
    start = 8 + len(pixels) + len(pixels) % 2
    tags = tiff_tags(width, height, 8, len(pixels), **changes)
    head = b"II*\0" + struct.pack("<I", start) + pixels.ljust(start - 8, b"\0")
    return head + tiff_directory(tags, start, following)


def bmp(rows: list[bytes], width: int, bits: int, top_down: bool = False, masks: bytes = b"") -> bytes:
    """A BMP of packed rows from top to bottom, with a BITMAPINFOHEADER; ``masks`` of bit fields."""
    lines = [row + b"\0" * (-len(row) % 4) for row in (rows if top_down else rows[::-1])]
    start = 14 + 40 + len(masks)
    body = b"".join(lines)
    high = -len(rows) if top_down else len(rows)
    head = struct.pack("<IiiHHIIiiII", 40, width, high, 1, bits, 3 if masks else 0, len(body), 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", start + len(body), 0, 0, start) + head + masks + body
