"""The colour conversions of the CPU path: tables, and bands of rows that stay in the cache.

8-bit pictures need no power function on the way in (256 values: a table) nor on the way out (a table over
linear light, fine enough that a level is at most one from the exact one). Between the two, every step is
one pass of torch over a band of pixels in buffers made once. tests/color/test_fast.py measures it against
color.lab.
"""

from __future__ import annotations

import functools
import threading

import numpy as np
import torch
from torch import Tensor

from . import lab as exact
from .threads import one_thread

# Pixels in a band: small enough for its buffers to stay in a core's cache, large enough for the fixed cost
# of a torch call (about 1 us, 45 calls a band) and of the threads' turns at it to stay a small part.
# Measured: 16384 takes 1.5 times as long, 32768 a twentieth more CPU time where two threads work.
_BAND = 65536

# Vector units take up to 64 numbers at a time; the rest goes to other code, whose last bit differs. A band is
# shared by at most two threads (torch gives each 32768 numbers or more), so halves must come out even.
_VECTOR = 2 * 64

# Entries of the table over linear light. sRGB is steepest at black, 12.92 * 255 levels a unit: one entry
# spans at most a fifth of a level.
_LEVELS = 16384


def _table_of_grey(count: int) -> Tensor:
    return exact.grey_to_lightness(torch.arange(count, dtype=torch.float64) / (count - 1)).float()


# (256,) float32: L of an 8-bit sRGB grey.
LIGHTNESS_OF_GREY8: np.ndarray = _table_of_grey(256).numpy()


@functools.cache
def lightness_of_grey16() -> np.ndarray:
    """(65536,) float32: L (0..100) of a 16-bit sRGB grey; made once."""
    return _table_of_grey(65536).numpy()


@functools.cache
def _linear_of_8bit() -> Tensor:
    return exact.srgb_to_linear(torch.arange(256, dtype=torch.float64) / 255).float()


@functools.cache
def linear_of_16bit() -> Tensor:
    """(65536,) float32 linear light of 16-bit sRGB."""
    return exact.srgb_to_linear(torch.arange(65536, dtype=torch.float64) / 65535).float()


@functools.cache
def _level_of_linear() -> Tensor:
    """(16385,) uint8: the rounded sRGB level in the middle of each cell of linear light, then of 1.0."""
    middles = (torch.arange(_LEVELS + 1, dtype=torch.float64) + 0.5).div_(_LEVELS).clamp_(max=1.0)
    return (exact.linear_to_srgb(middles) * 255).round().to(torch.uint8)


def _tensor(array: np.ndarray, dtype: type) -> Tensor:
    """The array's values in one row; shared memory unless it is read-only, as Pillow's are, or strided."""
    return torch.from_numpy(np.require(array, dtype, ["C", "W"])).view(-1)


def _cie_f_(t: Tensor) -> Tensor:
    """f(t) of CIE Lab, overwriting t: the cube root above the toe, its line below, without a `where`."""
    upper = t.clamp(min=exact.TOE_T)
    # The logarithm and its inverse together take half as long as a power.
    return t.sub_(upper).mul_(exact.TOE_SLOPE).add_(upper.log_().mul_(1.0 / 3.0).exp_())


