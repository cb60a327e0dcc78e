"""PNG of every depth and colour type, made by hand and by OpenCV."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

import cv2
import numpy as np

from . import by_hand
from .by_hand import GREY, GREY_ALPHA, PALETTE, RGB, RGB_ALPHA, chunk, png
from .case import EITHER, Case, as8, as16, in_colour, photograph

_ORIENTATION = 274


def cases() -> Iterator[Case]:
    yield from _depths()
    yield from _structure()
    yield from _metadata()
    yield from _odd_sizes()


def _depths() -> Iterator[Case]:
    picture = photograph(seed=1)
    for bits in (1, 2, 4):
        values = np.rint(picture * (2**bits - 1)).astype(np.uint8)
        shown = values / (2**bits - 1)
        yield Case(f"png/@-grey-{bits}.png", f"PNG grey {bits} bits", png(values, bits, GREY), picture=shown)
        steps = np.repeat(np.linspace(0, 255, 2**bits).round().astype(np.uint8)[:, None], 3, 1)
        table = chunk(b"PLTE", steps.tobytes())
        data = png(values, bits, PALETTE, table)
        yield Case(f"png/@-palette-{bits}.png", f"PNG palette {bits} bits", data, picture=shown)
    shades = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, 1).tobytes()
    data = png(as8(picture), 8, PALETTE, chunk(b"PLTE", shades) + chunk(b"tRNS", bytes([0, 128])))
    yield Case("png/@-palette-8-alpha.png", "PNG palette with transparency", data, picture=picture)
    for bits, values in ((8, as8(picture)), (16, as16(picture))):
        kinds = (
            (GREY, 1, "grey"),
            (GREY_ALPHA, 2, "grey and alpha"),
            (RGB, 3, "RGB"),
            (RGB_ALPHA, 4, "RGBA"),
        )
        for colour, channels, words in kinds:
            pixels = values if channels == 1 else in_colour(values, channels)
            for interlaced in (False, True):
                told = f"PNG {words} {bits} bits{' interlaced' if interlaced else ''}"
                name = f"png/@-{words.replace(' ', '-')}-{bits}{'-adam7' * interlaced}.png"
                data = png(pixels, bits, colour, interlaced=interlaced)
                yield Case(name, told, data, picture=picture, bits=bits)
    for values, bits in ((in_colour(as8(picture)), 8), (in_colour(as16(picture)), 16), (as16(picture), 16)):
        told = f"PNG by OpenCV, {values.ndim} dimensions, {bits} bits"
        data = cv2.imencode(".png", values)[1].tobytes()
        yield Case(f"png/@-opencv-{values.ndim}-{bits}.png", told, data, picture=picture, bits=bits)


def _structure() -> Iterator[Case]:
    picture = photograph(seed=2)
    values = as8(picture)
    yield Case(
        "png/@-bytewise.png", "PNG data in pieces of one byte", png(values, 8, GREY, piece=1), picture=picture
    )
    yield Case(
        "png/@-tail.png",
        "PNG with a file after its end",
        png(values, 8, GREY) + b"PK\3\4" * 999,
        picture=picture,
    )
    key = chunk(b"tRNS", struct.pack(">H", int(values[0, 0])))
    yield Case(
        "png/@-key.png", "PNG grey with a transparent value", png(values, 8, GREY, key), picture=picture
    )
    unknown = chunk(b"juNk", bytes(5000))
    data = png(values, 8, GREY, unknown, after=unknown)
    yield Case("png/@-private.png", "PNG with private chunks", data, picture=picture)
    # a million frames that are not there: a still picture with a lie in its header
    claims = chunk(b"acTL", struct.pack(">II", 1_000_000, 0))
    yield Case(
        "png/@-frames.png", "APNG that claims a million frames", png(values, 8, GREY, claims), EITHER, picture
    )
    frame = chunk(
        b"fcTL", struct.pack(">IIIIIHHBB", 0, picture.shape[1], picture.shape[0], 0, 0, 1, 10, 0, 0)
    )
    second = struct.pack(">IIIIIHHBB", 1, picture.shape[1], picture.shape[0], 0, 0, 1, 10, 0, 0)
    later = chunk(b"fdAT", struct.pack(">I", 2) + zlib.compress(by_hand.png_rows(255 - values, 8)))
    two = chunk(b"acTL", struct.pack(">II", 2, 0)) + frame
    data = png(values, 8, GREY, two, after=chunk(b"fcTL", second) + later)
    yield Case("png/@-animated.png", "APNG of two frames", data, picture=picture)


def _metadata() -> Iterator[Case]:
    picture = photograph(seed=3)
    values = as8(picture)
    for orientation in range(1, 9):
        tags = by_hand.tiff_directory([(_ORIENTATION, 3, 1, [orientation])], 8)
        exif = chunk(b"eXIf", b"II*\0\x08\0\0\0" + tags)
        stored = turned_away(values, orientation)
        told = f"PNG with EXIF orientation {orientation}"
        yield Case(f"png/@-turn-{orientation}.png", told, png(stored, 8, GREY, exif), picture=picture)
    text = chunk(b"tEXt", b"Author\0A. Nobody") + chunk(b"zTXt", b"Title\0\0" + zlib.compress(b"At the lake"))
    packet = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>"
    text += chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + packet) + chunk(
        b"pHYs", struct.pack(">IIB", 11811, 11811, 1)
    )
    yield Case(
        "png/@-texts.png", "PNG with texts, XMP and resolution", png(values, 8, GREY, text), picture=picture
    )
    for name, data in (
        ("exif-damaged", chunk(b"eXIf", b"II*\0\xff\xff\xff\xff" + b"\xff" * 40)),
        ("xmp-damaged", chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0<x:xmpmeta><\xff\xfe")),
        ("icc-damaged", chunk(b"iCCP", b"icc\0\0" + zlib.compress(b"no profile" * 40))),
        ("icc-undeflatable", chunk(b"iCCP", b"icc\0\0" + b"\xff" * 40)),
    ):
        told = f"PNG with {name.replace('-', ' ')}"
        yield Case(f"png/@-{name}.png", told, png(values, 8, GREY, data), picture=picture)


def _odd_sizes() -> Iterator[Case]:
    for width, height in ((1, 1), (1, 5000), (5000, 1), (20_000, 3), (3, 20_000), (2, 2), (8, 8), (7, 9)):
        picture = photograph(width, height, 4)
        told = f"PNG of {width}x{height}"
        yield Case(f"png/@-{width}x{height}.png", told, png(as8(picture), 8, GREY), picture=picture)
    for name, level in (("black", 0.0), ("white", 1.0), ("middle", 128 / 255)):
        picture = np.full((40, 50), level)
        yield Case(
            f"png/@-{name}.png", f"PNG of nothing but {name}", png(as8(picture), 8, GREY), picture=picture
        )


def turned_away(upright: np.ndarray, orientation: int) -> np.ndarray:
    """How a camera that was held as ``orientation`` (EXIF 2.3, tag 274) says stores what is shown as
    ``upright``: row 0 of what is stored is the side that the tag names."""
    return {
        1: lambda v: v,
        2: lambda v: v[:, ::-1],
        3: lambda v: v[::-1, ::-1],
        4: lambda v: v[::-1],
        5: lambda v: v.swapaxes(0, 1),
        6: lambda v: np.rot90(v, 1),
        7: lambda v: np.rot90(v, 2).swapaxes(0, 1),
        8: lambda v: np.rot90(v, -1),
    }[orientation](upright)
