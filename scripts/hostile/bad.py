"""Files that are no pictures, or are pictures no longer: cut, overwritten, of another kind."""

from __future__ import annotations

import gzip
import io
import pickle
import random
import struct
import zipfile
from collections.abc import Iterator

from PIL import Image

from .by_hand import GREY, png
from .case import BAD, EITHER, Case, as8, as16, in_colour, photograph
from .good_jpeg import jpeg
from .good_other import saved
from .good_tiff import tiff
from .tools import pgm

EMPTY, FOREIGN, DAMAGED = "empty", "not an image", "damaged"


def cases(seed: int = 0) -> Iterator[Case]:
    yield from _foreign(random.Random(seed))
    yield from _cut()
    yield from _flipped(random.Random(seed + 1))


def _foreign(chance: random.Random) -> Iterator[Case]:
    yield Case("bad/@-empty.jpg", "empty file", b"", BAD, reason=EMPTY)
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("../../escaped.txt", "out")
    page = "%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(%pipe%touch {} ) (w) file\nshowpage\n"
    dangerous = b"cos\nsystem\n(S'touch pickle-was-run'\ntR."
    kinds = {
        "zeros.png": ("nothing but zeros", bytes(4096)),
        "noise.tif": ("random bytes", chance.randbytes(5000)),
        "one.gif": ("a single byte", b"G"),
        "text.jpg": ("text", b"Dear diary, today I took no photograph.\n" * 40),
        "page.jpg": ("HTML", b"<!DOCTYPE html><html><script>alert(1)</script></html>"),
        "print.png": ("PDF", b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\ntrailer <</Root 1 0 R>>\n%%EOF\n"),
        "script.jpg": ("PostScript that starts a program", page.format("postscript-was-run").encode()),
        "preview.tif": (
            "PostScript with a DOS header",
            struct.pack("<4s6IH", b"\xc5\xd0\xd3\xc6", 30, 99, 0, 0, 0, 0, 0),
        ),
        "drawing.png": (
            "SVG with an entity",
            b'<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY f SYSTEM "file:///etc/passwd">]><svg>&f;</svg>',
        ),
        "archive.jpg": ("ZIP", archive.getvalue()),
        "packed.jpg": ("a JPEG within gzip", gzip.compress(jpeg(as8(photograph())), mtime=0)),
        "program.png": ("ELF program", b"\x7fELF\2\1\1" + bytes(200)),
        "setup.bmp": ("Windows program", b"MZ" + bytes(58) + struct.pack("<I", 64) + b"PE\0\0" + bytes(200)),
        "shell.jpg": ("shell script", b"#!/bin/sh\ntouch shell-was-run\n"),
        "pickle.jpg": ("pickle that starts a program", dangerous),
        "numbers.tif": ("pickle of numbers", pickle.dumps(list(range(100)))),
        "film.jpg": ("MP4", b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + bytes(400)),
        "phone.jpg": ("HEIC", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(400)),
        "layers.tif": ("Photoshop", b"8BPS\0\1" + bytes(400)),
        "icon.png": ("Windows icon", saved(Image.new("L", (16, 16)), "ICO")),
        "targa.jpg": ("Targa", saved(Image.new("L", (16, 16)), "TGA")),
        "sun.png": ("PCX", saved(Image.new("L", (16, 16)), "PCX")),
        "floats.ppm": ("DDS", saved(Image.new("RGBA", (16, 16)), "DDS")),
        "pointer.png": ("Git LFS pointer", b"version https://git-lfs.github.com/spec/v1\nsize 12345\n"),
        "marker.jpg": ("JPEG marker alone", b"\xff\xd8\xff"),
        "start.png": ("PNG signature alone", b"\x89PNG\r\n\x1a\n"),
        "start.tif": ("TIFF header alone", b"II*\0\x08\0\0\0"),
        "start.webp": ("RIFF of sound", b"RIFF\x24\0\0\0WAVEfmt " + bytes(24)),
    }
    for name, (kind, data) in kinds.items():
        yield Case(f"bad/@-{name}", kind, data, BAD, reason=FOREIGN)


def _formats() -> dict[str, bytes]:
    picture = photograph(160, 120, seed=41)
    grey, colour = as8(picture), in_colour(as8(picture))
    return {
        "jpg": jpeg(grey),
        "progressive.jpg": jpeg(colour, progressive=True),
        "png": png(grey, 8, GREY),
        "wide.png": png(in_colour(as16(picture)), 16, 2),
        "tif": tiff(grey),
        "lzw.tif": tiff(in_colour(as16(picture)), compression="lzw", rowsperstrip=20),
        "jpeg.tif": tiff(colour, compression="jpeg"),
        "webp": saved(colour, "WEBP", quality=90),
        "avif": saved(colour, "AVIF", quality=90),
        "gif": saved(grey, "GIF"),
        "bmp": saved(grey, "BMP"),
        "jp2": saved(grey, "JPEG2000"),
        "pgm": pgm(grey),
    }


def _cut() -> Iterator[Case]:
    """Cut at many points. A TIFF whose directory is at its end is lost wherever it is cut; of others the last
    bytes may be no loss."""
    for name, data in _formats().items():
        for percent in (5, 30, 50, 75, 95):
            told = f"{name.replace('.', ' ')} cut at {percent} %"
            # what decoders make of a picture whose last rows are missing is theirs
            outcome = EITHER if percent == 95 or name.startswith("progressive") else BAD
            part = data[: len(data) * percent // 100]
            yield Case(
                f"cut/@-{percent}.{name}", told, part, outcome, size=(160, 120), bits=8, reason=DAMAGED
            )
        told = f"{name.replace('.', ' ')} without its last byte"
        yield Case(f"cut/@-last.{name}", told, data[:-1], EITHER, size=(160, 120), reason=DAMAGED)


def _flipped(chance: random.Random) -> Iterator[Case]:
    for name, data in _formats().items():
        for times in (1, 20):
            damaged = bytearray(data)
            for _ in range(times):
                damaged[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
            told = f"{name.replace('.', ' ')} with {times} bits flipped"
            yield Case(f"flipped/@-{times}.{name}", told, bytes(damaged), EITHER, reason=DAMAGED)
