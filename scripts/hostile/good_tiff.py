"""TIFF of every depth, packing and structure, mostly by tifffile."""

from __future__ import annotations

import io
from collections.abc import Iterator

import cv2
import numpy as np
import tifffile
from PIL import Image

from . import by_hand
from .case import EITHER, Case, as8, as16, in_colour, photograph
from .good_png import turned_away
from .tools import by_tool


def tiff(*pages: np.ndarray, bigtiff: bool = False, order: str = "<", **options: object) -> bytes:
    """A TIFF by tifffile with a directory for every array."""
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer, bigtiff=bigtiff, byteorder=order) as writer:
        for page in pages:
            writer.write(
                page, **{"photometric": "rgb" if page.ndim == 3 else "minisblack", "metadata": None} | options
            )
    return buffer.getvalue()


def cases() -> Iterator[Case]:
    yield from _depths()
    yield from _packings()
    yield from _structure()
    yield from _pages()
    yield from _tools()


def _depths() -> Iterator[Case]:
    picture = photograph(seed=21)
    eight, sixteen = as8(picture), as16(picture)
    for order, word in (("<", "little"), (">", "big")):
        for values, bits in ((eight, 8), (sixteen, 16)):
            for channels, words in ((1, "grey"), (3, "RGB")):
                pixels = values if channels == 1 else in_colour(values)
                told = f"TIFF {words} {bits} bits, {word}-endian"
                data = tiff(pixels, order=order)
                yield Case(f"tiff/@-{words}-{bits}-{word}.tif", told, data, picture=picture, bits=bits)
    for values, bits in ((eight, 8), (sixteen, 16)):
        for channels, words in ((2, "grey and alpha"), (4, "RGBA")):
            space = "rgb" if channels == 4 else "minisblack"
            for kind in ("unassalpha", "assocalpha"):
                pixels = in_colour(values, channels)
                if kind == "assocalpha":  # colours are stored multiplied by alpha
                    top = np.iinfo(values.dtype).max
                    share = pixels[..., -1:].astype(np.float64) / top
                    pixels[..., :-1] = np.rint(pixels[..., :-1] * share)
                data = tiff(pixels, extrasamples=[kind], photometric=space, planarconfig="contig")
                told = f"TIFF {words} {bits} bits, {kind}"
                name = f"tiff/@-{words.replace(' ', '-')}-{bits}-{kind}.tif"
                yield Case(name, told, data, size=(61, 43), bits=bits)
        data = tiff(np.iinfo(values.dtype).max - values, photometric="miniswhite")
        yield Case(
            f"tiff/@-negative-{bits}.tif",
            f"TIFF where zero is white, {bits} bits",
            data,
            picture=picture,
            bits=bits,
        )
    bilevel = picture > 0.45
    for space in ("minisblack", "miniswhite"):
        data = tiff(bilevel if space == "minisblack" else ~bilevel, photometric=space)
        told = f"TIFF of 1 bit, {space}"
        yield Case(f"tiff/@-bilevel-{space}.tif", told, data, picture=bilevel.astype(float))
    for kind in (np.float16, np.float32, np.float64):
        told = f"TIFF of {np.dtype(kind).name}, 0 to 1"
        data = tiff(picture.astype(kind))
        outcome = "good" if kind is np.float32 else EITHER
        yield Case(f"tiff/@-{np.dtype(kind).name}.tif", told, data, outcome, picture, bits=16)
    twelve = (sixteen >> 4).astype(np.uint16)  # stored as 16 bits: nothing says that 4095 is white
    yield Case("tiff/@-twelve.tif", "TIFF of 12 bits in 16", tiff(twelve), size=(61, 43), bits=16)
    packed = tiff(twelve, bitspersample=12, compression="none") if _packs12() else None
    if packed:
        yield Case("tiff/@-twelve-packed.tif", "TIFF of 12 bits, packed", packed, EITHER, picture)
    yield Case(
        "tiff/@-signed.tif",
        "TIFF of signed integers",
        tiff((sixteen >> 1).astype(np.int16)),
        EITHER,
        size=(61, 43),
    )
    wide = (picture * (2**32 - 1)).astype(np.uint32)
    yield Case("tiff/@-grey-32.tif", "TIFF grey 32 bits", tiff(wide), EITHER, picture)
    yield Case("tiff/@-complex.tif", "TIFF of complex numbers", tiff(picture.astype(np.complex64)), EITHER)
    hot = picture.astype(np.float32)
    hot[3, 3] = np.nan
    yield Case("tiff/@-nan.tif", "TIFF of float32 with a NaN", tiff(hot), EITHER, size=(61, 43))
    colours = np.repeat((np.arange(256, dtype=np.uint16) * 257)[None], 3, 0)
    data = tiff(eight, photometric="palette", colormap=colours)
    yield Case("tiff/@-palette.tif", "TIFF palette", data, picture=picture)
    ink = np.zeros((*eight.shape, 4), np.uint8)
    ink[..., 3] = 255 - eight
    data = tiff(ink, photometric="separated")
    yield Case("tiff/@-cmyk.tif", "TIFF CMYK", data, size=(61, 43))
    lab = Image.merge("LAB", [Image.fromarray(eight), *[Image.new("L", (61, 43), 128)] * 2])
    buffer = io.BytesIO()
    lab.save(buffer, "TIFF")
    yield Case("tiff/@-lab.tif", "TIFF CIE Lab", buffer.getvalue(), size=(61, 43))


