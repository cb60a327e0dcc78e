"""Photographs in: any common file to grey or sRGB pixels at the depth it was stored with.

Reading for colouring keeps everything (:func:`read_photo`); reading for training and evaluation is quick and
8-bit (:func:`read_rgb8`). Writing is in :mod:`~gan_colorize.data.image_write`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from ..errors import UserError
from .icc import ProfileError, grey_to_srgb16, image_to_srgb, rgb16_to_srgb16
from .image_write import write_photo
from .metadata import Metadata, orient, orientation_of, read_metadata
from .opening import IMAGE_SUFFIXES, MAX_MEGAPIXELS, opened
from .sixteen import is_wide_colour, read_wide_colour

__all__ = ["IMAGE_SUFFIXES", "Photo", "read_photo", "read_rgb8", "write_photo"]

_GREY_16 = ("I;16", "I;16B", "I;16L", "I;16N")
_GREY_WIDE = (*_GREY_16, "I", "F")


@dataclass
class Photo:
    """A photograph as stored, upright, in sRGB encoding.

    pixels:   (H, W) grey or (H, W, 3) colour; uint8 or uint16, full range.
    alpha:    (H, W) of either depth, or None when the picture is opaque.
    metadata: what the file says beside its pixels and may be carried over.
    format:   "JPEG", "TIFF", ... as Pillow names them.
    bits:     a channel, in the file: 8 or 16. A profile can make 16-bit pixels of an 8-bit file.
    warnings: what was not read as stored, a line each.
    """

    pixels: np.ndarray
    alpha: np.ndarray | None = None
    metadata: Metadata = field(default_factory=Metadata)
    format: str = ""
    bits: int = 8
    warnings: list[str] = field(default_factory=list)

    @property
    def size(self) -> tuple[int, int]:
        """(width, height)."""
        return self.pixels.shape[1], self.pixels.shape[0]

    def lightness(self) -> np.ndarray:
        """L of CIE Lab, (H, W) float32 0..100, at the precision of the file."""
        from ..color import fast

        if self.pixels.ndim == 2:
            wide = self.pixels.dtype == np.uint16
            table = fast.lightness_of_grey16() if wide else fast.LIGHTNESS_OF_GREY8
            # Half the time of an index expression; a pixel is never outside its table.
            return np.take(np.asarray(table, dtype=np.float32), self.pixels, mode="clip")
        if self.pixels.dtype == np.uint8:
            return fast.rgb8_to_lightness(self.pixels)
        return _exact_lightness(self.pixels)


def read_photo(source: Path | str | bytes, max_megapixels: float = MAX_MEGAPIXELS) -> Photo:
    """Read a picture for colouring, losing nothing that its format holds and our output can show.

    The first frame of animations and multi-page files is taken, EXIF orientation applied, an embedded profile
    converted to sRGB, alpha kept apart.

    Raises:
        UserError: missing, empty, damaged, not an image, or larger than ``max_megapixels``.
    """
    with opened(source, max_megapixels) as image:
        notes: list[str] = []
        if image.format != "MPO" and getattr(image, "is_animated", False):
            notes.append(f"has {image.n_frames} frames or pages; only the first is used")
        is_wide = is_wide_colour(image)  # before anything else: Pillow forgets it when it loads
        wide = read_wide_colour(image) if is_wide else None
        orientation = orientation_of(image)
        image.load()  # for a wide image too: damage is reported in one way
        if wide is not None:
            pixels, alpha = _from_wide_colour(wide, image, notes)
        else:
            if is_wide:
                notes.append("16-bit colour in this packing is read at 8 bits")
            pixels, alpha = _from_image(image, notes)
        if wide is None or pixels.dtype == np.uint8:
            orientation = orientation_of(image)  # Pillow turns TIFF upright while it loads
        # Writable, for what comes from Pillow is not, and torch warns about such arrays.
        pixels = np.require(orient(pixels, orientation), requirements=("C", "W"))
        if alpha is not None:
            opaque = alpha.min() == np.iinfo(alpha.dtype).max
            alpha = None if opaque else orient(alpha, orientation)
        metadata = read_metadata(image, (pixels.shape[1], pixels.shape[0]))
        stored_wide = is_wide or image.mode in _GREY_WIDE
        bits = 16 if stored_wide and pixels.dtype == np.uint16 else 8
        return Photo(pixels, alpha, metadata, image.format or "", bits, notes)


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
            pixels = image
        else:
            values, alpha = _from_image(image, [], profile=image.mode != "RGB")
            pixels = Image.fromarray(_over_mid_grey(to_8bit(values), alpha))
        pixels = _shrink(pixels, short_side)
        if image.mode == "RGB" and image.info.get("icc_profile"):  # after shrinking: fewer pixels to convert
            pixels = _apply_profile(pixels, image.info["icc_profile"], [])
        return np.ascontiguousarray(orient(np.asarray(pixels.convert("RGB")), orientation_of(image)))


def to_8bit(values: np.ndarray) -> np.ndarray:
    """uint8 as it is, uint16 rounded to the nearest of 256 levels."""
    if values.dtype == np.uint8:
        return values
    return ((values.astype(np.uint32) + 128) // 257).astype(np.uint8)


def _from_wide_colour(
    wide: np.ndarray, image: Image.Image, notes: list[str]
) -> tuple[np.ndarray, np.ndarray | None]:
    colours, alpha = (wide[..., :-1], wide[..., -1]) if wide.shape[2] in (2, 4) else (wide, None)
    profile = image.info.get("icc_profile")
    if colours.shape[2] == 1:
        return _grey_with_profile(colours[..., 0], profile, notes), alpha
    if profile:
        try:
            colours = rgb16_to_srgb16(colours, profile)
        except ProfileError as error:
            notes.append(f"{error}; read at 8 bits")
            return _from_image(image, notes)
    return colours, alpha


def _from_image(
    image: Image.Image, notes: list[str], profile: bool = True
) -> tuple[np.ndarray, np.ndarray | None]:
    """(pixels, alpha) of any mode that Pillow has; ``profile`` False leaves an RGB profile unapplied."""
    icc = image.info.get("icc_profile") if profile else None
    if image.mode in _GREY_WIDE:
        return _grey_with_profile(_wide_grey(image, notes), icc, notes), None
    if image.mode in ("LA", "La", "PA", "RGBA", "RGBa", "P") or "transparency" in image.info:
        grey = image.mode in ("L", "LA", "La", "1")
        transparent = image.mode != "P" or "transparency" in image.info
        image = image.convert("RGBA" if transparent else "RGB")
        alpha = np.asarray(image.getchannel("A")) if transparent else None
        image = image.convert("RGB").getchannel("G") if grey else image.convert("RGB")
    else:
        alpha = None
    if image.mode in ("1", "L"):
        return _grey_with_profile(np.asarray(image.convert("L")), icc, notes), alpha
    if image.mode == "YCbCr" or image.mode == "HSV" or image.mode == "RGBX":
        image = image.convert("RGB")
    if icc:
        image = _apply_profile(image, icc, notes)
    elif image.mode == "LAB":
        image = _lab_to_rgb(image)
    return np.asarray(image.convert("RGB")), alpha


def _apply_profile(image: Image.Image, profile: bytes, notes: list[str]) -> Image.Image:
    try:
        return image_to_srgb(image, profile)
    except ProfileError as error:
        notes.append(f"{error}; ignored")
        return image


def _grey_with_profile(grey: np.ndarray, profile: bytes | None, notes: list[str]) -> np.ndarray:
    if not profile:
        return grey
    try:
        converted = grey_to_srgb16(grey, profile)
    except ProfileError as error:
        notes.append(f"{error}; ignored")
        return grey
    return grey if converted is None else converted


def _wide_grey(image: Image.Image, notes: list[str]) -> np.ndarray:
    """(H, W) uint16 of the grey modes with more than 8 bits."""
    values = np.asarray(image)
    if image.mode in _GREY_16:
        values = values.astype(np.uint16)  # native byte order
        white_is_zero = image.format == "TIFF" and image.tag_v2.get(262) == 0
        return 65535 - values if white_is_zero else values
    low, high = values.min(), values.max()
    if not (np.isfinite(low) and np.isfinite(high)):
        raise UserError("has values that are infinite or not a number; save it with 16 bits")
    # Floating point names no white: the smallest usual range that holds the values.
    whites = (1, 255, 65535) if image.mode == "F" else (65535,)
    white = next((white for white in whites if low >= 0 and high <= white), None)
    if white is not None:
        if image.mode == "F" and white > 1:
            notes.append(f"floating-point values up to {high:g}: taken as 0 (black) to {white} (white)")
        return np.rint(values * (65535 / white)).astype(np.uint16)
    raise UserError(f"32-bit values from {low:g} to {high:g} have no agreed white; save it with 16 bits")


def _lab_to_rgb(image: Image.Image) -> Image.Image:
    from PIL import ImageCms

    lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    return ImageCms.profileToProfile(image, lab, srgb, outputMode="RGB")


def _over_mid_grey(values: np.ndarray, alpha: np.ndarray | None) -> np.ndarray:
    if alpha is None:
        return values
    share = to_8bit(alpha).astype(np.float32) / 255
    share = share[..., None] if values.ndim == 3 else share
    return np.rint(values * share + 128 * (1 - share)).astype(np.uint8)


def _shrink(image: Image.Image, short_side: int | None) -> Image.Image:
    if short_side is None or min(image.size) <= short_side:
        return image
    factor = short_side / min(image.size)
    size = (max(1, round(image.width * factor)), max(1, round(image.height * factor)))
    return image.resize(size, Image.Resampling.BICUBIC)


def _exact_lightness(rgb16: np.ndarray) -> np.ndarray:
    """L of (H, W, 3) uint16, in bands of rows: the exact conversion holds several floats a pixel."""
    import torch

    from ..color.lab import rgb_to_lab

    out = np.empty(rgb16.shape[:2], np.float32)
    for top in range(0, len(rgb16), 256):
        band = torch.from_numpy(rgb16[top : top + 256].astype(np.float32) / 65535).permute(2, 0, 1)
        out[top : top + 256] = rgb_to_lab(band)[0].numpy()
    return out
