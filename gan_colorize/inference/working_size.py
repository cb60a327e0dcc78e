"""The size policy: what the network sees of a photograph, and how that is cut and padded.

The short side is brought to the model's working size, the aspect is kept, nothing is ever enlarged (a
network trained on crops sees a small picture at its own scale), and very long pictures are reduced
further: to an area of MAX_AREA squares of the working size, and to MAX_LENGTH times its length.
"""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np
from PIL import Image

try:
    from ..color import shrink_kernel
except (ImportError, RuntimeError):  # as in color.lightness
    shrink_kernel = None

# A 4:1 panorama is still seen at the full working size; a strip cannot ask for gigabytes, not even one of a
# single row, which is padded to the network's size divisor.
MAX_AREA = 4.0
MAX_LENGTH = 32

# Pictures are reduced by whole numbers to so many times the size wanted before the filter does the rest.
_GAP = 4.0
# Of a plane that makes its rows when they are asked for.
_BAND_PIXELS = 1 << 22
# The weights of the compiled filter are four numbers a pixel of a side.
_LONGEST = 200_000


class Rows(Protocol):
    """A (H, W) float32 plane whose rows can be had: an array, or something that makes them."""

    shape: tuple[int, int]

    def __getitem__(self, rows: slice) -> np.ndarray: ...


def working_shape(height: int, width: int, size: int) -> tuple[int, int]:
    """(height, width) that the network sees of a photograph; each at least 1."""
    area = math.sqrt(MAX_AREA * size * size / (height * width))
    scale = min(1.0, size / min(height, width), MAX_LENGTH * size / max(height, width), area)
    return max(1, round(height * scale)), max(1, round(width * scale))


def shrink(plane: Rows, shape: tuple[int, int], least: float = 0.0, most: float = 100.0) -> np.ndarray:
    """Antialiased reduction of a (H, W) float32 plane to ``shape``; the plane itself when they agree.

    The filter overshoots at hard edges; the result is cut to least..most, by default the range of L.

    The filter is the training crops' (:mod:`gan_colorize.data.transforms`). A plane that is no array but
    makes its rows when they are asked for gives equal results.
    """
    if plane.shape == shape:
        return plane[:]
    if shrink_kernel is not None and max(plane.shape) <= _LONGEST:
        rows = max(1, _BAND_PIXELS // plane.shape[1])
        small = shrink_kernel.shrunk(plane, shape, 1 << 30 if isinstance(plane, np.ndarray) else rows)
    else:
        small = _by_pillow(plane, shape)
    return small.clip(least, most)


def _by_pillow(plane: Rows, shape: tuple[int, int]) -> np.ndarray:
    """Without numba, and of endless strips. Large pictures are first reduced by a whole number to four times
    ``shape`` or more: at most 0.09 L rms from the plain filter on sharp pictures of 1440 to 2160 px, in a
    third to two thirds of its time.
    """
    height, width = plane.shape
    down, across = (max(1, int(have / want / _GAP)) for have, want in zip(plane.shape, shape, strict=True))
    rows = down * max(1, _BAND_PIXELS // (width * down))
    tops = range(0, height, rows)
    bands = [Image.fromarray(plane[top : top + rows]).reduce((across, down)) for top in tops]
    image = Image.fromarray(np.concatenate([np.asarray(band) for band in bands]))
    box = (0, 0, width / across, height / down)
    return np.asarray(image.resize(shape[::-1], Image.Resampling.BICUBIC, box=box))


def pad_to_multiple(plane: np.ndarray, divisor: int, least: int = 1) -> np.ndarray:
    """Mirror a (h, w) plane below and to the right until both sides are multiples of ``divisor``.

    least: multiples that a side has, at least.

    Mirroring keeps texture going where black bars would tell the network of an edge; it works for
    pictures smaller than the padding, a single pixel included.
    """
    below, right = (max(-side % divisor, least * divisor - side) for side in plane.shape)
    if below == 0 and right == 0:
        return plane
    return np.pad(plane, ((0, below), (0, right)), mode="symmetric")
