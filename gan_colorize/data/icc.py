"""Embedded colour profiles to sRGB: 8-bit pictures through LittleCMS, 16-bit ones through their own curves.

LittleCMS as Pillow wraps it has no 16-bit pixels, and archive scans are 16-bit with a grey or a matrix
profile; both kinds are a tone curve and at most one matrix (ICC.1:2010, sections 8.3.3, 8.4.4, 10.5, 10.15).
"""

from __future__ import annotations

import io
import struct
from functools import lru_cache

import numpy as np
from PIL import Image, ImageCms

# Linear sRGB to the profile connection space: D65 primaries adapted to D50 by Bradford (IEC 61966-2-1; ICC).
_SRGB_TO_PCS = np.array(
    [[0.4360747, 0.3850649, 0.1430804], [0.2225045, 0.7168786, 0.0606169], [0.0139322, 0.0971045, 0.7141733]]
)
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
    """An 8-bit RGB, CMYK or LAB image as sRGB; the image itself when its profile is sRGB.

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
        source = ImageCms.getOpenProfile(io.BytesIO(profile))
        target = ImageCms.createProfile("sRGB")
        transform = ImageCms.buildTransform(
            source,
            target,
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


def grey_to_srgb16(grey: np.ndarray, profile: bytes) -> np.ndarray | None:
    """Grey (H, W) uint8 or uint16 with a grey profile as sRGB-encoded uint16; None when nothing would change.

    Raises:
        ProfileError: see there.
    """
    if profile[16:20] != b"GRAY":
        raise ProfileError("its colour profile is not for grey pixels")
    table = _encode16(_curve(profile, b"kTRC"))  # (65536,)
    if np.abs(table.astype(int) - np.arange(65536)).max() <= 128:  # half a step of 8 bits
        return None
    return table[grey.astype(np.uint16) * 257 if grey.dtype == np.uint8 else grey]


def rgb16_to_srgb16(rgb16: np.ndarray, profile: bytes) -> np.ndarray:
    """(H, W, 3) uint16 with a matrix profile as sRGB uint16.

    Raises:
        ProfileError: no matrix profile, or damaged.
    """
    if profile[16:20] != b"RGB " or b"A2B0" in _tags(profile):
        raise ProfileError("its colour profile cannot be applied at 16 bits")
    columns = [np.array(_s15fixed16(_tag(profile, name)[8:20])) for name in (b"rXYZ", b"gXYZ", b"bXYZ")]
    matrix = (np.linalg.inv(_SRGB_TO_PCS) @ np.stack(columns, 1)).astype(np.float32)
    curves = [_curve(profile, name).astype(np.float32) for name in (b"rTRC", b"gTRC", b"bTRC")]
    out = np.empty_like(rgb16)
    for top in range(0, len(rgb16), 256):  # bands: three floats a pixel of a whole scan are gigabytes
        band = rgb16[top : top + 256]
        linear = np.stack([curve[band[..., channel]] for channel, curve in enumerate(curves)], -1)
        out[top : top + 256] = _encode16(linear @ matrix.T)
    return out


def _encode16(linear: np.ndarray) -> np.ndarray:
    """Linear 0..1 to sRGB-encoded uint16 (IEC 61966-2-1)."""
    linear = np.clip(linear, 0, 1)
    encoded = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.rint(encoded * 65535).astype(np.uint16)


def _curve(profile: bytes, name: bytes) -> np.ndarray:
    """(65536,) float64 linear light 0..1 of every 16-bit value, from a curv or para tag."""
    tag = _tag(profile, name)
    x = np.arange(65536) / 65535
    try:
        if tag[:4] == b"curv":
            (count,) = struct.unpack_from(">I", tag, 8)
            if count == 0:
                return x
            if count == 1:
                return x ** (struct.unpack_from(">H", tag, 12)[0] / 256)
            points = np.frombuffer(tag, ">u2", count, 12) / 65535
            return np.interp(x, np.linspace(0, 1, count), points)
        if tag[:4] == b"para":
            return _parametric(x, struct.unpack_from(">H", tag, 8)[0], _s15fixed16(tag[12:]))
    except (struct.error, ValueError, IndexError, ArithmeticError) as error:
        raise ProfileError("its colour profile is damaged") from error
    raise ProfileError("its colour profile has no tone curve")


def _parametric(x: np.ndarray, kind: int, p: list[float]) -> np.ndarray:
    """ICC.1:2010 table 65; p = g a b c d e f as far as the kind has them."""
    g = p[0]
    if kind == 0:
        return x**g
    a, b = p[1], p[2]
    power = np.maximum(a * x + b, 0) ** g
    if kind == 1:
        return np.where(x >= -b / a, power, 0)
    if kind == 2:
        return np.where(x >= -b / a, power, 0) + p[3]
    if kind == 3:
        return np.where(x >= p[4], power, p[3] * x)
    if kind == 4:
        return np.where(x >= p[4], power + p[5], p[3] * x + p[6])
    raise ValueError(f"parametric curve of kind {kind}")


def _s15fixed16(data: bytes) -> list[float]:
    return [value / 65536 for value in struct.unpack(f">{len(data) // 4}i", data[: len(data) // 4 * 4])]


def _tags(profile: bytes) -> dict[bytes, tuple[int, int]]:
    try:
        (count,) = struct.unpack_from(">I", profile, 128)
        entries = [struct.unpack_from(">4sII", profile, 132 + 12 * i) for i in range(min(count, 100))]
    except struct.error as error:
        raise ProfileError("its colour profile is damaged") from error
    return {name: (offset, size) for name, offset, size in entries}


def _tag(profile: bytes, name: bytes) -> bytes:
    offset, size = _tags(profile).get(name, (0, 0))
    if len(profile) < offset + size or size < 12:
        raise ProfileError("its colour profile has no tone curve or is damaged")
    return profile[offset : offset + size]
