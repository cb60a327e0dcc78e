"""L of CIE Lab of stored pixels, grey or sRGB, 8 or 16 bits."""

from __future__ import annotations

import functools

import numpy as np
import torch

from . import fast
from . import lab as exact

try:
    from . import kernels
except (ImportError, RuntimeError):  # no numba for this Python, or nowhere to keep what it compiles
    kernels = None


def lightness_of(pixels: np.ndarray) -> np.ndarray:
    """L (H, W) float32 0..100 of grey (H, W) or sRGB (H, W, 3), uint8 or uint16; within 5e-5 of exact.

    (For 8-bit colour without numba: within 1e-3.)
    """
    if kernels is None:
        return _by_torch(pixels)
    out = np.empty(pixels.shape[:2], np.float32)
    pixels = np.ascontiguousarray(pixels)
    if pixels.ndim == 2:
        kernels.looked_up(pixels.reshape(-1), _table_of_grey(pixels.dtype), out.reshape(-1))
    else:
        kernels.lightness_of_rgb(pixels.reshape(-1, 3), _light_of(pixels.dtype), out.reshape(-1))
    return out


def _table_of_grey(dtype: np.dtype) -> np.ndarray:
    return fast.LIGHTNESS_OF_GREY8 if dtype == np.uint8 else fast.lightness_of_grey16()


@functools.cache
def _light_of(dtype: np.dtype) -> np.ndarray:
    """(256 or 65536, 3) float32: what a level of red, green, blue adds to Y."""
    most = np.iinfo(dtype).max
    linear = exact.srgb_to_linear(torch.arange(most + 1, dtype=torch.float64) / most)
    return (linear[:, None] * torch.tensor(exact.RGB_TO_XYZ[1], dtype=torch.float64)).float().numpy()


def _by_torch(pixels: np.ndarray) -> np.ndarray:
    wide = pixels.dtype == np.uint16
    if pixels.ndim == 3:
        return fast.rgb16_to_lightness(pixels) if wide else fast.rgb8_to_lightness(pixels)
    # Half the time of an index expression; a pixel is never outside its table.
    return np.take(_table_of_grey(pixels.dtype), pixels, mode="clip")