def rgb8_to_lab(rgb: Tensor) -> Tensor:
    """Lab of 8-bit sRGB pictures, on their device.

    Args:
        rgb: (..., 3, H, W) uint8.

    Returns:
        (..., 3, H, W) float32 L, a, b; within 1e-3 of color.lab.rgb_to_lab.

    Raises:
        TypeError, ValueError: not uint8, or another shape.
    """
    if rgb.dtype != torch.uint8:
        raise TypeError(f"rgb must be uint8, got {rgb.dtype}; for 0..1 pictures: color.lab.rgb_to_lab")
    if rgb.dim() < 3 or rgb.shape[-3] != 3:
        raise ValueError(f"rgb must have the shape (..., 3, H, W), got {tuple(rgb.shape)}")
    pictures, pixels = rgb.shape[:-3].numel(), rgb.shape[-2] * rgb.shape[-1]
    # Channels first of all: small pictures share a band, for a call costs as much as a thousand pixels.
    planes = rgb.reshape(pictures, 3, pixels).transpose(0, 1).reshape(3, -1)
    # Padded, so that a picture's values do not depend on what shares its band.
    planes = torch.nn.functional.pad(planes, (0, -planes.shape[1] % _VECTOR))
    lab = torch.empty(planes.shape, dtype=torch.float32, device=rgb.device)
    linear_of_8bit = _linear_of_8bit().to(rgb.device)
    band = _BAND if rgb.device.type == "cpu" else planes.shape[1]
    for start in range(0, planes.shape[1], max(1, band)):
        piece, out = planes[:, start : start + band], lab[:, start : start + band]
        red, green, blue = torch.index_select(linear_of_8bit, 0, piece.int().reshape(-1)).view(piece.shape)
        f = []
        for row, white in zip(exact.RGB_TO_XYZ, exact.WHITE_D65, strict=True):
            t = (red * (row[0] / white)).add_(green, alpha=row[1] / white)
            f.append(_cie_f_(t.add_(blue, alpha=row[2] / white)))
        torch.mul(f[1], 116.0, out=out[0]).sub_(16.0)
        torch.sub(f[0], f[1], out=out[1]).mul_(500.0)
        torch.sub(f[1], f[2], out=out[2]).mul_(200.0)
    return lab[:, : pictures * pixels].view(3, pictures, pixels).transpose(0, 1).reshape(rgb.shape)


def rgb8_to_lightness(rgb: np.ndarray) -> np.ndarray:
    """L of an 8-bit sRGB picture: uint8 (H, W, 3) -> float32 (H, W), 0..100, within 1e-3 of exact."""
    return _rgb_to_lightness(rgb, np.uint8, _linear_of_8bit())


def rgb16_to_lightness(rgb: np.ndarray) -> np.ndarray:
    """L of a 16-bit sRGB picture: uint16 (H, W, 3) -> float32 (H, W), 0..100, within 5e-5 of exact."""
    return _rgb_to_lightness(rgb, np.uint16, linear_of_16bit())


@one_thread()
def _rgb_to_lightness(rgb: np.ndarray, kind: type, linear_of: Tensor) -> np.ndarray:
    if rgb.dtype != kind or rgb.ndim != 3 or rgb.shape[2] != 3:
        raise ValueError(f"rgb must be {kind.__name__} (H, W, 3), got {rgb.dtype} {rgb.shape}")
    pixels = _tensor(rgb, kind)
    lightness = torch.empty(rgb.shape[:2], dtype=torch.float32)
    luminance = torch.tensor(exact.RGB_TO_XYZ[1])
    for band, out in zip(pixels.split(3 * _BAND), lightness.view(-1).split(_BAND), strict=True):
        linear = torch.index_select(linear_of, 0, band.int())
        torch.mv(linear.view(-1, 3), luminance, out=out)
        _cie_f_(out).mul_(116.0).sub_(16.0)
    return lightness.numpy()


class _Buffers(threading.local):
    """A thread's own working memory for `_BAND` pixels: its pages alone cost a millisecond to make anew."""

    def __init__(self) -> None:
        self.planes = [torch.empty(3 * _BAND) for _ in range(3)]
        self.index = torch.empty(3 * _BAND, dtype=torch.int32)
        self.levels = torch.empty(3 * _BAND, dtype=torch.uint8)


_buffers = _Buffers()


# With g = 116 f = L + 16 for grey, the inverse of f is, times a constant that the matrix takes back,
# (g - u) + _CUBE u^3 where u is g clamped to the toe: a cube above it, a line below.
_TOE_G = 116.0 * exact.TOE_F
_CUBE = exact.TOE_SLOPE / 116.0**2
_PER_LIGHT = 116.0 * exact.TOE_SLOPE  # the constant: what stands for linear light of 1


@functools.cache
def _matrix_of_light() -> Tensor:
    """(3, 3): X, Y, Z of white 1, times _PER_LIGHT -> linear light, 0.._LEVELS."""
    matrix = exact.xyz_to_rgb_matrix() * torch.tensor(exact.WHITE_D65, dtype=torch.float64)
    return (matrix * (_LEVELS / _PER_LIGHT)).float()


