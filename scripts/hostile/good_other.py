"""WebP, AVIF, GIF, BMP, JPEG 2000 and portable maps; wrong names; coloured and toned pictures."""

from __future__ import annotations

import io
from collections.abc import Iterator

import cv2
import imagecodecs
import numpy as np
from PIL import Image

from . import by_hand
from .case import EITHER, Case, as8, as16, in_colour, photograph
from .good_jpeg import jpeg
from .good_png import turned_away
from .good_tiff import tiff
from .tools import by_tool, pgm

_EXIF = b"Exif\0\0II*\0\x08\0\0\0"


def saved(image: np.ndarray | Image.Image, kind: str, **options: object) -> bytes:
    """A file by Pillow."""
    buffer = io.BytesIO()
    image = image if isinstance(image, Image.Image) else Image.fromarray(image)
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def cases() -> Iterator[Case]:
    yield from _webp_and_avif()
    yield from _gif()
    yield from _bmp()
    yield from _jpeg2000()
    yield from _maps()
    yield from _wrong_names()
    yield from _coloured()


def _webp_and_avif() -> Iterator[Case]:
    picture = photograph(seed=31)
    colour = in_colour(as8(picture))
    yield Case("webp/@-lossy.webp", "WebP lossy", saved(colour, "WEBP", quality=92), picture=picture)
    yield Case("webp/@-lossless.webp", "WebP lossless", saved(colour, "WEBP", lossless=True), picture=picture)
    alpha = in_colour(as8(picture), 4)
    yield Case(
        "webp/@-alpha.webp",
        "WebP with alpha",
        saved(alpha, "WEBP", lossless=True, exact=True),
        picture=picture,
    )
    data = imagecodecs.webp_encode(colour, level=95)
    yield Case("webp/@-codecs.webp", "WebP by imagecodecs", data, picture=picture)
    other = Image.fromarray(255 - colour)
    animation = saved(colour, "WEBP", save_all=True, append_images=[other] * 3, lossless=True)
    yield Case("webp/@-animated.webp", "WebP animated", animation, picture=picture)
    for orientation in (3, 6, 8):
        exif = _EXIF + by_hand.tiff_directory([(274, 3, 1, [orientation])], 8)
        data = saved(np.ascontiguousarray(turned_away(colour, orientation)), "WEBP", exif=exif, quality=95)
        told = f"WebP with EXIF orientation {orientation}"
        yield Case(f"webp/@-turn-{orientation}.webp", told, data, picture=picture)
    yield Case("avif/@-colour.avif", "AVIF", saved(colour, "AVIF", quality=92), picture=picture)
    yield Case("avif/@-alpha.avif", "AVIF with alpha", saved(alpha, "AVIF", quality=92), size=(61, 43))
    ten = (in_colour(as16(picture)) >> 6).astype(np.uint16)
    data = imagecodecs.avif_encode(ten, level=95, bitspersample=10)
    yield Case("avif/@-ten.avif", "AVIF of 10 bits", data, EITHER, picture)
    sequence = saved(colour, "AVIF", save_all=True, append_images=[other], quality=92)
    yield Case("avif/@-sequence.avif", "AVIF sequence", sequence, EITHER, picture)


def _gif() -> Iterator[Case]:
    picture = photograph(seed=32)
    first, second = Image.fromarray(as8(picture)), Image.fromarray(255 - as8(picture))
    yield Case("gif/@-plain.gif", "GIF", saved(first, "GIF", interlace=0), picture=picture)
    yield Case("gif/@-interlaced.gif", "GIF interlaced", saved(first, "GIF", interlace=1), picture=picture)
    data = saved(first, "GIF", save_all=True, append_images=[second] * 3, loop=0)
    yield Case("gif/@-animated.gif", "GIF animated", data, picture=picture)
    data = saved(first, "GIF", transparency=int(as8(picture)[0, 0]))
    yield Case("gif/@-transparent.gif", "GIF with transparency", data, picture=picture)
    data = saved(first, "GIF", comment=b"x" * 100_000)
    yield Case("gif/@-comment.gif", "GIF with a long comment", data, picture=picture)


