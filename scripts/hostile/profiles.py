"""ICC profiles byte by byte from ICC.1:2010, and one with tables from LittleCMS where Pillow has it."""

from __future__ import annotations

import struct

import numpy as np

# D50 and the primaries of Adobe RGB (1998) adapted to it, X Y Z in rows.
_WHITE = (0.9642, 1.0, 0.8249)
_ADOBE = ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457))


def grey_profile(gamma: float) -> bytes:
    return _profile(b"GRAY", b"XYZ ", {b"kTRC": _curve(gamma), b"wtpt": _xyz(_WHITE), b"desc": _text()})


def rgb_profile(gamma: float) -> bytes:
    """A matrix profile with the primaries of Adobe RGB."""
    tags = {b"wtpt": _xyz(_WHITE), b"desc": _text()}
    for name, primary in zip(b"rgb", _ADOBE, strict=True):
        tags |= {bytes([name]) + b"XYZ": _xyz(primary), bytes([name]) + b"TRC": _curve(gamma)}
    return _profile(b"RGB ", b"XYZ ", tags)


def lut_cmyk_profile() -> bytes:
    """CMYK to Lab through a table of two points a channel (lut8Type): lightness falls with the ink."""
    steps = np.indices((2,) * 4).reshape(4, -1).T  # (16, 4) c m y k
    light = np.clip(1 - steps[:, 3] - steps[:, :3].mean(1) * 0.7, 0, 1)
    lab = np.stack([light * 255, np.full(16, 128), np.full(16, 128)], 1).astype(np.uint8)
    same = np.tile(np.arange(256, dtype=np.uint8), 7)
    one = [struct.pack(">i", 65536 if index % 4 == 0 else 0) for index in range(9)]
    table = b"mft1\0\0\0\0" + bytes([4, 3, 2, 0]) + b"".join(one)
    table += same[: 4 * 256].tobytes() + lab.tobytes() + same[: 3 * 256].tobytes()
    return _profile(b"CMYK", b"Lab ", {b"A2B0": table, b"wtpt": _xyz(_WHITE), b"desc": _text()}, b"prtr")


def _profile(space: bytes, connection: bytes, tags: dict[bytes, bytes], kind: bytes = b"mntr") -> bytes:
    start = 132 + 12 * len(tags)
    table, body = struct.pack(">I", len(tags)), b""
    for name, data in tags.items():
        table += struct.pack(">4sII", name, start + len(body), len(data))
        body += data + b"\0" * (-len(data) % 4)
    head = struct.pack(">I4sI4s4s4s", 0, b"\0\0\0\0", 0x02400000, kind, space, connection)
    head += struct.pack(">6H4s", 2020, 1, 1, 0, 0, 0, b"acsp") + bytes(28)
    head += struct.pack(">3i", *(round(value * 65536) for value in _WHITE))
    whole = head.ljust(128, b"\0") + table + body
    return struct.pack(">I", len(whole)) + whole[4:]


def _curve(gamma: float) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"


def _xyz(values: tuple[float, float, float]) -> bytes:
    return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(value * 65536) for value in values))


def _text() -> bytes:
    return b"desc\0\0\0\0" + struct.pack(">I", 5) + b"test\0" + bytes(78)
