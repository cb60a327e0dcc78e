"""XMP that is longer than one segment of a JPEG (ISO 16684-3; XMP part 3, section 1.1.3.1).

The main packet names the MD5 hash of a second one, which follows in pieces.
"""

from __future__ import annotations

import hashlib
import re
import struct

from PIL import Image

from .xmp import MOST_BYTES, NOTE, Packet

MOST_XMP = 65_502
_MAIN = b"http://ns.adobe.com/xap/1.0/\0"
_EXTENSION = b"http://ns.adobe.com/xmp/extension/\0"
_MOST_PIECE = 65_400


def extended_xmp(image: Image.Image) -> bytes:
    """The second packet of a JPEG, empty unless it is whole and the one that the main packet names."""
    packet = image.info.get("xmp", b"")
    named = re.search(
        rb"HasExtendedXMP(?:>|=[\"'])([0-9A-Fa-f]{32})", packet if isinstance(packet, bytes) else b""
    )
    if named is None:
        return b""
    pieces: dict[int, bytes] = {}
    total = 0
    for name, data in getattr(image, "applist", ()):
        start = len(_EXTENSION)
        if name == "APP1" and data.startswith(_EXTENSION + named[1]) and len(data) > start + 40:
            total, offset = struct.unpack_from(">II", data, start + 32)
            pieces[offset] = data[start + 40 :]
    joined = b"".join(pieces[offset] for offset in sorted(pieces))
    return joined if len(joined) == total <= MOST_BYTES else b""


def xmp_segments(packet: Packet) -> bytes:
    """A packet as segments for a JPEG."""
    # room for the property that names the second packet, and its namespace
    main, second = packet.split(MOST_XMP - 200)
    if second is None:
        return _segment(_MAIN + main)
    name = hashlib.md5(second, usedforsecurity=False).hexdigest().upper().encode()
    packet.put(NOTE + "HasExtendedXMP", name.decode())
    parts = [_segment(_MAIN + packet.tobytes())]
    for at in range(0, len(second), _MOST_PIECE):
        piece = second[at : at + _MOST_PIECE]
        parts.append(_segment(_EXTENSION + name + struct.pack(">II", len(second), at) + piece))
    return b"".join(parts)


def comment_segment(text: str) -> bytes:
    """A comment; the end of one that is too long is missing."""
    data = text.encode("utf-8", "replace")[:65_533]
    return b"\xff\xfe" + struct.pack(">H", 2 + len(data)) + data


def _segment(data: bytes) -> bytes:
    return b"\xff\xe1" + struct.pack(">H", 2 + len(data)) + data
