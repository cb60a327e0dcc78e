"""The inner loops of colouring on a CPU, compiled by numba: all that a pixel needs in one pass over memory.

In torch, with a pass for each operation, the same takes three times as long (tests/color/test_kernels.py
compares the results, scripts/bench_colorize.py the time). Compiled once for a machine, and kept by numba.
"""

from __future__ import annotations

import functools

import numpy as np
from numba import njit

from . import lab as exact

# Pixels of a row worked on at a time: what lies between two loops stays in the first-level cache.
_PIECE = 512
# NaN and infinities are looked for, so the compiler may not assume that there are none.
_FAST = {"nsz", "arcp", "contract", "afn", "reassoc"}

_TOE_F = np.float32(exact.TOE_F)
_TOE_T = np.float32(exact.TOE_T)
_SLOPE = np.float32(exact.TOE_SLOPE)
_OFFSET = np.float32(exact.TOE_OFFSET)
_PER_A, _PER_B = np.float32(1 / 500), np.float32(1 / 200)
_INVERSE_SLOPE = np.float32(1 / exact.TOE_SLOPE)
_TINY = np.float32(1e-30)
_ONE, _ZERO, _HALF = np.float32(1), np.float32(0), np.float32(0.5)

LEVELS = 16384  # cells of linear light in the table of 8-bit levels
ROOTS = 4096  # cells of the square root of linear light in the table of encoded values


@functools.cache
def level_table() -> np.ndarray:
    """(16385,) uint8: the rounded sRGB level in the middle of each cell of linear light, then of 1.0."""
    middles = np.minimum((np.arange(LEVELS + 1) + 0.5) / LEVELS, 1.0)
    return np.rint(_encoded(middles) * 255).astype(np.uint8)


@functools.cache
def root_table() -> np.ndarray:
    """(4098,) float32: encoded sRGB at the squares of 0, 1/4096, ..., 1 (and once more the last).

    Over the root the curve bends so little that straight lines are off by a hundredth of a 16-bit level.
    """
    roots = np.minimum(np.arange(ROOTS + 2) / ROOTS, 1.0)
    return _encoded(roots * roots).astype(np.float32)


def _encoded(linear: np.ndarray) -> np.ndarray:
    upper = 1.055 * np.maximum(linear, 0.0031308) ** (1 / 2.4) - 0.055
    return np.where(linear <= 0.0031308, 12.92 * linear, upper)


@njit(inline="always")
def _light(f: np.float32) -> np.float32:
    """The inverse of f of CIE Lab."""
    cube = f * f * f
    line = (f - _OFFSET) * _INVERSE_SLOPE
    return cube if f > _TOE_F else line


# Comparisons that become one instruction for many pixels; Python's own min and max stay branches.


@njit(inline="always")
def _least(x: np.float32, y: np.float32) -> np.float32:
    return x if x < y else y


@njit(inline="always")
def _most(x: np.float32, y: np.float32) -> np.float32:
    return x if x > y else y


@njit(nogil=True, cache=True, fastmath=_FAST, error_model="numpy", inline="always")
def _enlarged(
    wide: np.ndarray,
    plane: int,
    taps: np.ndarray,
    weights: np.ndarray,
    left: int,
    count: int,
    out: np.ndarray,
) -> None:
    """A piece of a row of one plane into ``out``: four rows of ``wide``, weighted."""
    r0, r1, r2, r3 = wide[plane, taps[0]], wide[plane, taps[1]], wide[plane, taps[2]], wide[plane, taps[3]]
    w0, w1, w2, w3 = weights[0], weights[1], weights[2], weights[3]
    start = np.uint64(left)  # unsigned: of other numbers the compiler must ask whether they are negative
    for i in range(np.uint64(count)):
        x = start + i
        out[i] = w0 * r0[x] + w1 * r1[x] + w2 * r2[x] + w3 * r3[x]


@njit(nogil=True, cache=True, fastmath=_FAST, error_model="numpy")
def _linear_piece(
    light: np.ndarray,
    row: int,
    wide: np.ndarray,
    taps: np.ndarray,
    weights: np.ndarray,
    matrix: np.ndarray,
    work: np.ndarray,
    left: int,
    count: int,
) -> bool:
    """Linear RGB in 0..1 of ``count`` pixels of a row, into the first three of ``work`` (7, `_PIECE`).

    Returns whether all is finite. The other arguments are those of :func:`rows_to_rgb8`.
    """
    for plane in range(4):
        _enlarged(wide, plane, taps[row], weights[row], left, count, work[3 + plane])
    m00, m01, m02 = matrix[0, 0], matrix[0, 1], matrix[0, 2]
    m10, m11, m12 = matrix[1, 0], matrix[1, 1], matrix[1, 2]
    m20, m21, m22 = matrix[2, 0], matrix[2, 1], matrix[2, 2]
    finite, given_row, start = _ZERO, light[row], np.uint64(left)
    red_out, green_out, blue_out = work[0], work[1], work[2]
    slope_a, slope_b, offset_a, offset_b = work[3], work[4], work[5], work[6]
    for i in range(np.uint64(count)):
        given = given_row[start + i]
        f = (_least(_most(given, _ZERO), np.float32(100)) + np.float32(16)) * np.float32(1 / 116)
        big_x = _light(f + (slope_a[i] * given + offset_a[i]) * _PER_A)
        luminance = _light(f)
        big_z = _light(f - (slope_b[i] * given + offset_b[i]) * _PER_B)
        red = m00 * big_x + m01 * luminance + m02 * big_z
        green = m10 * big_x + m11 * luminance + m12 * big_z
        blue = m20 * big_x + m21 * luminance + m22 * big_z
        finite += (red + green + blue + given) * _ZERO
        # Towards the grey of its own luminance until it fits: on that line Y, and with it L, stays.
        grey = _least(_most(luminance, _ZERO), _ONE)
        down = (grey - _least(red, _least(green, blue))) / _most(grey, _TINY)
        up = (_most(red, _most(green, blue)) - grey) / _most(_ONE - grey, _TINY)
        share = _ONE / _most(_ONE, _most(down, up))
        red_out[i] = grey + (red - grey) * share
        green_out[i] = grey + (green - grey) * share
        blue_out[i] = grey + (blue - grey) * share
    return finite == _ZERO


