"""TIFF pixels at the depth they are stored with, page by page, through tifffile.

Grey and RGB of 8 to 16 bits and of floating point, in strips, tiles and planes, of any compression that
imagecodecs knows. Palettes, CMYK, Lab, YCbCr and bilevel pictures are left to Pillow, at 8 bits.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
import tifffile

from ..errors import UserError, one_line

# Of a chain of directories; beyond it a file is an attack or a film.
MOST_PAGES = 10_000
# More are no photograph's: multispectral stacks have hundreds.
_MOST_SAMPLES = 8
# A strip or tile may be as large as the whole picture, or this many values where the picture is smaller.
_SMALL_SEGMENT = 1 << 24
_ASSOCIATED = 1  # alpha that colours are multiplied with (TIFF 6.0, section 18)


@dataclass
class Stored:
    """values: (H, W) or (H, W, 3), as stored but for white that was 0; alpha: (H, W) or None."""

    values: np.ndarray
    alpha: np.ndarray | None
    notes: list[str]


@contextmanager
def tiff_pages(stream: BinaryIO) -> Iterator[list[tifffile.TiffPage]]:
    """The pages of a TIFF that are pictures of their own, not reduced copies.

    Raises:
        UserError: no TIFF, or its directories are damaged.
    """
    with _told(), tifffile.TiffFile(stream) as tiff:
        count = len(tiff.pages)
        if count > MOST_PAGES:
            raise UserError(f"has {count} pages; the limit is {MOST_PAGES}")
        pages = [tiff.pages[index].aspage() for index in range(count)]
        # the first is taken whatever it says of itself: something must be
        yield [page for page in pages if not page.subfiletype & 5] or pages[:1]


@contextmanager
def _told() -> Iterator[None]:
    """Decoders of damaged files raise what they like; all of it is the file's fault here."""
    try:
        yield
    except (UserError, MemoryError, OSError):
        raise
    except Exception as error:
        raise UserError(f"damaged or unsupported ({one_line(error, 200)})") from error


def is_plain(page: tifffile.TiffPage) -> bool:
    """Whether :func:`read_page` can read it; else it is Pillow's."""
    kind = page.dtype
    depth_fits = kind is not None and (
        (kind.kind == "u" and page.bitspersample >= 8) or (kind.kind in "if" and page.bitspersample >= 16)
    )
    colour = page.photometric in (0, 1, 2) and page.samplesperpixel >= (3 if page.photometric == 2 else 1)
    jpeg = page.compression in (6, 7) and page.bitspersample == 8  # Pillow knows its tables and subsampling
    return depth_fits and colour and not jpeg and page.imagedepth == 1


def read_page(page: tifffile.TiffPage, size: int) -> Stored:
    """Pixels of a plain page; ``size`` is that of the file in bytes.

    Raises:
        UserError: damaged.
    """
    notes: list[str] = []
    with _told():
        _check(page, size)
        values = page.asarray(maxworkers=1)
        if page.planarconfig == 2 and page.samplesperpixel > 1:
            values = np.moveaxis(values, 0, -1)
        values = values.reshape(page.imagelength, page.imagewidth, page.samplesperpixel)
    colours = 3 if page.photometric == 2 else 1
    extra, alpha = values[..., colours:], None
    kinds = [int(kind) for kind in page.extrasamples] or [0] * extra.shape[2]
    if extra.shape[2]:
        alpha = np.ascontiguousarray(extra[..., 0])
        if extra.shape[2] > 1:
            notes.append(f"has {extra.shape[2]} extra channels; the first is kept as transparency")
    picture = values[..., :colours] if colours == 3 else values[..., 0]
    if page.photometric == 0:
        picture = _inverted(picture, page.bitspersample)
    if alpha is not None and kinds[0] == _ASSOCIATED:
        picture = _unmultiplied(picture, alpha)
    bits = page.bitspersample
    if values.dtype == np.uint16 and bits < 16:
        picture, alpha = _widened(picture, bits), None if alpha is None else _widened(alpha, bits)
    return Stored(np.ascontiguousarray(picture), alpha, notes)


def _check(page: tifffile.TiffPage, size: int) -> None:
    """That the directory's claims fit the file, before memory is reserved by them."""
    if not 1 <= page.samplesperpixel <= _MOST_SAMPLES:
        raise UserError(f"has {page.samplesperpixel} channels; at most {_MOST_SAMPLES} are read")
    pixels = page.imagelength * page.imagewidth
    segment = page.tilelength * page.tilewidth if page.is_tiled else pixels
    if page.is_tiled and segment > max(4 * pixels, _SMALL_SEGMENT):
        raise UserError(f"damaged: tiles of {page.tilewidth}x{page.tilelength}")
    offsets, counts = page.dataoffsets, page.databytecounts
    expected = int(np.prod(page.chunked))
    if len(offsets) < expected or len(counts) < expected:
        raise UserError(f"damaged: {min(len(offsets), len(counts))} of {expected} parts are listed")
    if any(count == 0 for count in counts):
        raise UserError("damaged: parts of it are empty")
    if any(offset + count > size for offset, count in zip(offsets, counts, strict=False)):
        raise UserError("damaged: it ends before its pixels do")


def _inverted(values: np.ndarray, bits: int) -> np.ndarray:
    if values.dtype.kind != "u":
        return values
    return values.dtype.type((1 << bits) - 1) - values


def _widened(values: np.ndarray, bits: int) -> np.ndarray:
    """9 to 15 bits in words of 16, to the full range."""
    most = (1 << bits) - 1
    return ((values.astype(np.uint32) * 65535 + most // 2) // most).astype(np.uint16)


def _unmultiplied(values: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    if values.dtype.kind != "u":
        return values
    most = np.iinfo(values.dtype).max
    out = np.empty_like(values)
    for row in range(0, len(values), 256):
        share = np.maximum(alpha[row : row + 256].astype(np.float64), 1) / most
        share = share[..., None] if values.ndim == 3 else share
        out[row : row + 256] = np.minimum(np.rint(values[row : row + 256] / share), most)
    return out
