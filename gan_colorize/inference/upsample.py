"""From the network's small chroma to the photograph's full size, a band of rows at a time."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from ..color.fast import lab_to_rgb8
from ..color.lightness import kernels
from ..color.threads import one_thread
from ..color.wide import lab_to_levels, white_to_linear
from ..data.icc_wide import space_of
from .guided import follow, local_lines
from .working_size import Rows

# Large enough that the calls cost nothing, small enough that a 500-megapixel scan needs no second copy.
BAND_PIXELS = 1 << 18
# Elsewhere than on a CPU a call must be worth its start.
DEVICE_PIXELS = 1 << 23
# Columns whose weights are made at a time: a matrix for all of a strip would be larger than the strip.
_COLUMNS = 4096


class Rendering:
    """A photograph in colour, made when asked for: its own lightness (H, W) and the small chroma (2, h, w).

    lightness: float32 0..100, an array or something that makes its rows.
    extent: how many rows and columns of ``ab`` the photograph covers, from the top left corner; may be
        fractional, and what lies beyond is padding (read by the filter, never shown).
    edges: colours end where the lightness does (:mod:`.guided`), instead of running smoothly over it.
    seen: L as the network saw it, padding included, if it is at hand; saves nearly half of what edges cost.
    bits: 8 or 16 a channel.
    profile: ICC profile of the RGB space to write; None is sRGB.
    device: where the work is done.

    shape: (H, W, 3); dtype: uint8 or uint16.
    """

    def __init__(
        self,
        lightness: Rows,
        ab: np.ndarray,
        extent: tuple[float, float],
        *,
        edges: bool = True,
        seen: np.ndarray | None = None,
        bits: int = 8,
        profile: bytes | None = None,
        device: torch.device | str = "cpu",
    ) -> None:
        self.shape, self.dtype = (*lightness.shape, 3), np.dtype(np.uint8 if bits == 8 else np.uint16)
        self._lightness, self._edges = lightness, edges
        self.profile, self._space = profile, None if profile is None else space_of(profile)
        self._device, self._extent = torch.device(device), extent
        small = local_lines(lightness, ab, extent, seen) if edges else ab  # (4 or 2, h, w)
        self._small = torch.from_numpy(_contiguous(small)).to(self._device)

    def bands(self, into: np.ndarray | None = None) -> Iterator[np.ndarray]:
        """(rows, W, 3) from top to bottom, some `BAND_PIXELS` at a time; each is the caller's to keep, or is
        a part of ``into`` (H, W, 3)."""
        height, width, _ = self.shape
        on_cpu = self._device.type == "cpu"
        pixels = BAND_PIXELS if on_cpu else DEVICE_PIXELS
        # of a strip a million pixels wide not even a row is done at once
        columns = [slice(left, min(left + pixels, width)) for left in range(0, width, pixels)]
        rows = max(1, pixels // width)
        with one_thread():
            wide = self._across(columns[0]) if len(columns) == 1 else None
        if wide is not None and self._compiled:
            yield from self._by_kernel(wide, rows, into)
            return
        # one for all bands: the pages of new ones would take longer than what is written to them
        most = min(rows, height) * min(pixels, width)
        buffer = torch.empty(len(self._small) * most, device=self._device)
        for top in range(0, height, rows):
            band = slice(top, min(top + rows, height))
            with one_thread():
                light = _contiguous(self._lightness[band])
                down = cubic_weights(height, self._small.shape[1], self._extent[0], band).to(self._device)
                parts = [
                    self._piece(light[:, part], down, self._across(part) if wide is None else wide, buffer)
                    for part in columns
                ]
            result = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)
            if into is not None:
                into[band] = result
            yield result if into is None else into[band]

    @property
    def _compiled(self) -> bool:
        return kernels is not None and self._device.type == "cpu" and self._space is None

    def _by_kernel(self, wide: Tensor, rows: int, into: np.ndarray | None) -> Iterator[np.ndarray]:
        height, width, _ = self.shape
        planes = wide if self._edges else torch.cat([torch.zeros_like(wide), wide])
        planes, matrix = planes.contiguous().numpy(), white_to_linear(torch.float32).numpy()
        run, table = (
            (kernels.rows_to_rgb8, kernels.level_table())
            if self.dtype == np.uint8
            else (kernels.rows_to_rgb16, kernels.root_table())
        )
        for top in range(0, height, rows):
            band = slice(top, min(top + rows, height))
            taps, weights = cubic_taps(height, planes.shape[1], self._extent[0], band)
            light = _contiguous(self._lightness[band])
            out = np.empty((len(light), width, 3), self.dtype) if into is None else into[band]
            if not run(light, planes, taps.numpy(), weights.float().numpy(), matrix, table, out):
                raise ValueError("lightness and ab must be finite")
            yield out

    def whole(self) -> np.ndarray:
        """(H, W, 3)."""
        picture = np.empty(self.shape, self.dtype)
        for _ in self.bands(picture):
            pass
        return picture

    def _across(self, part: slice) -> Tensor:
        """(4 or 2, h, columns): the chroma at full width."""
        inputs, outputs = self._small.shape[2], self.shape[1]
        pieces = []
        for left in range(part.start, part.stop, _COLUMNS):
            columns = slice(left, min(left + _COLUMNS, part.stop))
            weights = cubic_weights(outputs, inputs, self._extent[1], columns).to(self._device)
            first, last = _touched(weights)
            pieces.append(self._small[:, :, first:last] @ weights[:, first:last].T)
        return pieces[0] if len(pieces) == 1 else torch.cat(pieces, dim=2)

    def _piece(self, lightness: np.ndarray, down: Tensor, wide: Tensor, buffer: Tensor) -> np.ndarray:
        planes = _rows(down, wide, buffer)
        light = torch.from_numpy(_contiguous(lightness)).to(self._device)
        if self._edges:
            planes = follow(light, planes)
        if self.dtype == np.uint8 and self._space is None and self._device.type == "cpu":
            return lab_to_rgb8(light.numpy(), planes.numpy())
        levels = int(np.iinfo(self.dtype).max)
        values = lab_to_levels(light, planes, levels, self._space)
        # torch knows uint16 on few devices
        kind = torch.uint8 if levels == 255 else torch.int32
        return values.to(kind).cpu().numpy().astype(self.dtype)


def render(
    lightness: Rows,
    ab: np.ndarray,
    extent: tuple[float, float],
    edges: bool = True,
    seen: np.ndarray | None = None,
) -> np.ndarray:
    """Colour a photograph: RGB uint8 (H, W, 3); arguments as :class:`Rendering`."""
    return Rendering(lightness, ab, extent, edges=edges, seen=seen).whole()


def enlarge(plane: np.ndarray, shape: tuple[int, int], extent: tuple[float, float]) -> np.ndarray:
    """A small (h, w) plane at the photograph's ``shape``, by the same filter as the chroma; float32."""
    down = cubic_weights(shape[0], plane.shape[0], extent[0])
    across = cubic_weights(shape[1], plane.shape[1], extent[1])
    return (down @ torch.from_numpy(np.ascontiguousarray(plane, np.float32)) @ across.T).numpy()