@njit(nogil=True, cache=True, fastmath=_FAST, error_model="numpy")
def rows_to_rgb8(
    light: np.ndarray,
    wide: np.ndarray,
    taps: np.ndarray,
    weights: np.ndarray,
    matrix: np.ndarray,
    table: np.ndarray,
    out: np.ndarray,
) -> bool:
    """Rows of a photograph in 8-bit RGB; False if a value was not finite.

    Args:
        light: (rows, W) float32 L 0..100.
        wide: (4, h, W) float32: slope of a, of b, offset of a, of b over L, at full width.
        taps, weights: (rows, 4) int64 and float32: rows of ``wide`` of which a row is made.
        matrix: (3, 3) float32 from X, Y, Z over white to linear RGB.
        table: of :func:`level_table`.
        out: (rows, W, 3) uint8.
    """
    work, cells = np.empty((7, _PIECE), np.float32), np.empty((3, _PIECE), np.uint32)
    width, good = light.shape[1], True
    # Piece by piece and not row by row: the rows of ``wide`` that neighbouring rows share stay in the cache.
    for left in range(0, width, _PIECE):
        count = min(_PIECE, width - left)
        for row in range(light.shape[0]):
            good &= _linear_piece(light, row, wide, taps, weights, matrix, work, left, count)
            start, end = np.uint64(left), np.uint64(count)
            for channel in range(3):
                values, found = work[channel], cells[channel]
                for i in range(end):
                    # by way of int32, for which there is one instruction
                    cell = np.int32(_least(_most(values[i], _ZERO), _ONE) * np.float32(LEVELS))
                    found[i] = np.uint32(cell)
            reds, greens, blues, pixels = cells[0], cells[1], cells[2], out[row]
            for i in range(end):
                pixels[start + i, 0] = table[reds[i]]
                pixels[start + i, 1] = table[greens[i]]
                pixels[start + i, 2] = table[blues[i]]
    return good


@njit(nogil=True, cache=True, fastmath=_FAST, error_model="numpy")
def rows_to_rgb16(
    light: np.ndarray,
    wide: np.ndarray,
    taps: np.ndarray,
    weights: np.ndarray,
    matrix: np.ndarray,
    table: np.ndarray,
    out: np.ndarray,
) -> bool:
    """As :func:`rows_to_rgb8` with (rows, W, 3) uint16; ``table`` of :func:`root_table`."""
    work = np.empty((7, _PIECE), np.float32)
    width, good = light.shape[1], True
    # Piece by piece and not row by row: the rows of ``wide`` that neighbouring rows share stay in the cache.
    for left in range(0, width, _PIECE):
        count = min(_PIECE, width - left)
        for row in range(light.shape[0]):
            good &= _linear_piece(light, row, wide, taps, weights, matrix, work, left, count)
            pixels, start = out[row], np.uint64(left)
            for channel in range(3):
                values = work[channel]
                for i in range(np.uint64(count)):
                    value = _least(_most(values[i], _ZERO), _ONE)
                    at = np.sqrt(value) * np.float32(ROOTS)
                    cell = np.uint32(np.int32(at))
                    share = at - np.float32(cell)
                    encoded = table[cell] + (table[cell + np.uint32(1)] - table[cell]) * share
                    pixels[start + i, channel] = np.uint16(np.int32(encoded * np.float32(65535) + _HALF))
    return good


@njit(nogil=True, cache=True)
def looked_up(values: np.ndarray, table: np.ndarray, out: np.ndarray) -> None:
    """out[i] = table[values[i]] of flat arrays; a value is never beyond the table."""
    for i in range(np.uint64(values.size)):
        out[i] = table[values[i]]


@njit(nogil=True, cache=True, fastmath=_FAST, error_model="numpy")
def lightness_of_rgb(rgb: np.ndarray, linear: np.ndarray, out: np.ndarray) -> None:
    """L (P,) float32 of sRGB (P, 3) uint8 or uint16; linear: (levels, 3) light, times its share of Y."""
    luminance = np.empty(_PIECE, np.float32)
    for left in range(0, out.size, _PIECE):
        start, count = np.uint64(left), np.uint64(min(_PIECE, out.size - left))
        for i in range(count):
            x = start + i
            luminance[i] = linear[rgb[x, 0], 0] + linear[rgb[x, 1], 1] + linear[rgb[x, 2], 2]
        for i in range(count):
            t = luminance[i]
            # a straight line for a guess, then Halley's iteration: after four float32 has no more digits
            guess = np.float32(0.1) + t * np.float32(1.3)
            guess = guess if t < np.float32(0.1) else np.float32(0.5) + t * np.float32(0.5)
            for _ in range(4):
                cube = guess * guess * guess
                guess = guess * (cube + t + t) / (cube + cube + t)
            f = guess if t > _TOE_T else _SLOPE * t + _OFFSET
            out[start + i] = np.float32(116) * f - np.float32(16)
