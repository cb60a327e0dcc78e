"""The annealed mean of a distribution, compiled by numba: one pass over the logits, without Python's lock."""

from __future__ import annotations

import numpy as np
from numba import njit

_FAST = {"nsz", "arcp", "contract", "afn", "reassoc"}
# 2^f for f in 0..1: Taylor's terms of exp(f ln 2) up to the seventh, where the next one is 2e-7.
_LN2 = np.log(2.0)
_C1, _C2, _C3, _C4 = (np.float32(_LN2**n / f) for n, f in ((1, 1), (2, 2), (3, 6), (4, 24)))
_C5, _C6, _C7 = (np.float32(_LN2**n / f) for n, f in ((5, 120), (6, 720), (7, 5040)))
_LOWEST = np.float32(-126)  # 2^-126 is float32's smallest ordinary number; no share of it counts
_LOG2_E = np.float32(1 / _LN2)


@njit(nogil=True, cache=True, fastmath=_FAST, error_model="numpy")
def annealed_means(
    logits: np.ndarray, halves: bool, centres: np.ndarray, sharper: float, out: np.ndarray
) -> None:
    """Mean colours of softmax(z / T).

    Args:
        logits: (P, Q) float32 or, with ``halves``, the bits of bfloat16 as int16.
        centres: (2, Q) float32 a and b of the bins.
        sharper: 1 / T.
        out: (P, 2) float32.
    """
    bins = logits.shape[1]
    bits = np.empty(bins, np.int32)
    values, powers = bits.view(np.float32), np.empty(bins, np.float32)
    factor = np.float32(sharper) * _LOG2_E
    a_of, b_of = centres[0], centres[1]
    for pixel in range(logits.shape[0]):
        row = logits[pixel]
        if halves:
            for i in range(np.uint64(bins)):
                bits[i] = np.int32(row[i]) << np.int32(16)
        else:
            for i in range(np.uint64(bins)):
                values[i] = row[i]
        largest = values[0]
        for i in range(np.uint64(bins)):
            largest = values[i] if values[i] > largest else largest
        for i in range(np.uint64(bins)):
            exponent = (values[i] - largest) * factor
            exponent = exponent if exponent > _LOWEST else _LOWEST
            whole = np.floor(exponent)
            f = exponent - whole
            series = _C4 + f * (_C5 + f * (_C6 + f * _C7))
            powers[i] = np.float32(1) + f * (_C1 + f * (_C2 + f * (_C3 + f * series)))
            bits[i] = (np.int32(whole) + np.int32(127)) << np.int32(23)
        total, a, b = np.float32(0), np.float32(0), np.float32(0)
        for i in range(np.uint64(bins)):
            share = powers[i] * values[i]
            total += share
            a += share * a_of[i]
            b += share * b_of[i]
        out[pixel, 0] = a / total
        out[pixel, 1] = b / total
