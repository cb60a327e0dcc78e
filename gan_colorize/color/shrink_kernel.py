"""Antialiased reduction of a plane, compiled by numba: rows first, so that most of it is sums of rows."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from ..inference.working_size import Rows

_FAST = {"nsz", "arcp", "contract", "afn", "reassoc"}
_SUPPORT = 2.0  # of the cubic, in samples of the result


def shrunk(plane: Rows, shape: tuple[int, int], rows_at_once: int = 1 << 30) -> np.ndarray:
    """(H, W) float32 -> ``shape``, not larger: the filter of Pillow's BICUBIC, in float32.

    plane: an array, or anything of a shape whose rows can be had; of it so many rows are asked for at a time
        as ``rows_at_once``, and those that neighbours of the result share.
    """
    first, count, weights = _weights(plane.shape[0], shape[0])
    columns = _weights(plane.shape[1], shape[1])
    out = np.empty(shape, np.float32)
    step = max(1, min(shape[0], int(rows_at_once * shape[0] / plane.shape[0])))
    for top in range(0, shape[0], step):
        part = slice(top, min(top + step, shape[0]))
        begin, end = int(first[part][0]), int((first[part] + count[part]).max())
        band = np.ascontiguousarray(plane[begin:end], np.float32)
        low = np.empty((part.stop - top, plane.shape[1]), np.float32)
        _reduce_rows(band, first[part] - begin, count[part], weights[part], low)
        _reduce_columns(low, *columns, out[part])
    return out


@functools.lru_cache(maxsize=32)  # photographs of a folder mostly share a few sizes
def _weights(have: int, want: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each of ``want`` samples the first of those it is made of, how many, and the weights (want, most).

    Keys 1981 with a = -1/2, stretched to the spacing of the result; cut off at the ends and brought to sum 1.
    """
    scale = have / want
    centres = (np.arange(want) + 0.5) * scale
    first = np.maximum((centres - _SUPPORT * scale + 0.5).astype(np.int64), 0)
    last = np.minimum((centres + _SUPPORT * scale + 0.5).astype(np.int64), have)
    count = last - first
    at = first[:, None] + np.arange(count.max())
    x = np.abs((at - centres[:, None] + 0.5) / scale)
    inner, outer = (1.5 * x - 2.5) * x * x + 1.0, ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0
    weights = np.where(x < 1.0, inner, np.where(x < 2.0, outer, 0.0))
    weights[at >= last[:, None]] = 0.0
    weights /= weights.sum(axis=1, keepdims=True)
    return first, count, weights.astype(np.float32)


@njit(nogil=True, cache=True, fastmath=_FAST, error_model="numpy")
def _reduce_rows(
    plane: np.ndarray, first: np.ndarray, count: np.ndarray, weights: np.ndarray, out: np.ndarray
) -> None:
    width = np.uint64(plane.shape[1])
    for row in range(out.shape[0]):
        target = out[row]
        for x in range(width):
            target[x] = 0
        start = first[row]
        whole = count[row] // 4 * 4
        for tap in range(0, whole, 4):  # four at a time: the target is read and written a quarter as often
            r0, r1, r2, r3 = (
                plane[start + tap],
                plane[start + tap + 1],
                plane[start + tap + 2],
                plane[start + tap + 3],
            )
            w0, w1, w2, w3 = (
                weights[row, tap],
                weights[row, tap + 1],
                weights[row, tap + 2],
                weights[row, tap + 3],
            )
            for x in range(width):
                target[x] += w0 * r0[x] + w1 * r1[x] + w2 * r2[x] + w3 * r3[x]
        for tap in range(whole, count[row]):
            source, weight = plane[start + tap], weights[row, tap]
            for x in range(width):
                target[x] += weight * source[x]


@njit(nogil=True, cache=True, fastmath=_FAST, error_model="numpy")
def _reduce_columns(
    plane: np.ndarray, first: np.ndarray, count: np.ndarray, weights: np.ndarray, out: np.ndarray
) -> None:
    for row in range(out.shape[0]):
        source, target = plane[row], out[row]
        for x in range(out.shape[1]):
            start, total, taps = np.uint64(first[x]), np.float32(0), weights[x]
            for tap in range(np.uint64(count[x])):
                total += taps[tap] * source[start + tap]
            target[x] = total
