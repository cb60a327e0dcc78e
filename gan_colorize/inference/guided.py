"""Where colours end: the small chroma planes follow the edges of the photograph's own full-size lightness.

A cell of the network's chroma is some twenty pixels of the photograph wide, and plain enlargement lets
colours run that far over an edge. Around every cell a straight line from L to ab is fitted to the cells; at
full size the line's L is the pixel's own. This is the fast guided filter (He & Sun 2015, arXiv:1505.00996,
after He, Sun, Tang 2013) with three changes; scripts/bench_edges.py measures what it is worth:

- A line goes through its cell's own colour, not through the window's mean: nothing is blurred, and where the
  slope is zero this is the plain enlargement.
- The slope shrinks where lightness varies within cells: that is texture, of which their means know nothing.
- The slope is bounded by the colours around the cell: less colour in scratches, and hardly a fringe at edges.
"""

from __future__ import annotations

import functools
import math

import numpy as np
import torch
from torch import Tensor

# Lightness is looked at this much finer than chroma: at an output stride of 4, as finely as the network did.
_FINE = 4

# eps of He et al. 2013, equation 5, in L squared: steps below about 2 L are film grain, not edges. Between 1
# and 8 the chroma error near edges changes by half a percent.
_FLAT = 4.0

# What a cell's inner variance of L counts for, beside the variance between cells; 0.2 to 0.5 measure alike.
_TEXTURE = 0.3

# How far beyond the colours around a cell its lightest and darkest spots may lead, in ranges of those
# colours. 0.25 lets them overshoot half as far again (complementary fringes on white walls); 0 costs a
# fiftieth of the accuracy near edges.
_ROOM = 0.1

# Rows of the pooled plane made at a time: a block of weights touches few pixels beyond the ones it needs.
_BLOCK = 16


def local_lines(
    lightness: np.ndarray, ab: np.ndarray, extent: tuple[float, float], seen: np.ndarray | None = None
) -> np.ndarray:
    """Fit ab = slope * L + offset around every cell of the chroma.

    Args:
        lightness: (H, W) float32, 0..100: the photograph's own.
        ab: (2, h, w), -110..110.
        extent: how many rows and columns of ``ab`` the photograph covers; beyond, the photograph is taken as
            mirrored, which is what the network saw there.
        seen: (4h, 4w) L as the network saw it, if it is at hand; else it is made from ``lightness``.

    Returns:
        (4, h, w) float32: slope of a, of b, offset of a, of b; to be enlarged for :func:`follow`.
    """
    shape = (ab.shape[1] * _FINE, ab.shape[2] * _FINE)
    at_hand = seen is not None and seen.shape == shape  # not with a network of another output stride
    # Double precision because variances are differences of squares of up to 10,000.
    fine = (seen if at_hand else _mirrored_means(lightness, shape, extent)).astype(np.float64)
    light = _of_cells(np.add, fine) / _FINE**2  # (h, w)
    texture = _of_cells(np.add, fine * fine) / _FINE**2 - light * light
    mean_light, mean_square, mean_texture = _of_window(np.add, np.stack([light, light * light, texture])) / 9
    mean_ab, mean_product = _of_window(np.add, np.stack([ab, light * ab])) / 9  # (2, h, w)
    variance = np.maximum(mean_square - mean_light * mean_light, 0.0)
    slope = (mean_product - mean_light * mean_ab) / (variance + _TEXTURE * mean_texture + _FLAT)
    slope = _of_window(np.add, _bounded(slope, fine, light, ab)) / 9
    return np.concatenate([slope, ab - slope * light]).astype(np.float32)


def follow(lightness: Tensor, lines: Tensor) -> Tensor:
    """ab (2, H, W) of L (H, W) along the enlarged ``lines`` (4, H, W), whose offsets it overwrites."""
    slopes, offsets = lines.split(2)
    for slope, offset in zip(slopes, offsets, strict=True):  # a fifth faster than with L broadcast over both
        offset.addcmul_(slope, lightness)
    return offsets


def _bounded(slope: np.ndarray, fine: np.ndarray, light: np.ndarray, ab: np.ndarray) -> np.ndarray:
    """The slope (2, h, w), not so steep that an L of the window leads beyond its colours and `_ROOM`."""
    # + 1e-3: never 0, and where L is constant so is the slope, at 0
    darker = light - _of_window(np.minimum, _of_cells(np.minimum, fine)) + 1e-3
    lighter = _of_window(np.maximum, _of_cells(np.maximum, fine)) - light + 1e-3
    least, most = _of_window(np.minimum, ab), _of_window(np.maximum, ab)
    room = _ROOM * (most - least)
    below, above = ab - least + room, most - ab + room
    rising = np.minimum(above / lighter, below / darker)
    falling = np.minimum(below / lighter, above / darker)
    return np.clip(slope, -falling, rising)


def _of_cells(combine: np.ufunc, fine: np.ndarray) -> np.ndarray:
    """(4h, 4w) -> (h, w): the values of every cell combined. In slices: numpy is slow along short axes."""
    rows = functools.reduce(combine, [fine[start::_FINE] for start in range(_FINE)])
    return functools.reduce(combine, [rows[:, start::_FINE] for start in range(_FINE)])


def _of_window(combine: np.ufunc, planes: np.ndarray) -> np.ndarray:
    """(..., h, w): the 3x3 cells around every cell combined, those at the border mirrored.

    5x5 loses a third of what 3x3 gains near edges.
    """
    planes = np.concatenate([planes[..., :1, :], planes, planes[..., -1:, :]], axis=-2)
    planes = combine(combine(planes[..., :-2, :], planes[..., 1:-1, :]), planes[..., 2:, :])
    planes = np.concatenate([planes[..., :1], planes, planes[..., -1:]], axis=-1)
    return combine(combine(planes[..., :-2], planes[..., 1:-1]), planes[..., 2:])


def _mirrored_means(lightness: np.ndarray, shape: tuple[int, int], extent: tuple[float, float]) -> np.ndarray:
    """Area means of L (H, W) over ``shape`` fine cells, mirrored beyond the photograph."""
    means = _area_means(_area_means(lightness, extent[0] * _FINE).T, extent[1] * _FINE).T
    rows, columns = (_mirror(count, have) for count, have in zip(shape, means.shape, strict=True))
    return means[rows][:, columns]


def _area_means(plane: np.ndarray, cells: float) -> np.ndarray:
    """(P, W) -> (ceil(cells), W): P pixels cover ``cells``, the last one perhaps in part; means by area."""
    pixels = plane.shape[0]
    count = max(1, math.ceil(cells - 1e-6))
    means = torch.empty(count, plane.shape[1])
    for start in range(0, count, _BLOCK):
        stop = min(start + _BLOCK, count)
        first, last = int(start * pixels / cells), min(pixels, math.ceil(stop * pixels / cells))
        borders = np.arange(first, last + 1) * (cells / pixels) - np.arange(start, stop)[:, None]
        covered = np.minimum(np.maximum(borders, 0.0), 1.0)  # of a cell, up to the border of a pixel
        weights = np.diff(covered / covered[:, -1:]).astype(np.float32)
        block = np.require(plane[first:last], np.float32, ["C", "W"])  # what torch takes
        torch.mm(torch.from_numpy(weights), torch.from_numpy(block), out=means[start:stop])
    return means.numpy()


def _mirror(outputs: int, inputs: int) -> np.ndarray:
    """``outputs`` indices: 0..inputs-1, then mirrored with the border repeated (numpy's "symmetric")."""
    index = np.arange(outputs) % (2 * inputs)
    return np.minimum(index, 2 * inputs - 1 - index)
