"""PNG whose text would fill the memory: Pillow refuses the picture, and here only the text is left out.

Chunks are told apart by their heads alone (PNG specification, section 5.3); Pillow reads what is in them.
"""

from __future__ import annotations

import io
import zlib
from typing import BinaryIO

from PIL import PngImagePlugin

from .xmp import MOST_BYTES

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
# In the info of an image that was read from such a copy.
TEXT_LEFT_OUT = "gan_colorize: text left out"
_TEXT = (b"tEXt", b"zTXt", b"iTXt")
# Pillow's own are 1 and 64 MB; some profiles of scanners, which it measures by them, are larger.
PngImagePlugin.MAX_TEXT_CHUNK = MOST_BYTES
PngImagePlugin.MAX_TEXT_MEMORY = 4 * MOST_BYTES


def without_bombs(stream: BinaryIO) -> BinaryIO | None:
    """A copy of a PNG without its text, if that is too much; None when the file may be read as it is."""
    stream.seek(0)
    if stream.read(8) != _SIGNATURE:
        return None
    parts, total, largest = [(0, 8)], 0, 0
    at = 8
    while len(head := stream.read(8)) == 8:
        length, kind = int.from_bytes(head[:4]), head[4:]
        if kind in _TEXT:
            size = _decompressed(stream.read(length), kind)
            total, largest = total + size, max(largest, size)
        else:
            parts.append((at, length + 12))
        at += length + 12
        stream.seek(at)
    if largest <= MOST_BYTES and total <= 4 * MOST_BYTES:
        return None
    kept = io.BytesIO()
    for start, length in parts:
        stream.seek(start)
        kept.write(stream.read(length))
    kept.seek(0)
    return kept


def _decompressed(data: bytes, kind: bytes) -> int:
    """Bytes of text in a chunk, counted no further than they may be."""
    _, _, rest = data.partition(b"\0")
    if kind == b"tEXt" or (kind == b"iTXt" and rest[:1] == b"\0"):
        return len(data)
    packed = rest[1:] if kind == b"zTXt" else rest[2:].split(b"\0", 2)[-1]
    try:
        return len(zlib.decompressobj().decompress(packed, MOST_BYTES + 1))
    except zlib.error:
        return 0  # Pillow takes it for no text
