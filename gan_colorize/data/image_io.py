"""Photographs in: any common file to grey or sRGB pixels at the depth it was stored with.

Reading for colouring keeps everything (:func:`read_photo`); reading for training and evaluation is quick and
8-bit (:func:`read_rgb8`). Writing is in :mod:`~gan_colorize.data.image_write`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from PIL import Image, UnidentifiedImageError

from ..errors import UserError
from .image_write import write_photo
from .metadata import Metadata, orient, orientation_of, read_metadata, tiff_page_metadata
from .opening import (
    IMAGE_SUFFIXES,
    MAX_MEGAPIXELS,
    check_size,
    damage_told,
    is_tiff,
    opened,
    stream_of,
)
from .picture_modes import (
    GREY_WIDE,
    apply_profile,
    from_image,
    managed,
    over_mid_grey,
    to_8bit,
    to_words,
    without_gamma,
)
from .tiff_read import Stored, is_plain, read_page, tiff_pages
from .wide_png import is_wide_png, read_wide_png

if TYPE_CHECKING:
    from tifffile import TiffPage

    from ..inference.working_size import Rows

__all__ = [
    "IMAGE_SUFFIXES",
    "Photo",
    "pixels_of_pages",
    "read_pages",
    "read_photo",
    "read_rgb8",
    "write_photo",
]

_ORIENTATION = 274  # tag of TIFF 6.0
# Up to here L of colour pixels is made once and kept; of larger pictures rows are made when they are needed.
_MOST_KEPT = 32_000_000


@dataclass
class Photo:
    """A photograph as stored, upright, in sRGB encoding; one page of it, if it has several.

    pixels:   (H, W) grey or (H, W, 3) colour; uint8 or uint16, full range.
    alpha:    (H, W) of either depth, or None when the file has none.
    metadata: what the file says beside its pixels and may be carried over.
    format:   "JPEG", "TIFF", ... as Pillow names them.
    bits:     a channel, in the file: 8 or 16. A profile can make 16-bit pixels of an 8-bit file.
    warnings: what was not read as stored, a line each.
    profile:  the embedded RGB profile, if a colour copy may be written in it; else None, for sRGB.
    pages:    in the file.
    """

    pixels: np.ndarray
    alpha: np.ndarray | None = None
    metadata: Metadata = field(default_factory=Metadata)
    format: str = ""
    bits: int = 8
    warnings: list[str] = field(default_factory=list)
    profile: bytes | None = None
    pages: int = 1

    @property
    def size(self) -> tuple[int, int]:
        """(width, height)."""
        return self.pixels.shape[1], self.pixels.shape[0]

    def lightness(self) -> np.ndarray:
        """L of CIE Lab, (H, W) float32 0..100, at the precision of the file."""
        return _lightness_of(self.pixels)

    def lightness_rows(self) -> Rows:
        """The same as an array or, where that costs little or takes much memory, as something whose rows are
        made when asked for."""
        height, width = self.pixels.shape[:2]
        cheap = self.pixels.ndim == 2  # a look into a table
        return _Rows(self) if cheap or height * width > _MOST_KEPT else self.lightness()


class _Rows:
    """L of a photograph, made row by row."""

    def __init__(self, photo: Photo) -> None:
        self._pixels, self.shape = photo.pixels, photo.pixels.shape[:2]

    def __getitem__(self, rows: slice) -> np.ndarray:
        return _lightness_of(self._pixels[rows])


def _lightness_of(pixels: np.ndarray) -> np.ndarray:
    from ..color.lightness import (
        lightness_of,  # brings torch along, which readers of training data do without
    )

    return lightness_of(pixels)


def read_photo(source: Path | str | bytes, max_megapixels: float = MAX_MEGAPIXELS) -> Photo:
    """Read a picture for colouring, losing nothing that its format holds and our output can show.

    The first frame of animations is taken, and the first page of a TIFF (:func:`read_pages` has the others);
    EXIF orientation is applied, alpha kept apart; an embedded profile is applied, and named if a colour copy
    can be written in it.

    Raises:
        UserError: missing, empty, damaged, not an image, or larger than ``max_megapixels``.
    """
    if not is_tiff(source):
        with opened(source, max_megapixels) as image:
            return _photo(image, source)
    with damage_told(source, max_megapixels), stream_of(source) as stream, tiff_pages(stream) as pages:
        return _page_photo(source, stream, pages[0], len(pages), max_megapixels)


def read_pages(source: Path | str | bytes, first: int = 0) -> Iterator[Photo]:
    """The pages of a TIFF from ``first`` on as :func:`read_photo` reads them; reduced copies do not count.

    The directories are read once: for each page again, a thousand pages would cost a minute.

    Raises:
        UserError: as there.
    """
    with damage_told(source), stream_of(source) as stream, tiff_pages(stream) as pages:
        for page in pages[first:]:
            yield _page_photo(source, stream, page, len(pages), MAX_MEGAPIXELS)


def _page_photo(
    source: Path | str | bytes, stream: BinaryIO, page: TiffPage, pages: int, max_megapixels: float
) -> Photo:
    if not is_plain(page):
        return _odd_tiff_photo(source, page, pages, max_megapixels)
    check_size(page.imagewidth, page.imagelength, max_megapixels)
    stored = read_page(page, stream.seek(0, os.SEEK_END))
    return _tiff_photo(source, page, stored, pages)


def pixels_of_pages(source: Path | str | bytes) -> int:
    """How many all pages of a TIFF have together, by what its directories say.

    Raises:
        UserError: as :func:`read_photo`.
    """
    with damage_told(source), stream_of(source) as stream, tiff_pages(stream) as pages:
        return sum(page.imagewidth * page.imagelength for page in pages)


def _odd_tiff_photo(source: Path | str | bytes, page: TiffPage, pages: int, max_megapixels: float) -> Photo:
    """A page that Pillow reads, with 8 bits."""
    bits = int(np.max(page.bitspersample))  # channels may differ
    # of a damaged file the tag may hold anything, and as much of it
    kind = f"{bits}-bit {getattr(page.photometric, 'name', 'of a kind without a name')}"
    try:
        with opened(source, max_megapixels) as image:
            image.seek(page.index)
            check_size(image.width, image.height, max_megapixels)
            photo = _photo(image, source, pages)
    except UserError as error:
        if isinstance(error.__cause__, UnidentifiedImageError):
            raise UserError(f"damaged, or of a kind of TIFF that is not read ({kind})") from error
        raise
    if bits > 8:
        photo.warnings.append(f"{kind} is read at 8 bits")
    return photo


def _photo(image: Image.Image, source: Path | str | bytes, pages: int = 1) -> Photo:
    notes: list[str] = []
    if image.format not in ("MPO", "TIFF") and getattr(image, "is_animated", False):
        notes.append(f"has {image.n_frames} frames; only the first is used")
    is_wide = is_wide_png(image)  # before anything else: Pillow forgets it when it loads
    image.load()  # for a wide image too: damage is reported in one way, and libpng meets none of it
    wide = read_wide_png(source) if is_wide else None
    if wide is None:
        if is_wide:
            notes.append("16-bit colour in this packing is read at 8 bits")
        pixels, alpha, profile = from_image(image, notes)
    else:
        colours, alpha = (wide[..., :-1], wide[..., -1]) if wide.shape[2] in (2, 4) else (wide, None)
        pixels, profile = colours if colours.shape[2] == 3 else colours[..., 0], image.info.get("icc_profile")
    bits = 16 if wide is not None or image.mode in GREY_WIDE else 8
    if not profile:
        pixels = without_gamma(pixels, image, notes)
    pixels, profile = managed(pixels, profile, notes)
    turn = orientation_of(image)  # after loading: Pillow has then turned TIFF upright
    pixels, alpha = _upright(pixels, turn), None if alpha is None else _upright(alpha, turn)
    metadata = read_metadata(image, (pixels.shape[1], pixels.shape[0]), source)
    notes += metadata.notes
    return Photo(pixels, alpha, metadata, image.format or "", bits, notes, profile, pages)


def _tiff_photo(source: Path | str | bytes, page: TiffPage, stored: Stored, pages: int) -> Photo:
    notes, pixels, alpha = stored.notes, stored.values, stored.alpha
    bits = 8 if pixels.dtype == np.uint8 else 16
    if pixels.dtype not in (np.uint8, np.uint16):
        pixels = to_words(pixels, notes)
        alpha = None if alpha is None else to_words(alpha, notes)
    pixels, profile = managed(pixels, page.iccprofile, notes)
    turn = page.tags.valueof(_ORIENTATION, 1)
    pixels, alpha = _upright(pixels, turn), None if alpha is None else _upright(alpha, turn)
    metadata = tiff_page_metadata(source, page.offset, (pixels.shape[1], pixels.shape[0]))
    notes += metadata.notes
    return Photo(pixels, alpha, metadata, "TIFF", bits, notes, profile, pages)


def _upright(pixels: np.ndarray, turn: int) -> np.ndarray:
    # Writable, for what comes from Pillow is not, and torch warns about such arrays.
    return np.require(orient(pixels, turn), requirements=("C", "W"))


def read_rgb8(source: Path | str | bytes, short_side: int | None = None) -> np.ndarray:
    """Read a picture as (H, W, 3) uint8 sRGB, upright; transparent parts show mid-grey.

    Args:
        source: a path or an encoded file.
        short_side: make the picture smaller, antialiased, until its short side has this many pixels; never
            larger. JPEG is then decoded at a fraction of its size.

    Raises:
        UserError: as :func:`read_photo`.
    """
    with opened(source) as image:
        if short_side is not None and image.format in ("JPEG", "MPO"):
            image.draft(None, (short_side, short_side))
        image.load()
        if image.mode == "RGB" and "transparency" not in image.info:
            pixels, profile = image, image.info.get("icc_profile")
        else:
            values, alpha, profile = from_image(image, [])
            if values.ndim == 2:
                values, _ = managed(values, profile, [])
            pixels = Image.fromarray(over_mid_grey(to_8bit(values), alpha))
        pixels = _shrink(pixels, short_side)
        if pixels.mode == "RGB" and profile:  # after shrinking: fewer pixels to convert
            pixels = apply_profile(pixels, profile, [])
        return np.ascontiguousarray(orient(np.asarray(pixels.convert("RGB")), orientation_of(image)))


def _shrink(image: Image.Image, short_side: int | None) -> Image.Image:
    if short_side is None or min(image.size) <= short_side:
        return image
    factor = short_side / min(image.size)
    size = (max(1, round(image.width * factor)), max(1, round(image.height * factor)))
    return image.resize(size, Image.Resampling.BICUBIC)
