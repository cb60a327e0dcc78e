"""JPEG and its relatives, by Pillow, OpenCV, imagecodecs and the command line tools that are installed."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator

import cv2
import imagecodecs
import numpy as np
from PIL import Image

from . import by_hand
from .case import EITHER, Case, as8, as16, in_colour, photograph
from .good_png import turned_away
from .profiles import grey_profile, lut_cmyk_profile, rgb_profile
from .tools import by_tool

_EXIF = b"Exif\0\0II*\0\x08\0\0\0"


def cases() -> Iterator[Case]:
    yield from _kinds()
    yield from _turned()
    yield from _metadata()
    yield from _rare()


def jpeg(values: np.ndarray | Image.Image, **options: object) -> bytes:
    image = values if isinstance(values, Image.Image) else Image.fromarray(values)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", **{"quality": 92} | options)
    return buffer.getvalue()


def with_segment(data: bytes, marker: int, content: bytes) -> bytes:
    """A JPEG file with one more segment after its start."""
    return data[:2] + struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content + data[2:]


def _kinds() -> Iterator[Case]:
    picture = photograph(seed=11)
    grey, colour = as8(picture), in_colour(as8(picture))
    yield Case("jpeg/@-grey.jpg", "JPEG grey", jpeg(grey), picture=picture)
    yield Case("jpeg/@-progressive.jpg", "JPEG progressive", jpeg(colour, progressive=True), picture=picture)
    for subsampling, told in ((0, "4:4:4"), (1, "4:2:2"), (2, "4:2:0")):
        name = f"jpeg/@-{told.replace(':', '')}.jpeg"
        yield Case(name, f"JPEG {told}", jpeg(colour, subsampling=subsampling), picture=picture)
    yield Case("jpeg/@-worst.JPG", "JPEG of quality 1", jpeg(grey, quality=1), size=(61, 43))
    restarts = cv2.imencode(".jpg", colour, [cv2.IMWRITE_JPEG_RST_INTERVAL, 2])[1].tobytes()
    yield Case("jpeg/@-restarts.jpg", "JPEG by OpenCV with restart markers", restarts, picture=picture)
    ink = np.zeros((*grey.shape, 4), np.uint8)
    ink[..., 3] = 255 - grey
    cmyk = Image.fromarray(ink, "CMYK")
    yield Case("jpeg/@-cmyk.jpg", "JPEG CMYK, Adobe's inverted kind", jpeg(cmyk), picture=picture)
    profile = lut_cmyk_profile()
    data = jpeg(cmyk, icc_profile=profile)
    yield Case("jpeg/@-cmyk-profile.jpg", "JPEG CMYK with a table profile", data, size=(61, 43))
    yield Case(
        "jpeg/@-tail.jpg", "JPEG with a file after its end", jpeg(grey) + b"\xff\xd8" * 500, picture=picture
    )
    filled = jpeg(grey).replace(b"\xff\xdb", b"\xff\xff\xff\xff\xdb", 1)
    yield Case("jpeg/@-fill.jpg", "JPEG with fill bytes before a marker", filled, picture=picture)


def _turned() -> Iterator[Case]:
    picture = photograph(seed=12)
    for orientation in range(1, 9):
        tags = by_hand.tiff_directory([(274, 3, 1, [orientation])], 8)
        data = jpeg(turned_away(as8(picture), orientation).copy(), exif=_EXIF + tags)
        told = f"JPEG with EXIF orientation {orientation}"
        yield Case(f"jpeg/@-turn-{orientation}.jpg", told, data, picture=picture)
    tags = by_hand.tiff_directory([(274, 3, 1, [42])], 8)
    data = jpeg(as8(picture), exif=_EXIF + tags)
    yield Case("jpeg/@-turn-42.jpg", "JPEG with EXIF orientation 42", data, picture=picture)


def _metadata() -> Iterator[Case]:
    picture = photograph(seed=13)
    grey, colour = as8(picture), in_colour(as8(picture))
    # with a gamma of 1.8 the stored value v is shown as the sRGB value of v ** 1.8
    shown = _srgb(picture**1.8)
    data = jpeg(grey, icc_profile=grey_profile(1.8))
    yield Case("jpeg/@-icc-grey.jpg", "JPEG grey with a grey profile", data, picture=shown)
    data = jpeg(colour, icc_profile=rgb_profile(2.2))
    yield Case("jpeg/@-icc-adobe.jpg", "JPEG with a wide matrix profile", data, picture=_srgb(picture**2.2))
    for name, profile in (
        ("wrong", lut_cmyk_profile()),
        ("cut", rgb_profile(2.2)[:200]),
        ("noise", b"\x07" * 3000),
        ("short", b"\0"),
        ("huge", rgb_profile(2.2) + bytes(2_000_000)),
    ):
        data = jpeg(colour, icc_profile=profile)
        yield Case(f"jpeg/@-icc-{name}.jpg", f"JPEG with an ICC profile: {name}", data, size=(61, 43))
    loop = by_hand.tiff_directory([(34665, 4, 1, [8])], 8, following=8)
    for name, content in (
        ("exif-noise", b"II*\0\xff\xff\xff\xff" + b"\xff" * 60),
        ("exif-loop", b"II*\0\x08\0\0\0" + loop),
        (
            "exif-count",
            b"II*\0\x08\0\0\0" + by_hand.tiff_directory([(270, 2, 0xFFFFFFFF, 8)], 8, count=65535),
        ),
        ("exif-empty", b""),
    ):
        data = with_segment(jpeg(grey), 0xE1, b"Exif\0\0" + content)
        yield Case(f"jpeg/@-{name}.jpg", f"JPEG with {name.replace('-', ' ')}", data, picture=picture)
    laughs = b"".join(b'<!ENTITY l%d "%s">' % (n, b"&l%d;" % (n - 1) * 10) for n in range(1, 10))
    packet = (
        b"<?xml version='1.0'?><!DOCTYPE x [<!ENTITY l0 'ha'>" + laughs + b"]><x:xmpmeta>&l9;</x:xmpmeta>"
    )
    data = with_segment(jpeg(grey), 0xE1, b"http://ns.adobe.com/xap/1.0/\0" + packet)
    yield Case("jpeg/@-xmp-laughs.jpg", "JPEG with an entity bomb in XMP", data, picture=picture)
    data = with_segment(jpeg(grey), 0xED, b"Photoshop 3.0\x008BIM\x04\x04\0\0\xff\xff\xff\xff")
    yield Case("jpeg/@-iptc.jpg", "JPEG with a damaged Photoshop block", data, picture=picture)
    many = jpeg(grey)
    for _ in range(300):
        many = with_segment(many, 0xFE, b"c" * 65_000)
    yield Case("jpeg/@-comments.jpg", "JPEG with 20 MB of comments", many, picture=picture)


def _rare() -> Iterator[Case]:
    picture = photograph(seed=14)
    grey = as8(picture)
    first, second = Image.fromarray(in_colour(grey)), Image.fromarray(255 - in_colour(grey))
    buffer = io.BytesIO()
    first.save(buffer, "MPO", save_all=True, append_images=[second], quality=92)
    yield Case("jpeg/@-stereo.jpg", "MPO of two views", buffer.getvalue(), picture=picture)
    twelve = (as16(picture) >> 4).astype(np.uint16)
    data = imagecodecs.jpeg8_encode(twelve, level=95, bitspersample=12)
    yield Case("jpeg/@-twelve.jpg", "JPEG of 12 bits", data, EITHER, picture, bits=8)
    yield Case("jpeg/@-lossless.jpg", "JPEG lossless", imagecodecs.ljpeg_encode(grey), EITHER, picture)
    yield Case("jpeg/@-ls.jpg", "JPEG-LS called JPEG", imagecodecs.jpegls_encode(grey), EITHER, picture)
    arithmetic = by_tool("convert", grey, "jpg", "-define", "jpeg:arithmetic-coding=true", "-quality", "92")
    if arithmetic is not None:
        yield Case("jpeg/@-arithmetic.jpg", "JPEG arithmetic, by ImageMagick", arithmetic, EITHER, picture)
    for tool in ("gm", "ffmpeg"):
        data = by_tool(tool, grey, "jpg")
        if data is not None:
            yield Case(f"jpeg/@-{tool}.jpg", f"JPEG by {tool}", data, picture=picture)


def _srgb(linear: np.ndarray) -> np.ndarray:
    """IEC 61966-2-1."""
    return np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