def _packs12() -> bool:
    try:
        tiff(np.zeros((2, 2), np.uint16), bitspersample=12)
    except (ValueError, NotImplementedError):
        return False
    return True


def _packings() -> Iterator[Case]:
    picture = photograph(seed=22)
    eight, sixteen = as8(picture), as16(picture)
    for compression in (
        "lzw",
        "deflate",
        "packbits",
        "zstd",
        "lzma",
        "lerc",
        "jpegxl",
        "png",
        "webp",
        "jpeg2000",
    ):
        usual = compression in ("lzw", "deflate", "packbits")
        for values, bits in ((in_colour(eight), 8), (sixteen, 16), (in_colour(sixteen), 16)):
            if compression == "webp" and (bits == 16 or values.ndim == 2):  # has neither
                continue
            told = f"TIFF {compression}, {values.ndim} dimensions, {bits} bits"
            data = tiff(values, compression=compression, rowsperstrip=7)
            name = f"tiff/@-{compression}-{values.ndim}-{bits}.tif"
            yield Case(name, told, data, "good" if usual else EITHER, picture, bits=bits)
    for predictor in (True, False):
        words = "with a predictor" if predictor else "without"
        data = tiff(in_colour(sixteen), compression="lzw", predictor=predictor, order=">")
        told = f"TIFF big-endian LZW RGB 16 bits {words}"
        yield Case(f"tiff/@-lzw-be-{predictor}.tif", told, data, picture=picture, bits=16)
    floating = tiff(picture.astype(np.float32), compression="deflate", predictor=True)
    yield Case(
        "tiff/@-float-predictor.tif", "TIFF float32 with a predictor", floating, EITHER, picture, bits=16
    )
    data = tiff(eight, compression="jpeg", compressionargs={"level": 92})
    yield Case("tiff/@-jpeg-grey.tif", "TIFF with JPEG grey", data, picture=picture)
    data = tiff(in_colour(eight), compression="jpeg", compressionargs={"level": 92})
    yield Case("tiff/@-jpeg-colour.tif", "TIFF with JPEG colour", data, picture=picture)
    for values, bits in ((eight, 8), (sixteen, 16)):
        data = tiff(in_colour(values), tile=(16, 32))
        yield Case(
            f"tiff/@-tiles-{bits}.tif", f"TIFF in tiles, {bits} bits", data, picture=picture, bits=bits
        )
        data = tiff(values, tile=(64, 64), compression="deflate", predictor=True)
        told = f"TIFF in one tile that is larger than it, {bits} bits"
        yield Case(f"tiff/@-tile-{bits}.tif", told, data, picture=picture, bits=bits)
        planes = np.ascontiguousarray(np.moveaxis(in_colour(values), -1, 0))
        data = tiff(planes, photometric="rgb", planarconfig="separate")
        yield Case(
            f"tiff/@-planes-{bits}.tif", f"TIFF in planes, {bits} bits", data, picture=picture, bits=bits
        )
        data = tiff(planes, photometric="rgb", planarconfig="separate", tile=(16, 16), compression="lzw")
        yield Case(
            f"tiff/@-plane-tiles-{bits}.tif",
            f"TIFF in tiled planes, {bits} bits",
            data,
            picture=picture,
            bits=bits,
        )


