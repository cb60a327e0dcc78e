"""Image resource blocks, in which Photoshop and press agencies keep IPTC-IIM records beside other things.

Source: Adobe Photoshop File Formats Specification, "Image Resource Blocks". Pillow reads them without their
names and one JPEG segment at a time, though a block may run on from one segment into the next.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from PIL import Image

IPTC_BLOCK = 0x0404
_PREFIX = b"Photoshop 3.0\0"
_MOST_BLOCKS = 2000

# Said elsewhere or untrue of a flat, coloured sRGB copy: size and mode of Photoshop 2 (1000), tables of
# indexed colour, resolution (carried as such), transfer functions, layers, thumbnails, ICC, EXIF, XMP.
_LEFT_OUT = frozenset(
    [
        *(1000, 1003, 1005, *range(1012, 1019), 1021, 1022, 1024, 1026, 1033, 1036, 1039, 1041, 1046, 1047),
        *(1057, 1058, 1059, 1060, 1069, 1072, 1075, 1076, 1077, 1080, 1082, 1083, 1088),
    ]
)
_PLACES_IN_PICTURE = frozenset([1032, 1050, *range(2000, 2999), 7000, 7001])  # guides, slices, paths


@dataclass(frozen=True)
class Block:
    """One resource: its signature (8BIM), number, name as stored with its length, and data."""

    signature: bytes
    number: int
    name: bytes
    data: bytes

    def tobytes(self) -> bytes:
        """As it is stored: name and data padded to even lengths."""
        name = self.name + b"\0" * (len(self.name) % 2)
        padding = b"\0" * (len(self.data) % 2)
        head = self.signature + struct.pack(">H", self.number) + name + struct.pack(">I", len(self.data))
        return head + self.data + padding


def blocks_of(data: bytes) -> list[Block]:
    """The blocks up to the first that is damaged."""
    blocks: list[Block] = []
    at = 0
    while len(blocks) < _MOST_BLOCKS and data[at : at + 4] in (b"8BIM", b"MeSa", b"AgHg", b"PHUT", b"DCSR"):
        length = 1 + data[at + 6] if at + 6 < len(data) else 1
        name = data[at + 6 : at + 6 + length]
        start = at + 6 + length + length % 2 + 4
        if start > len(data):
            break
        size = int.from_bytes(data[start - 4 : start])
        if start + size > len(data):
            break
        number = int.from_bytes(data[at + 4 : at + 6])
        blocks.append(Block(data[at : at + 4], number, name, data[start : start + size]))
        at = start + size + size % 2
    return blocks


def corrected(data: bytes, turned: bool) -> bytes | None:
    """The blocks that stay true of an upright flat sRGB copy; None when there are none."""
    gone = _LEFT_OUT | (_PLACES_IN_PICTURE if turned else frozenset())
    return b"".join(block.tobytes() for block in blocks_of(data) if block.number not in gone) or None


def iptc_of(data: bytes) -> bytes | None:
    """The IPTC-IIM records among the blocks, or None."""
    return next((block.data for block in blocks_of(data) if block.number == IPTC_BLOCK), None)


def without_iptc(data: bytes) -> bytes:
    """All blocks but that of IPTC-IIM."""
    return b"".join(block.tobytes() for block in blocks_of(data) if block.number != IPTC_BLOCK)


def with_iptc(data: bytes, records: bytes) -> bytes:
    """The blocks, and one of IPTC-IIM records unless there is one."""
    if iptc_of(data) is not None or records[:1] != b"\x1c":  # what every record begins with
        return data
    return Block(b"8BIM", IPTC_BLOCK, b"\0", records).tobytes() + data


def from_jpeg(image: Image.Image) -> bytes:
    """The blocks of a JPEG's segments, joined; empty without any."""
    segments = getattr(image, "applist", ())
    parts = (data for name, data in segments if name == "APP13" and data.startswith(_PREFIX))
    return b"".join(part[len(_PREFIX) :] for part in parts)


def jpeg_segments(data: bytes) -> bytes:
    """The blocks as segments for a JPEG."""
    most = 65_533 - len(_PREFIX)
    parts = [data[at : at + most] for at in range(0, len(data), most)]
    return b"".join(
        b"\xff\xed" + struct.pack(">H", 2 + len(_PREFIX) + len(part)) + _PREFIX + part for part in parts
    )
