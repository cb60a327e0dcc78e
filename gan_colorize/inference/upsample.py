"""From the network's small chroma to the photograph's full size, a band of rows at a time."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from ..color.fast import lab_to_rgb8
from ..color.threads import one_thread
from .guided import follow, local_lines

# Large enough that the calls cost nothing, small enough that a 500-megapixel scan needs no second copy.
BAND_PIXELS = 1 << 18


@one_thread()
def render(
    lightness: np.ndarray,
    ab: np.ndarray,
    extent: tuple[float, float],
    edges: bool = True,
    seen: np.ndarray | None = None,
) -> np.ndarray:
    """Colour a photograph: its own lightness (H, W) and the small chroma (2, h, w) -> RGB uint8 (H, W, 3).

    extent: how many rows and columns of ``ab`` the photograph covers, from the top left corner; may be
        fractional, and what lies beyond is padding (read by the filter, never shown).
    edges: colours end where the lightness does (:mod:`.guided`), instead of running smoothly over it.
    seen: L as the network saw it, padding included, if it is at hand; saves nearly half of what edges cost.
    """
    height, width = lightness.shape
    rgb8 = np.empty((height, width, 3), np.uint8)
    down, across = cubic_weights(height, ab.shape[1], extent[0]), cubic_weights(width, ab.shape[2], extent[1])
    small = local_lines(lightness, ab, extent, seen) if edges else ab  # (4 or 2, h, w)
    wide = torch.from_numpy(_contiguous(small)) @ across.T
    rows = max(1, BAND_PIXELS // width)
    # one for all bands: the pages of new ones would take longer than what is written to them
    buffer = torch.empty(len(wide) * min(rows, height) * width)
    for top in range(0, height, rows):
        band = slice(top, min(top + rows, height))
        light = _contiguous(lightness[band])
        planes = _rows(down[band], wide, buffer)
        if edges:
            planes = follow(torch.from_numpy(light), planes)
        rgb8[band] = lab_to_rgb8(light, planes.numpy())
    return rgb8


def enlarge(plane: np.ndarray, shape: tuple[int, int], extent: tuple[float, float]) -> np.ndarray:
    """A small (h, w) plane at the photograph's ``shape``, by the same filter as the chroma; float32."""
    down = cubic_weights(shape[0], plane.shape[0], extent[0])
    across = cubic_weights(shape[1], plane.shape[1], extent[1])
    return (down @ torch.from_numpy(np.ascontiguousarray(plane, np.float32)) @ across.T).numpy()


def cubic_weights(outputs: int, inputs: int, extent: float) -> Tensor:
    """(outputs, inputs) matrix of centre-aligned cubic convolution; every row sums to 1.

    ``outputs`` pixels cover the first ``extent`` of ``inputs`` samples; samples beyond the ends repeat the
    last one. A product of two such small matrices costs less than a general resize, and rows can be
    made when they are needed. Kernel: Keys 1981, equation 15 (a = -1/2, exact for quadratics).
    """
    position = (torch.arange(outputs, dtype=torch.float64) + 0.5) * (extent / outputs) - 0.5
    nearest = position.floor()
    offsets = torch.arange(-1, 3)
    distance = (position[:, None] - nearest[:, None] - offsets).abs()  # (outputs, 4), 0..2
    inner = (1.5 * distance - 2.5) * distance * distance + 1.0
    outer = ((-0.5 * distance + 2.5) * distance - 4.0) * distance + 2.0
    taps = torch.where(distance <= 1.0, inner, outer)
    columns = (nearest[:, None].long() + offsets).clamp(0, inputs - 1)
    weights = torch.zeros(outputs, inputs, dtype=torch.float64)
    return weights.scatter_add_(1, columns, taps).float()


def _rows(weights: Tensor, wide: Tensor, buffer: Tensor) -> Tensor:
    """``weights`` (rows, h) @ ``wide`` (C, h, W), over only those of the h samples that these rows touch."""
    touched = weights.ne(0).any(dim=0).nonzero()
    first, last = int(touched[0]), int(touched[-1]) + 1
    shape = (len(wide), len(weights), wide.shape[2])
    planes = buffer[: math.prod(shape)].view(shape)
    return torch.matmul(weights[:, first:last], wide[:, first:last], out=planes)


def _contiguous(plane: np.ndarray) -> np.ndarray:
    """As torch wants it: float32, in a row, writable; a copy only where it is not."""
    return np.require(plane, np.float32, ["C", "W"])