def _structure() -> Iterator[Case]:
    picture = photograph(seed=23)
    eight, sixteen = as8(picture), as16(picture)
    for order in "<>":
        for values, bits in ((in_colour(eight), 8), (sixteen, 16), (in_colour(sixteen), 16)):
            data = tiff(values, bigtiff=True, order=order)
            told = f"BigTIFF {values.ndim} dimensions {bits} bits {order}"
            name = f"tiff/@-big-{values.ndim}-{bits}-{'be' if order == '>' else 'le'}.tif"
            yield Case(name, told, data, picture=picture, bits=bits)
    for orientation in range(1, 9):
        for values, bits in ((eight, 8), (in_colour(sixteen), 16)):
            stored = np.ascontiguousarray(turned_away(values, orientation))
            data = tiff(stored, extratags=[(274, 3, 1, orientation, True)])
            told = f"TIFF with orientation {orientation}, {bits} bits"
            yield Case(f"tiff/@-turn-{orientation}-{bits}.tif", told, data, picture=picture, bits=bits)
    rows = tiff(sixteen, rowsperstrip=1)
    yield Case("tiff/@-rows.tif", "TIFF of one row a strip", rows, picture=picture, bits=16)
    odd = by_hand.tiff(61, 43, eight.tobytes(), rows=None)
    yield Case("tiff/@-no-rows.tif", "TIFF that does not say its rows a strip", odd, picture=picture)
    odd = by_hand.tiff(61, 43, eight.tobytes(), rows=(278, 4, 1, [0xFFFFFFFF]))
    yield Case("tiff/@-all-rows.tif", "TIFF of 4,294,967,295 rows a strip", odd, picture=picture)
    tagged = tiff(
        eight,
        description="At the lake",
        software="scanner 1.0",
        resolution=(300, 300),
        resolutionunit="INCH",
        extratags=[(315, "s", 0, "A. Nobody", True), (33432, "s", 0, "nobody", True)],
    )
    yield Case("tiff/@-tagged.tif", "TIFF with descriptions", tagged, picture=picture)
    private = tiff(eight, extratags=[(65000, "B", 200_000, bytes(200_000), True)])
    yield Case("tiff/@-private.tif", "TIFF with a large private tag", private, picture=picture)
    damaged = tiff(
        eight, extratags=[(700, "B", 9, b"<x:xmp><\xff", True), (34675, "B", 50, b"\x01" * 50, True)]
    )
    yield Case("tiff/@-xmp-icc.tif", "TIFF with damaged XMP and profile", damaged, picture=picture)


def _pages() -> Iterator[Case]:
    first, second = photograph(seed=24), photograph(40, 70, seed=25)
    pages = (as8(first), in_colour(as8(second)))
    yield Case(
        "tiff/@-pages.tif", "TIFF of two pages of their own sizes", tiff(*pages), picture=first, pages=2
    )
    pages = (as16(first), as8(second), in_colour(as16(first)))
    yield Case(
        "tiff/@-depths.tif", "TIFF of pages of 8 and 16 bits", tiff(*pages), picture=first, pages=3, bits=16
    )
    data = tiff(*[as8(first)] * 12, compression="lzw")
    yield Case("tiff/@-twelve-pages.tif", "TIFF of twelve pages", data, picture=first, pages=12)
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as writer:
        writer.write(as16(first), subifds=2, photometric="minisblack", metadata=None)
        for step in (2, 4):
            small = np.ascontiguousarray(as16(first)[::step, ::step])
            writer.write(small, subfiletype=1, photometric="minisblack", metadata=None)
    yield Case(
        "tiff/@-subifds.tif", "TIFF with smaller copies in SubIFDs", buffer.getvalue(), picture=first, bits=16
    )
    thumbnail = np.ascontiguousarray(as8(first)[::4, ::4])
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as writer:
        writer.write(as8(first), photometric="minisblack", metadata=None)
        writer.write(thumbnail, subfiletype=1, photometric="minisblack", metadata=None)
    # a reduced copy (NewSubfileType bit 0) is no page; a program that does not know may colour it as well
    yield Case(
        "tiff/@-thumbnail.tif", "TIFF with a thumbnail as second page", buffer.getvalue(), EITHER, first
    )


def _tools() -> Iterator[Case]:
    picture = photograph(seed=26)
    eight, sixteen = as8(picture), as16(picture)
    for values, bits in ((in_colour(eight), 8), (in_colour(sixteen), 16), (sixteen, 16)):
        data = cv2.imencode(".tif", values)[1].tobytes()
        told = f"TIFF by OpenCV {values.ndim} dimensions {bits} bits"
        yield Case(f"tiff/@-opencv-{values.ndim}-{bits}.tif", told, data, picture=picture, bits=bits)
    bilevel = np.where(picture > 0.45, 255, 0).astype(np.uint8)
    for fax in ("Group4", "Fax", "RLE", "LZMA", "Zip"):
        data = by_tool("convert", bilevel, "tif", "-compress", fax, "-type", "bilevel")
        if data:
            yield Case(f"tiff/@-magick-{fax}.tif", f"TIFF {fax} by ImageMagick", data, EITHER, bilevel / 255)
    data = by_tool("ffmpeg", sixteen, "tif")
    if data:
        yield Case("tiff/@-ffmpeg.tif", "TIFF by ffmpeg, 16 bits", data, picture=picture, bits=16)
    for packing, options in (
        ("lzw", ("-c", "lzw:2")),
        ("tiles", ("-t", "-w", "32", "-l", "16")),
        ("big-endian", ("-B",)),
    ):
        data = by_tool("tiffcp", tiff(in_colour(sixteen)), "tif", *options)
        if data:
            yield Case(
                f"tiff/@-tiffcp-{packing}.tif", f"TIFF {packing} by tiffcp", data, picture=picture, bits=16
            )
    flipped = by_tool("tiffcp", tiff(eight), "tif", "-f", "lsb2msb")
    if flipped:
        yield Case("tiff/@-lsb.tif", "TIFF with the bits of a byte reversed", flipped, picture=picture)
