"""The sRGB profile, and embedded profiles applied at 8 bits by LittleCMS as Pillow wraps it.

For the depth of 16 bits: :mod:`~gan_colorize.data.icc_wide`.
"""

from __future__ import annotations

import io
import struct
from functools import lru_cache

import numpy as np
from PIL import Image, ImageCms

_SPACE_OF_MODE = {"RGB": b"RGB ", "CMYK": b"CMYK", "LAB": b"Lab "}


class ProfileError(ValueError):
    """The profile is damaged, or of a kind or a colour space that does not fit the picture."""


@lru_cache(maxsize=1)
def srgb_profile() -> bytes:
    """The sRGB profile that written files carry; the same bytes every time."""
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    data[24:36] = struct.pack(">6H", 2000, 1, 1, 0, 0, 0)  # the date of creation: LittleCMS puts today's
    return bytes(data)


def image_to_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    """An 8-bit RGB, CMYK or LAB image as 8-bit sRGB; the image itself when its profile is sRGB.

    Raises:
        ProfileError: see there.
    """
    transform = _transform(profile, image.mode)
    return image if transform is None else ImageCms.applyTransform(image, transform)


@lru_cache(maxsize=8)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    if profile[16:20] != _SPACE_OF_MODE.get(mode):
        raise ProfileError(f"its colour profile is not for {mode} pixels")
    try:
        transform = ImageCms.buildTransform(
            ImageCms.getOpenProfile(io.BytesIO(profile)),
            ImageCms.createProfile("sRGB"),
            mode,
            "RGB",
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
            ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
        if mode == "RGB":  # names of profiles lie; what a profile does to a grid of colours does not
            steps = np.linspace(0, 255, 9).round().astype(np.uint8)
            grid = np.stack(np.meshgrid(steps, steps, steps), -1).reshape(9, 81, 3)
            moved = np.asarray(ImageCms.applyTransform(Image.fromarray(grid), transform))
            if np.abs(moved.astype(int) - grid).max() <= 1:
                return None
    except (ImageCms.PyCMSError, OSError, ValueError) as error:
        raise ProfileError("its colour profile is damaged") from error
    return transform
