"""Damage that knows the formats: chunks with right check sums, directories with wrong entries.

A file that is damaged at random dies in the first check sum or the first length. What is done here gets past
those: pieces are taken apart, changed, and put together so that the outer frame is right again.
"""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Callable

from .by_hand import PNG_START, chunk

# Where programs count wrongly: around powers of two, the signs, and nothing.
_EDGES = (
    0,
    1,
    2,
    7,
    8,
    15,
    16,
    127,
    128,
    255,
    256,
    32767,
    32768,
    65535,
    65536,
    2**24,
    2**31 - 1,
    2**31,
    2**32 - 1,
)
Piece = tuple[bytes, bytes]


def mutate(chance: random.Random, seeds: list[bytes]) -> bytes:
    """One of ``seeds`` damaged in one to four ways."""
    data = chance.choice(seeds)
    for _ in range(chance.choice((1, 1, 1, 2, 2, 3, 4))):
        by_format = _of_format(data)
        if by_format is not None and chance.random() < 0.7:
            data = by_format(data, chance, seeds)
        else:
            data = chance.choice(_PLAIN)(data, chance, seeds)
    return data


def _of_format(data: bytes) -> Callable[[bytes, random.Random, list[bytes]], bytes] | None:
    if data[:8] == PNG_START:
        return _png
    if data[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return _tiff
    if data[:2] == b"\xff\xd8":
        return _jpeg
    if data[:4] == b"RIFF":
        return _riff
    return _boxes if data[4:8] in (b"ftyp", b"jP  ") else None


def _flip(data: bytes, chance: random.Random, _: list[bytes]) -> bytes:
    out = bytearray(data)
    # headers are short and matter more
    span = len(out) if chance.random() < 0.5 else min(len(out), 300)
    for _ in range(chance.choice((1, 2, 4, 16)) if out else 0):
        out[chance.randrange(span)] = chance.choice((0, 1, 127, 128, 255, chance.randrange(256)))
    return bytes(out)


def _number(data: bytes, chance: random.Random, _: list[bytes]) -> bytes:
    """A number of 2, 4 or 8 bytes of either order at an edge."""
    width = chance.choice((2, 4, 4, 8))
    if len(data) < width:
        return data
    at = chance.randrange(min(len(data), chance.choice((64, 400, len(data)))) - width + 1 or 1)
    value = (chance.choice(_EDGES) + chance.choice((0, 0, -1, 1))) % 256**width
    return data[:at] + value.to_bytes(width, chance.choice(("little", "big"))) + data[at + width :]


def _cut(data: bytes, chance: random.Random, _: list[bytes]) -> bytes:
    return data[: chance.randrange(len(data) + 1)]


def _remove(data: bytes, chance: random.Random, _: list[bytes]) -> bytes:
    at = chance.randrange(len(data) + 1)
    return data[:at] + data[at + chance.choice((1, 2, 4, 100)) :]


def _repeat(data: bytes, chance: random.Random, _: list[bytes]) -> bytes:
    at, length = chance.randrange(len(data) + 1), chance.choice((1, 4, 50, 1000))
    return data[:at] + data[at : at + length] * chance.choice((2, 3, 20)) + data[at + length :]


def _splice(data: bytes, chance: random.Random, seeds: list[bytes]) -> bytes:
    other = chance.choice(seeds)
    return data[: chance.randrange(len(data) + 1)] + other[chance.randrange(len(other) + 1) :]


_PLAIN = (_flip, _flip, _number, _number, _cut, _remove, _repeat, _splice)


def _png(data: bytes, chance: random.Random, seeds: list[bytes]) -> bytes:
    pieces, at = [], 8
    while at + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        pieces.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + length]))
        at += 12 + length

    def inner(name: bytes, content: bytes) -> bytes:
        if name == b"IDAT" and chance.random() < 0.6:
            return _redeflated(content, chance, seeds)
        return chance.choice((_flip, _number, _cut, _repeat))(content, chance, seeds)

    pieces = _shuffled(pieces, chance, inner)
    parts = [chunk(name[:4].ljust(4, b"x"), content) for name, content in pieces]
    if parts and chance.random() < 0.1:  # a length that lies
        which = chance.randrange(len(parts))
        parts[which] = struct.pack(">I", chance.choice(_EDGES)) + parts[which][4:]
    return PNG_START + b"".join(parts)


def _redeflated(content: bytes, chance: random.Random, seeds: list[bytes]) -> bytes:
    try:
        plain = zlib.decompressobj().decompress(content, 1 << 20)
    except zlib.error:
        return content
    return zlib.compress(chance.choice(_PLAIN)(plain, chance, seeds), 1)