def _bmp() -> Iterator[Case]:
    picture = photograph(seed=33)
    grey = as8(picture)
    yield Case("bmp/@-grey.bmp", "BMP grey", saved(grey, "BMP"), picture=picture)
    rows = [row.tobytes() for row in in_colour(grey)]
    for top_down in (False, True):
        told = f"BMP of 24 bits{' from the top' if top_down else ''}"
        yield Case(f"bmp/@-{top_down}.bmp", told, by_hand.bmp(rows, 61, 24, top_down), picture=picture)
    five = np.rint(picture * 31).astype(np.uint16)
    green = np.rint(picture * 63).astype(np.uint16)
    masks = (0xF800).to_bytes(4, "little") + (0x07E0).to_bytes(4, "little") + (0x001F).to_bytes(4, "little")
    rows = [row.tobytes() for row in (five << 11 | green << 5 | five).astype("<u2")]
    yield Case("bmp/@-565.bmp", "BMP of 16 bits", by_hand.bmp(rows, 61, 16, masks=masks), picture=picture)
    yield Case(
        "bmp/@-bilevel.bmp",
        "BMP of 1 bit",
        saved(Image.fromarray(picture > 0.45), "BMP"),
        picture=(picture > 0.45) * 1.0,
    )
    data = by_tool("convert", np.repeat(grey // 85 * 85, 1, 0), "bmp", "-type", "palette", "-compress", "RLE")
    if data:
        yield Case("bmp/@-rle.bmp", "BMP run-length coded by ImageMagick", data, EITHER, size=(61, 43))
    yield Case("bmp/@-opencv.bmp", "BMP by OpenCV", cv2.imencode(".bmp", grey)[1].tobytes(), picture=picture)


def _jpeg2000() -> Iterator[Case]:
    picture = photograph(seed=34)
    for values, bits, words in (
        (as8(picture), 8, "grey"),
        (in_colour(as8(picture)), 8, "colour"),
        (as16(picture), 16, "grey"),
    ):
        for container in ("jp2", "j2k"):
            data = imagecodecs.jpeg2k_encode(values, codecformat=container, reversible=True)
            told = f"JPEG 2000 {words} {bits} bits as {container}"
            yield Case(f"jp2/@-{words}-{bits}-{container}.jp2", told, data, picture=picture)


def _maps() -> Iterator[Case]:
    picture = photograph(seed=35)
    grey, wide = as8(picture), as16(picture)
    yield Case("pnm/@-grey.pgm", "PGM", pgm(grey), picture=picture)
    yield Case("pnm/@-wide.pgm", "PGM of 16 bits", pgm(wide), picture=picture, bits=16)
    text = b"P2\n# at the lake\n61 43\n255\n" + b" ".join(b"%d" % value for value in grey.ravel()) + b"\n"
    yield Case("pnm/@-text.pgm", "PGM in digits", text, picture=picture)
    colour = b"P6 61 43 255\n" + in_colour(grey).tobytes()
    yield Case("pnm/@-colour.ppm", "PPM", colour, picture=picture)
    wide_colour = b"P6 61 43 65535\n" + in_colour(wide).astype(">u2").tobytes()
    yield Case("pnm/@-colour-wide.ppm", "PPM of 16 bits", wide_colour, picture=picture)
    bits = b"P4 61 43\n" + np.packbits(picture <= 0.45, axis=1).tobytes()
    yield Case("pnm/@-bits.ppm", "PBM called PPM", bits, picture=(picture > 0.45) * 1.0)
    hundred = b"P5 61 43 100\n" + np.rint(picture * 100).astype(np.uint8).tobytes()
    yield Case("pnm/@-hundred.pgm", "PGM whose white is 100", hundred, picture=picture)


def _wrong_names() -> Iterator[Case]:
    picture = photograph(seed=36)
    grey = as8(picture)
    for suffix, told, data in (
        ("jpg", "PNG called JPEG", saved(grey, "PNG")),
        ("png", "JPEG called PNG", jpeg(grey)),
        ("tif", "WebP called TIFF", saved(in_colour(grey), "WEBP", lossless=True)),
        ("webp", "TIFF called WebP", tiff(grey)),
        ("bmp", "GIF called BMP", saved(grey, "GIF")),
    ):
        yield Case(f"names/@-wrong.{suffix}", told, data, picture=picture)
    for name in ("@ with spaces .png", "@.tar.gz.PNG", "@.TiFf", "@.jPeG"):
        data = {"g": saved(grey, "PNG"), "f": tiff(grey)}.get(name[-1].lower(), jpeg(grey))
        yield Case(f"names/{name}", f"called {name[1:]}", data, picture=picture)


def _coloured() -> Iterator[Case]:
    """Toned and coloured pictures: what becomes of them is a matter of policy, but something must."""
    picture = photograph(seed=37)
    sepia = as8(np.clip(picture[..., None] * (1.07, 0.95, 0.78), 0, 1))
    colour = as8(
        np.clip(picture[..., None] + np.array([0.3, 0, -0.3]) * np.sin(np.arange(61) / 9)[:, None], 0, 1)
    )
    for name, values in (("sepia", sepia), ("colour", colour)):
        yield Case(f"toned/@-{name}.png", f"PNG that is {name}", saved(values, "PNG"), EITHER, size=(61, 43))