class _Band:
    """Converts `size` pixels of Lab to 8-bit RGB, at most `_BAND`, in the thread's buffers."""

    hair, top = torch.tensor(0.005), torch.tensor(_LEVELS + 0.01)

    def __init__(self, size: int) -> None:
        self.first, self.second, self.third = (p[: 3 * size].view(3, size) for p in _buffers.planes)
        self.index, self.levels = _buffers.index[: 3 * size], _buffers.levels[: 3 * size]

    def convert(self, lightness: Tensor, a: Tensor, b: Tensor, out: np.ndarray) -> None:
        """lightness, a, b (size,) float32 -> out (size, 3) uint8."""
        g, rgb = self.first, self.second
        torch.clamp(lightness, 0.0, 100.0, out=g[1]).add_(16.0)
        torch.add(g[1], a, alpha=116.0 / 500.0, out=g[0])
        torch.add(g[1], b, alpha=-116.0 / 200.0, out=g[2])
        upper = torch.clamp(g, min=_TOE_G, out=rgb)
        g.sub_(upper).addcmul_(torch.mul(upper, upper, out=self.third), upper, value=_CUBE)
        torch.mm(_matrix_of_light(), g, out=rgb)  # linear light, 0.._LEVELS
        self._desaturate_(rgb, g[1])
        self.index.view_as(rgb).copy_(rgb)
        torch.index_select(_level_of_linear(), 0, self.index, out=self.levels)
        red, green, blue = self.levels.view_as(rgb).numpy()
        out[:, 0], out[:, 1], out[:, 2] = red, green, blue

    def _desaturate_(self, rgb: Tensor, luminance: Tensor) -> None:
        """Pull colours outside the cube towards the grey of their own luminance until they touch its surface.

        The matrix row of Y sums to 1, so on that line in linear light Y, and with it L, stays as it is.
        """
        least, most = rgb.amin(), rgb.amax()
        if not torch.isfinite(least + most):
            raise ValueError("lightness and ab must be finite")
        if least >= 0 and most <= _LEVELS:
            return
        lowest, highest, room = self.third
        torch.minimum(torch.minimum(rgb[0], rgb[1], out=lowest), rgb[2], out=lowest)
        torch.maximum(torch.maximum(rgb[0], rgb[1], out=highest), rgb[2], out=highest)
        # How many times too long the way from grey is, downwards and upwards. Grey never equals an end of the
        # scale: a hundredth of a level, lost when the index is cut to a whole number, avoids black's 0/0.
        grey = torch.add(self.hair, luminance, alpha=_LEVELS / _PER_LIGHT, out=luminance)
        torch.sub(grey, lowest, out=lowest).div_(grey)
        highest.sub_(grey).div_(torch.sub(self.top, grey, out=room))
        share = torch.maximum(lowest, highest, out=lowest).clamp_(min=1.0).reciprocal_()
        torch.lerp(grey.expand_as(rgb), rgb, share.expand_as(rgb), out=rgb)


@one_thread()
def lab_to_rgb8(lightness: np.ndarray, ab: np.ndarray) -> np.ndarray:
    """8-bit sRGB of L and ab, rounded, with L preserved.

    A colour outside sRGB loses chroma in linear light, towards the grey of its own luminance, until it
    fits: its L before rounding is the given one. (Clamping RGB, as the exact path does, changes L by many
    units.)

    Args:
        lightness: float32 (H, W); values outside 0..100 count as the nearer end.
        ab: float32 (2, H, W).

    Returns:
        uint8 (H, W, 3), within one level of exact conversion.

    Raises:
        ValueError: other shapes, NaN, or infinite ab.
    """
    height, width = lightness.shape
    if ab.shape != (2, height, width):
        raise ValueError(f"ab must have the shape (2, {height}, {width}), got {ab.shape}")
    planes = [_tensor(plane, np.float32) for plane in (lightness, *ab)]
    out = np.empty((height * width, 3), np.uint8)
    for start in range(0, height * width, _BAND):
        pixels = slice(start, min(start + _BAND, height * width))
        _Band(pixels.stop - start).convert(*(plane[pixels] for plane in planes), out[pixels])
    return out.reshape(height, width, 3)