def _jpeg(data: bytes, chance: random.Random, seeds: list[bytes]) -> bytes:
    pieces, at = [], 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker, length = data[at : at + 2], struct.unpack_from(">H", data, at + 2)[0]
        if marker == b"\xff\xda":
            break
        pieces.append((marker, data[at + 4 : at + 2 + length]))
        at += 2 + max(length, 2)

    def inner(_: bytes, content: bytes) -> bytes:
        return chance.choice((_flip, _flip, _number, _cut, _repeat))(content, chance, seeds)

    pieces = _shuffled(pieces, chance, inner)
    scan = data[at:]
    if chance.random() < 0.3:
        scan = chance.choice(_PLAIN)(scan, chance, seeds)
    body = (
        marker + struct.pack(">H", min(len(content) + 2, 65535)) + content[:65533]
        for marker, content in pieces
    )
    return data[:2] + b"".join(body) + scan


def _riff(data: bytes, chance: random.Random, seeds: list[bytes]) -> bytes:
    pieces, at = [], 12
    while at + 8 <= len(data):
        (length,) = struct.unpack_from("<I", data, at + 4)
        pieces.append((data[at : at + 4], data[at + 8 : at + 8 + length]))
        at += 8 + length + length % 2

    def inner(_: bytes, content: bytes) -> bytes:
        return chance.choice((_flip, _flip, _number, _cut, _repeat))(content, chance, seeds)

    body = b"".join(
        name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)
        for name, content in _shuffled(pieces, chance, inner)
    )
    return b"RIFF" + struct.pack("<I", len(body) + 4) + data[8:12] + body


def _boxes(data: bytes, chance: random.Random, seeds: list[bytes], depth: int = 0) -> bytes:
    """AVIF and JPEG 2000: boxes with boxes in them."""
    pieces, at = [], 0
    while at + 8 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        length = length if 8 <= length <= len(data) - at else len(data) - at
        pieces.append((data[at + 4 : at + 8], data[at + 8 : at + length]))
        at += length

    def inner(name: bytes, content: bytes) -> bytes:
        if name in (b"meta", b"iprp", b"ipco", b"jp2h", b"moov") and depth < 3 and chance.random() < 0.8:
            head = 4 if name == b"meta" else 0
            return content[:head] + _boxes(content[head:], chance, seeds, depth + 1)
        return chance.choice((_flip, _number, _cut))(content, chance, seeds)

    return b"".join(
        struct.pack(">I", len(content) + 8) + name[:4].ljust(4, b"x") + content
        for name, content in _shuffled(pieces, chance, inner)
    )


def _shuffled(
    pieces: list[Piece], chance: random.Random, inner: Callable[[bytes, bytes], bytes]
) -> list[Piece]:
    """Pieces of a file with one changed inside, renamed, left out, doubled or moved."""
    if not pieces:
        return pieces
    which = chance.randrange(len(pieces))
    name, content = pieces[which]
    way = chance.random()
    if way < 0.7:
        pieces[which] = (name, inner(name, content))
    elif way < 0.77:
        pieces[which] = (
            bytes(chance.choice((byte, byte ^ 0x20, chance.randrange(256))) for byte in name),
            content,
        )
    elif way < 0.85:
        del pieces[which]
    elif way < 0.93:
        pieces.insert(which, (name, content))
    else:
        pieces.insert(chance.randrange(len(pieces)), pieces.pop(which))
    return pieces


def _tiff(data: bytes, chance: random.Random, seeds: list[bytes]) -> bytes:
    """One entry of one directory, or the way from one directory to the next, changed."""
    order = "<" if data[:1] == b"I" else ">"
    big = data[2:3] == b"+" or data[3:4] == b"+"
    head, number, count, entry = (8, "Q", "Q", 20) if big else (4, "I", "H", 12)
    starts, out = [], bytearray(data)
    try:
        (at,) = struct.unpack_from(order + number, data, head)
        while at and at not in starts and len(starts) < 20:
            starts.append(at)
            (entries,) = struct.unpack_from(order + count, data, at)
            (at,) = struct.unpack_from(order + number, data, at + struct.calcsize(count) + entry * entries)
    except (struct.error, OverflowError):
        pass  # a directory somewhere beyond
    try:
        start = chance.choice(starts)
        (entries,) = struct.unpack_from(order + count, data, start)
        first = start + struct.calcsize(count)
        if chance.random() < 0.1:
            places = [start, first + entry * entries, *([head] if len(data) > head else [])]
            struct.pack_into(order + number, out, chance.choice(places), chance.choice((*starts, *_EDGES)))
            return bytes(out)
        place = first + entry * chance.randrange(entries)
        field = chance.choice(("tag", "type", "count", "value", "value", "value"))
        if field == "tag":
            struct.pack_into(
                order + "H",
                out,
                place,
                chance.choice((*range(254, 300), 317, 322, 330, 338, 339, 700, 34665)),
            )
        elif field == "type":
            struct.pack_into(order + "H", out, place + 2, chance.randrange(20))
        else:
            size = struct.calcsize(order + number)
            where = place + 4 + (size if field == "value" else 0)
            (known,) = struct.unpack_from(order + number, data, where)
            value = chance.choice((*_EDGES, known + 1, known - 1, known * 2, chance.randrange(2**16)))
            struct.pack_into(order + number, out, where, value % 256**size)
    except (struct.error, IndexError, ValueError, OverflowError):
        return _number(data, chance, seeds)
    return bytes(out)