def cubic_weights(outputs: int, inputs: int, extent: float, part: slice | None = None) -> Tensor:
    """(outputs, inputs) matrix of centre-aligned cubic convolution, or ``part`` of its rows; each sums to 1.

    A product of two such small matrices costs less than a general resize, and rows can be made when they are
    needed. Arguments and source: :func:`cubic_taps`.
    """
    columns, taps = cubic_taps(outputs, inputs, extent, part)
    weights = torch.zeros(len(taps), inputs, dtype=torch.float64)
    return weights.scatter_add_(1, columns, taps).float()


def cubic_taps(outputs: int, inputs: int, extent: float, part: slice | None = None) -> tuple[Tensor, Tensor]:
    """Of which four samples an output is made (outputs, 4), and their weights, float64.

    ``outputs`` pixels cover the first ``extent`` of ``inputs`` samples; samples beyond the ends repeat the
    last one. Kernel: Keys 1981, equation 15 (a = -1/2, exact for quadratics).
    """
    start, stop = (part.start, part.stop) if part else (0, outputs)
    return _taps(outputs, inputs, extent, start, stop)


@functools.lru_cache(maxsize=32)  # photographs of a folder mostly share a few sizes
def _taps(outputs: int, inputs: int, extent: float, start: int, stop: int) -> tuple[Tensor, Tensor]:
    position = (torch.arange(start, stop, dtype=torch.float64) + 0.5) * (extent / outputs) - 0.5
    nearest = position.floor()
    offsets = torch.arange(-1, 3)
    distance = (position[:, None] - nearest[:, None] - offsets).abs()  # (outputs, 4), 0..2
    inner = (1.5 * distance - 2.5) * distance * distance + 1.0
    outer = ((-0.5 * distance + 2.5) * distance - 4.0) * distance + 2.0
    taps = torch.where(distance <= 1.0, inner, outer)
    return (nearest[:, None].long() + offsets).clamp(0, inputs - 1), taps


def _rows(weights: Tensor, wide: Tensor, buffer: Tensor) -> Tensor:
    """``weights`` (rows, h) @ ``wide`` (C, h, W), over only those of the h samples that these rows touch."""
    first, last = _touched(weights)
    shape = (len(wide), len(weights), wide.shape[2])
    planes = buffer[: math.prod(shape)].view(shape)
    return torch.matmul(weights[:, first:last], wide[:, first:last], out=planes)


def _touched(weights: Tensor) -> tuple[int, int]:
    """First and last + 1 of the columns that are not all 0."""
    touched = weights.ne(0).any(dim=0).nonzero()
    return int(touched[0]), int(touched[-1]) + 1


def _contiguous(plane: np.ndarray) -> np.ndarray:
    """As torch wants it: float32, in a row, writable; a copy only where it is not."""
    return np.require(plane, np.float32, ["C", "W"])
