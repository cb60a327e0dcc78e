"""Embedded colour profiles to sRGB and back, at the depth of the picture.

LittleCMS evaluates them in floating point through imagecodecs: its 16-bit arithmetic is coarse, and Pillow
has 8 bits. A profile of curves and a matrix is measured once and applied as that.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import imagecodecs
import numpy as np
import torch

from ..color import lab
from ..color.threads import one_thread
from ..color.wide import Space, fit_
from .icc import ProfileError

# x, y, Y of sRGB's white and primaries (IEC 61966-2-1).
_WHITE = (0.3127, 0.3290, 1.0)
_PRIMARIES = (0.64, 0.33, 1.0, 0.30, 0.60, 1.0, 0.15, 0.06, 1.0)
# How far a grid of colours may be off before a profile is none of curves and a matrix (in linear light).
_NOT_ADDITIVE = 5e-4
# Where a profile moves nothing by more than half an 8-bit level, it is sRGB under another name.
_SAME = 0.5 / 255
# Display, input and colour space profiles: what pixels may be stored in. Others describe presses and links.
_STORABLE = (b"mntr", b"spac", b"scnr")
# From black to white, in linear light; a curve below it would wipe the picture out.
_LEAST_RISE = 0.1
_BAND = 1 << 18
_WORDS = 65536


@dataclass(frozen=True, eq=False)
class _Shaper:
    """A profile of curves (3, 65536) to linear light of its own, and a matrix (3, 3) to linear sRGB."""

    curves: torch.Tensor
    matrix: torch.Tensor


def grey_to_srgb16(grey: np.ndarray, profile: bytes) -> np.ndarray | None:
    """Grey (H, W) uint8 or uint16 with a grey profile as sRGB-encoded uint16; None when nothing would change.

    Raises:
        ProfileError: see there.
    """
    table = _grey_table(profile)
    if table is None:
        return None
    return table[grey.astype(np.uint16) * 257 if grey.dtype == np.uint8 else grey]


@lru_cache(maxsize=8)
def _grey_table(profile: bytes) -> np.ndarray | None:
    if profile[16:20] != b"GRAY":
        raise ProfileError("its colour profile is not for grey pixels")
    ramp = np.linspace(0, 1, _WORDS, dtype=np.float32)[None]
    linear = _to_linear(ramp, profile, "gray")[0, :, 1]
    if linear[-1] - linear[0] < _LEAST_RISE:
        raise ProfileError("its colour profile is damaged")
    table = np.rint(_encoded(linear) * 65535).astype(np.uint16)
    return None if np.abs(table.astype(int) - np.arange(_WORDS)).max() <= 65535 * _SAME else table


def gamma_to_srgb16(values: np.ndarray, gamma: float) -> np.ndarray:
    """uint8 or uint16 that are light to the power of ``gamma``, as sRGB-encoded uint16."""
    light = np.linspace(0, 1, _WORDS) ** (1 / gamma)
    table = np.rint(_encoded(light) * 65535).astype(np.uint16)
    return table[values.astype(np.uint16) * 257 if values.dtype == np.uint8 else values]


def rgb_to_srgb16(rgb: np.ndarray, profile: bytes) -> np.ndarray | None:
    """(H, W, 3) uint8 or uint16 with an RGB profile as sRGB uint16; None when nothing would change.

    Colours beyond sRGB keep their luminance.

    Raises:
        ProfileError: see there.
    """
    if profile[16:20] != b"RGB ":
        raise ProfileError("its colour profile is not for RGB pixels")
    if _is_srgb(profile):
        return None
    shaper = _shaper(profile)
    out = np.empty(rgb.shape, np.uint16)
    rows = max(1, _BAND // rgb.shape[1])
    for top in range(0, len(rgb), rows):  # several floats a pixel of a whole scan are gigabytes
        band = rgb[top : top + rows]
        if shaper is None:
            values = band.astype(np.float32) / np.iinfo(rgb.dtype).max
            linear = torch.from_numpy(_to_linear(values, profile, "rgb").reshape(-1, 3).T.copy())
        else:
            linear = _shaped(band, shaper)
        out[top : top + rows] = _fitted16(linear).reshape(band.shape)
    return out


def space_of(profile: bytes | None) -> Space | None:
    """The space in which pixels with this RGB profile are written; None for sRGB.

    Raises:
        ProfileError: pixels cannot be written in it.
    """
    if profile is None:
        return None
    if profile[16:20] != b"RGB " or profile[12:16] not in _STORABLE:
        raise ProfileError("its colour profile is not for RGB pixels")
    return None if _is_srgb(profile) else _space(profile)


@lru_cache(maxsize=8)
def _space(profile: bytes) -> Space:
    shaper = _shaper(profile)
    if shaper is None or (shaper.curves.diff(dim=1) < -1e-6).any():
        raise ProfileError("its colour profile has no way back from colours to pixels")
    return Space(torch.linalg.inv(shaper.matrix.double()), shaper.curves.double().cummax(dim=1).values)


@lru_cache(maxsize=8)
def _is_srgb(profile: bytes) -> bool:
    # names of profiles lie; what a profile does to a grid of colours does not
    grid = _grid(9)
    return bool(np.abs(_encoded(_to_linear(grid, profile, "rgb")) - grid).max() <= _SAME)


@lru_cache(maxsize=8)
def _shaper(profile: bytes) -> _Shaper | None:
    """None: a profile of tables, not of curves and a matrix."""
    ramps = np.zeros((3, _WORDS, 3), np.float32)
    for channel in range(3):
        ramps[channel, :, channel] = np.linspace(0, 1, _WORDS)
    light = _to_linear(ramps, profile, "rgb").astype(np.float64)  # (3, 65536, 3)
    columns = light[:, -1]
    if np.abs(np.linalg.det(columns)) < 1e-3:
        return None
    curves = np.einsum("cni,ci->cn", light, columns) / (columns**2).sum(1)[:, None]
    grid = _grid(9)
    at = np.rint(grid * (_WORDS - 1)).astype(int)
    mixed = np.stack([curves[channel][at[..., channel]] for channel in range(3)], -1) @ columns
    if np.abs(mixed - _to_linear(grid, profile, "rgb")).max() > _NOT_ADDITIVE:
        return None
    return _Shaper(torch.from_numpy(curves).float(), torch.from_numpy(columns.T.copy()).float())


def _grid(steps: int) -> np.ndarray:
    values = np.linspace(0, 1, steps, dtype=np.float32)
    return np.stack(np.meshgrid(values, values, values), -1).reshape(steps, steps * steps, 3)


@one_thread()
def _shaped(band: np.ndarray, shaper: _Shaper) -> torch.Tensor:
    index = torch.from_numpy(band.astype(np.int32)).view(-1, 3)
    index = index * 257 if band.dtype == np.uint8 else index
    own = [torch.index_select(curve, 0, index[:, channel]) for channel, curve in enumerate(shaper.curves)]
    return shaper.matrix @ torch.stack(own)


@one_thread()
def _fitted16(linear: torch.Tensor) -> np.ndarray:
    """Linear sRGB (3, P), unbounded, as (P, 3) uint16."""
    luminance = torch.tensor(lab.RGB_TO_XYZ[1]) @ linear
    return np.rint(lab.linear_to_srgb(fit_(linear, luminance)).numpy().T * 65535).astype(np.uint16)


def _encoded(linear: np.ndarray) -> np.ndarray:
    return lab.linear_to_srgb(torch.from_numpy(np.clip(linear, 0, 1))).numpy()


@lru_cache(maxsize=1)
def _linear_srgb() -> bytes:
    return imagecodecs.cms_profile("rgb", whitepoint=_WHITE, primaries=_PRIMARIES, gamma=1.0)


def _to_linear(values: np.ndarray, profile: bytes, space: str) -> np.ndarray:
    """(H, W) or (H, W, 3) float32 0..1 in a profile's space -> (H, W, 3) float32 linear sRGB, unbounded."""
    try:
        linear = imagecodecs.cms_transform(
            values,
            profile,
            _linear_srgb(),
            colorspace=space,
            outcolorspace="rgb",
            outdtype="float32",
            intent=int(imagecodecs.CMS.INTENT.RELATIVE_COLORIMETRIC),
            flags=int(imagecodecs.CMS.FLAGS.BLACKPOINTCOMPENSATION),
        )
    except (imagecodecs.CmsError, ValueError, TypeError) as error:
        raise ProfileError("its colour profile is damaged") from error
    if not np.isfinite(linear).all():
        raise ProfileError("its colour profile is damaged")
    return linear
