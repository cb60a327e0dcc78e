"""Decoded pictures of every kind to grey or sRGB pixels: modes, palettes, transparency, profiles, floats."""

from __future__ import annotations

import numpy as np
from PIL import Image

from ..errors import UserError
from .icc import ProfileError, image_to_srgb

GREY_16 = ("I;16", "I;16B", "I;16L", "I;16N")
GREY_WIDE = (*GREY_16, "I", "F")
# What a gAMA chunk says of sRGB, and how near to it other values are taken for that.
_USUAL_GAMMA, _SAME_GAMMA = 0.45455, 0.03


def to_8bit(values: np.ndarray) -> np.ndarray:
    """uint8 as it is, uint16 rounded to the nearest of 256 levels."""
    if values.dtype == np.uint8:
        return values
    return ((values.astype(np.uint32) + 128) // 257).astype(np.uint8)


def from_image(image: Image.Image, notes: list[str]) -> tuple[np.ndarray, np.ndarray | None, bytes | None]:
    """(pixels, alpha, profile) of any mode that Pillow has, loaded.

    pixels are grey or RGB as stored, and profile is what they are to be taken through; CMYK and Lab are sRGB
    already.
    """
    icc = image.info.get("icc_profile")
    if image.mode in GREY_WIDE:
        return _wide_grey(image, notes), None, icc
    alpha = None
    if image.mode in ("LA", "La", "PA", "RGBA", "RGBa", "P") or "transparency" in image.info:
        grey = image.mode in ("L", "LA", "La", "1")
        transparent = image.mode != "P" or "transparency" in image.info
        image = image.convert("RGBA" if transparent else "RGB")
        alpha = np.asarray(image.getchannel("A")) if transparent else None
        image = image.convert("RGB").getchannel("G") if grey else image.convert("RGB")
    if image.mode in ("1", "L"):
        return np.asarray(image.convert("L")), alpha, icc
    if image.mode in ("CMYK", "LAB"):
        return np.asarray(_separations_to_rgb(image, icc, notes)), alpha, None
    return np.asarray(image.convert("RGB")), alpha, icc


def managed(pixels: np.ndarray, profile: bytes | None, notes: list[str]) -> tuple[np.ndarray, bytes | None]:
    """(pixels, profile) of stored grey (H, W) or RGB (H, W, 3) values with their embedded profile.

    The pixels are sRGB-encoded: the same array where the profile says so, else uint16 whatever they were,
    for 8 bits would lose levels. The profile is what a colour copy may be written in, None for plain sRGB.
    """
    if not profile:
        return pixels, None
    # imported here: they bring torch along, which readers of training data do without
    from .icc_wide import grey_to_srgb16, rgb_to_srgb16, space_of

    is_grey = pixels.ndim == 2
    try:
        converted = grey_to_srgb16(pixels, profile) if is_grey else rgb_to_srgb16(pixels, profile)
    except ProfileError as error:
        notes.append(f"{error}; ignored")
        return pixels, None
    pixels = pixels if converted is None else converted
    try:
        if not is_grey:
            space_of(profile)
            return pixels, profile
    except ProfileError:
        pass  # it can be read, not written: the copy is sRGB
    return pixels, None


def without_gamma(pixels: np.ndarray, image: Image.Image, notes: list[str]) -> np.ndarray:
    """Values of a PNG without a profile as sRGB, uint16 if its gAMA chunk says that they are something else
    (PNG specification, 11.3.3.2 and 13.13)."""
    gamma = image.info.get("gamma")
    if image.format != "PNG" or gamma is None or "srgb" in image.info:
        return pixels
    if abs(gamma - _USUAL_GAMMA) < _SAME_GAMMA or not 0.1 < gamma < 10:
        return pixels
    from .icc_wide import gamma_to_srgb16  # see managed

    notes.append(f"its values have a gamma of {gamma:g} and not sRGB's; converted")
    return gamma_to_srgb16(pixels, gamma)


def apply_profile(image: Image.Image, profile: bytes, notes: list[str]) -> Image.Image:
    """An RGB, CMYK or LAB image as 8-bit sRGB; as it is where the profile does not fit."""
    try:
        return image_to_srgb(image, profile)
    except ProfileError as error:
        notes.append(f"{error}; ignored")
        return image


def _separations_to_rgb(image: Image.Image, profile: bytes | None, notes: list[str]) -> Image.Image:
    if profile:
        image = apply_profile(image, profile, notes)
    elif image.mode == "LAB":
        image = _lab_to_rgb(image)
    return image.convert("RGB")


def _wide_grey(image: Image.Image, notes: list[str]) -> np.ndarray:
    """(H, W) uint16 of the grey modes with more than 8 bits."""
    values = np.asarray(image)
    if image.mode in GREY_16:
        values = values.astype(np.uint16)  # native byte order
        white_is_zero = image.format == "TIFF" and image.tag_v2.get(262) == 0
        return 65535 - values if white_is_zero else values
    return to_words(values, notes)


def to_words(values: np.ndarray, notes: list[str]) -> np.ndarray:
    """Floating-point or 32-bit values of any shape as uint16.

    Raises:
        UserError: no usual range holds them.
    """
    low, high = values.min(), values.max()
    if not (np.isfinite(low) and np.isfinite(high)):
        raise UserError("has values that are infinite or not a number; save it with 16 bits")
    # Floating point names no white: the smallest usual range that holds the values.
    floating = values.dtype.kind == "f"
    whites = (1, 255, 65535) if floating else (32767,) if values.dtype == np.int16 else (65535,)
    white = next((white for white in whites if low >= 0 and high <= white), None)
    if white is not None:
        if floating and white > 1:
            notes.append(f"floating-point values up to {high:g}: taken as 0 (black) to {white} (white)")
        wide = values.astype(np.float32) if values.dtype == np.float16 else values
        return np.rint(wide * (65535 / white)).astype(np.uint16)
    raise UserError(f"values from {low:g} to {high:g} have no agreed white; save it with 16 bits")


def _lab_to_rgb(image: Image.Image) -> Image.Image:
    from PIL import ImageCms

    lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    return ImageCms.profileToProfile(image, lab, srgb, outputMode="RGB")


def over_mid_grey(values: np.ndarray, alpha: np.ndarray | None) -> np.ndarray:
    """8-bit values, transparent ones mixed with mid-grey."""
    if alpha is None:
        return values
    share = to_8bit(alpha).astype(np.float32) / 255
    share = share[..., None] if values.ndim == 3 else share
    return np.rint(values * share + 128 * (1 - share)).astype(np.uint8)
