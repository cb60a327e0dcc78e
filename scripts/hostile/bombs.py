"""Files that ask for far more memory or time than they are worth, or lead round in circles."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

import numpy as np

from .bad import DAMAGED
from .by_hand import (
    GREY,
    PNG_START,
    RGB_ALPHA,
    chunk,
    deflated_zeros,
    ihdr,
    png,
    tiff,
    tiff_directory,
    tiff_tags,
)
from .case import BAD, EITHER, Case, as8, photograph
from .good_jpeg import jpeg, with_segment
from .good_other import saved
from .tools import pgm

LARGE = "too large"


def cases() -> Iterator[Case]:
    yield from _pngs()
    yield from _others()
    yield from _tiff_sizes()
    yield from _tiff_circles()


def _pngs() -> Iterator[Case]:
    whole = chunk(b"IDAT", deflated_zeros(60_000 * (60_000 // 8 + 1)))
    data = PNG_START + ihdr(60_000, 60_000, 1, GREY) + whole + chunk(b"IEND")
    yield Case("bombs/@-zeros.png", "PNG of 60000x60000 zeros in half a megabyte", data, BAD, reason=LARGE)
    few = chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND")
    # within the limit of pixels, and nothing behind it: memory must not be touched for what is not there
    for width, height, bits, colour in ((20_000, 20_000, 8, GREY), (20_000, 20_000, 16, RGB_ALPHA)):
        data = PNG_START + ihdr(width, height, bits, colour) + few
        told = f"PNG that claims {width}x{height} of {bits} bits and ends"
        yield Case(f"bombs/@-claim-{bits}.png", told, data, BAD, reason=DAMAGED)
    data = PNG_START + ihdr(2**31 - 1, 2**31 - 1, 16, RGB_ALPHA) + few
    yield Case("bombs/@-most.png", "PNG of the largest size that there is", data, BAD, reason=LARGE)
    data = PNG_START + ihdr(0, 10, 8, GREY) + few
    yield Case("bombs/@-none.png", "PNG of no width", data, BAD, reason=DAMAGED)
    values, huge = as8(photograph(seed=51)), deflated_zeros(300_000_000)
    texts = {
        "zTXt": chunk(b"zTXt", b"Comment\0\0" + huge),
        "iTXt": chunk(b"iTXt", b"Comment\0\1\0\0\0" + huge),
        "iCCP": chunk(b"iCCP", b"icc\0\0" + huge),
        "xmp": chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + huge),
    }
    for name, before in texts.items():
        told = f"PNG whose {name} unpacks to 300 MB"
        yield Case(
            f"bombs/@-{name}.png", told, png(values, 8, GREY, before), EITHER, size=(61, 43), reason=LARGE
        )
    many = chunk(b"tEXt", b"Comment\0x") * 200_000
    yield Case(
        "bombs/@-texts.png", "PNG with 200,000 texts", png(values, 8, GREY, many), EITHER, size=(61, 43)
    )
    surplus = PNG_START + ihdr(61, 43, 8, GREY) + chunk(b"IDAT", deflated_zeros(500_000_000)) + chunk(b"IEND")
    yield Case("bombs/@-surplus.png", "PNG with 500 MB behind its last row", surplus, EITHER, size=(61, 43))


def _others() -> Iterator[Case]:
    picture = photograph(seed=52)
    grey = as8(picture)
    gif = bytearray(saved(grey, "GIF"))
    gif[6:10] = struct.pack("<HH", 65_535, 65_535)
    yield Case("bombs/@-canvas.gif", "GIF on a canvas of 65535x65535", bytes(gif), BAD, reason=LARGE)
    frame = gif[gif.index(b"\x2c", 13 + 3 * (2 << (gif[10] & 7))) : -1]
    small = saved(grey, "GIF")
    many = small[:-1] + bytes(frame) * 3000 + b";"
    yield Case("bombs/@-frames.gif", "GIF of 3,000 frames", many, size=(61, 43), picture=picture)
    sizes = bytearray(jpeg(grey))
    at = sizes.index(b"\xff\xc0")
    sizes[at + 5 : at + 9] = struct.pack(">HH", 65_500, 65_500)
    yield Case("bombs/@-size.jpg", "JPEG that claims 65500x65500", bytes(sizes), BAD, reason=LARGE)
    sizes[at + 5 : at + 9] = struct.pack(">HH", 3000, 3000)
    # libjpeg fills up with grey what is missing before the end marker, and has only a warning to tell it
    told = "JPEG that claims 3000x3000 and ends"
    yield Case("bombs/@-claim.jpg", told, bytes(sizes), EITHER, size=(3000, 3000), reason=DAMAGED)
    scans = jpeg(grey, progressive=True)
    scan = scans[scans.rindex(b"\xff\xda") : -2]
    slow = scans[:-2] + scan * 5000 + b"\xff\xd9"
    yield Case("bombs/@-scans.jpg", "JPEG of 5,000 scans", slow, EITHER, size=(61, 43))
    exif = with_segment(
        jpeg(grey),
        0xE1,
        b"Exif\0\0" + b"MM\0*\0\0\0\x08\xff\xff" + b"\1\x0f\0\2\xff\xff\xff\xff\0\0\0\0" * 5000,
    )
    yield Case(
        "bombs/@-exif.jpg",
        "JPEG whose EXIF data claims 65,535 texts of 4 GB",
        exif,
        size=(61, 43),
        picture=picture,
    )
    bmp = bytearray(saved(grey, "BMP"))
    bmp[18:26] = struct.pack("<ii", 2**31 - 1, 2**31 - 1)
    yield Case("bombs/@-size.bmp", "BMP of the largest size that there is", bytes(bmp), BAD, reason=LARGE)
    bmp[18:26] = struct.pack("<ii", 61, -(2**31))
    yield Case("bombs/@-negative.bmp", "BMP of the most negative height", bytes(bmp), BAD, reason=LARGE)
    yield Case(
        "bombs/@-size.pgm", "PGM of 10^18 pixels", b"P5 1000000000 1000000000 255\n", BAD, reason=LARGE
    )
    yield Case(
        "bombs/@-digits.pgm",
        "PGM with a width of a million digits",
        b"P5 " + b"9" * 10**6 + b" 1 255\n",
        BAD,
        reason=DAMAGED,
    )
    yield Case("bombs/@-short.pgm", "PGM that ends in its header", pgm(grey)[:7], BAD, reason=DAMAGED)
    webp = bytearray(saved(grey, "WEBP", lossless=True))
    place = webp.index(b"VP8L") + 9
    webp[place : place + 4] = struct.pack("<I", 16383 - 1 | (16383 - 1) << 14)
    yield Case("bombs/@-claim.webp", "WebP that claims 16383x16383", bytes(webp), EITHER, reason=DAMAGED)
    avif = bytearray(saved(grey, "AVIF"))
    place = avif.index(b"ispe") + 8
    avif[place : place + 8] = struct.pack(">II", 60_000, 60_000)
    yield Case("bombs/@-claim.avif", "AVIF that claims 60000x60000", bytes(avif), EITHER, reason=LARGE)
    jp2 = bytearray(saved(grey, "JPEG2000"))
    place = jp2.index(b"ihdr") + 4
    jp2[place : place + 8] = struct.pack(">II", 60_000, 60_000)
    place = jp2.index(b"\xff\x51") + 6
    jp2[place : place + 8] = struct.pack(">II", 60_000, 60_000)
    yield Case("bombs/@-claim.jp2", "JPEG 2000 that claims 60000x60000", bytes(jp2), BAD, reason=LARGE)


def _tiff_sizes() -> Iterator[Case]:
    pixels = as8(photograph(seed=53)).tobytes()
    large = tiff(61, 43, pixels, width=(256, 4, 1, [65_000]), height=(257, 4, 1, [65_000]))
    yield Case("bombs/@-size.tif", "TIFF that claims 4,225 megapixels", large, BAD, reason=LARGE)
    claim = tiff(61, 43, pixels, width=(256, 4, 1, [20_000]), height=(257, 4, 1, [20_000]), rows=None)
    yield Case("bombs/@-claim.tif", "TIFF that claims 20000x20000 and ends", claim, BAD, reason=DAMAGED)
    odd = {
        "rows-0": ("TIFF of 0 rows a strip", {"rows": (278, 4, 1, [0])}),
        "rows-negative": ("TIFF of -1 rows a strip, signed", {"rows": (278, 9, 1, struct.pack("<i", -1))}),
        "width-0": ("TIFF of no width", {"width": (256, 4, 1, [0])}),
        "no-width": ("TIFF that does not say its width", {"width": None}),
        "beyond": ("TIFF whose strip is beyond the file", {"offsets": (273, 4, 1, [10**9])}),
        "counts": ("TIFF whose strip is longer than the file", {"counts": (279, 4, 1, [2**31])}),
        "bits-0": ("TIFF of 0 bits", {"bits": (258, 3, 1, [0])}),
        "bits-65535": ("TIFF of 65,535 bits", {"bits": (258, 3, 1, [65_535])}),
        "samples": ("TIFF of 65,535 channels", {"samples": (277, 3, 1, [65_535])}),
        "no-samples": ("TIFF of 0 channels", {"samples": (277, 3, 1, [0])}),
        "compression": ("TIFF of an unknown compression", {"compression": (259, 3, 1, [54_321])}),
        "photometric": ("TIFF of an unknown colour space", {"photometric": (262, 3, 1, [4_321])}),
        "offset-count": ("TIFF of 4 billion strips", {"offsets": (273, 4, 2**32 - 1, 8)}),
        "deflate": ("TIFF whose strip is not deflated", {"compression": (259, 3, 1, [8])}),
        "lzw": ("TIFF whose strip is no LZW", {"compression": (259, 3, 1, [5])}),
        "jpeg": ("TIFF whose strip is no JPEG", {"compression": (259, 3, 1, [7])}),
        "fax": ("TIFF whose strip is no fax", {"compression": (259, 3, 1, [4]), "bits": (258, 3, 1, [1])}),
    }
    # what strange numbers mean is left to decoders: a strip of 0 rows may be all of them
    for name, (told, changes) in odd.items():
        yield Case(f"bombs/@-{name}.tif", told, tiff(61, 43, pixels, **changes), EITHER, reason=DAMAGED)
    # every strip of 5,000 points to the same row: twenty times the file's size, not more
    many = tiff(
        5000,
        5000,
        bytes(5000),
        offsets=(273, 4, 5000, [8] * 5000),
        rows=(278, 4, 1, [1]),
        counts=(279, 4, 5000, [5000] * 5000),
    )
    yield Case("bombs/@-one-place.tif", "TIFF whose 5,000 strips are one", many, EITHER, size=(5000, 5000))
    bomb = deflated_zeros(1_000_000_000)
    one = tiff(61, 43, bomb, compression=(259, 3, 1, [8]))
    yield Case(
        "bombs/@-strip.tif", "TIFF whose strip unpacks to 1 GB", one, EITHER, size=(61, 43), reason=LARGE
    )


def _tiff_circles() -> Iterator[Case]:
    pixels = as8(photograph(seed=54)).tobytes()
    start = 8 + len(pixels) + len(pixels) % 2
    circle = tiff(61, 43, pixels, following=start)
    yield Case(
        "bombs/@-circle.tif", "TIFF whose directory is followed by itself", circle, EITHER, size=(61, 43)
    )
    beyond = tiff(61, 43, pixels, following=10**9)
    yield Case(
        "bombs/@-following.tif", "TIFF whose next directory is beyond the file", beyond, EITHER, size=(61, 43)
    )
    own = tiff(61, 43, pixels, more=(330, 13, 1, [start]))
    yield Case("bombs/@-own-subifd.tif", "TIFF whose SubIFD is itself", own, EITHER, size=(61, 43))
    exif = tiff(61, 43, pixels, more=(34665, 4, 1, [start]))
    yield Case("bombs/@-own-exif.tif", "TIFF whose EXIF directory is itself", exif, EITHER, size=(61, 43))
    claims = b"II*\0" + struct.pack("<I", 8) + tiff_directory(tiff_tags(61, 43, 0, 9), 8, count=65_535)
    yield Case("bombs/@-tags.tif", "TIFF that claims 65,535 tags", claims, EITHER, reason=DAMAGED)
    # 65,535 directories of one pixel: a page each, if one believes it
    size = 2 + 12 * 9 + 4
    body = b"".join(
        tiff_directory(
            tiff_tags(1, 1, 8, 1), 10 + index * size, 10 + (index + 1) * size if index < 65_534 else 0
        )
        for index in range(65_535)
    )
    data = b"II*\0" + struct.pack("<I", 10) + b"\x80\0" + body
    yield Case("bombs/@-pages.tif", "TIFF of 65,535 pages", data, EITHER, size=(1, 1), reason=LARGE)
    big = b"II+\0\x08\0\0\0" + struct.pack("<Q", 2**63)
    yield Case("bombs/@-far.tif", "BigTIFF whose directory is at 2^63", big, BAD, reason=DAMAGED)
    count = b"II+\0\x08\0\0\0" + struct.pack("<QQ", 16, 2**63) + np.zeros(100, np.uint8).tobytes()
    yield Case("bombs/@-bigcount.tif", "BigTIFF that claims 2^63 tags", count, BAD, reason=DAMAGED)
