"""Which of two entries is better on the same photographs, and whether that may be chance.

Means over photographs: a sign-flip permutation test of the paired differences (Fisher 1935; exact where all
signs can be tried). Other columns: the share of paired bootstrap draws on the other side of 0. Both are
two-sided. Holm's correction (1979) is over all pairs of one column and set.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from .bootstrap import Draws, Row, interval
from .metrics import Metric

FLIPS = 10_000
SEED = 1
LEVEL = 0.05
_CHUNK = 1 << 22  # signs at a time


def flipped_p(differences: np.ndarray, flips: int = FLIPS, seed: int = SEED) -> np.ndarray:
    """p of each column of differences (n, k): how often flipped signs give as large a mean as was seen.

    With 2**n <= flips all signs are tried; else random ones, and what was seen counts as one of them (so that
    p is at least 1 / (flips + 1)). NaN is no difference.
    """
    differences = np.nan_to_num(differences)
    count = len(differences)
    seen = np.abs(differences.sum(0)) * (1.0 - 1e-12)  # what is equal must not be lost to rounding
    exact = count < 60 and 2**count <= flips
    total = 2**count if exact else flips
    rng = np.random.default_rng(seed)
    reached = np.zeros(differences.shape[1])
    step = max(1, _CHUNK // max(count, 1))
    for start in range(0, total, step):
        number = min(step, total - start)
        if exact:
            bits = (np.arange(start, start + number)[:, None] >> np.arange(count)) & 1
        else:
            bits = rng.integers(2, size=(number, count), dtype=np.int8)
        reached += (np.abs((2.0 * bits - 1.0) @ differences) >= seen).sum(0)
    return reached / total if exact else (reached + 1) / (total + 1)


def drawn_p(differences: np.ndarray) -> float:
    """p of bootstrap draws (resamples,) of a difference: twice the share on the rarer side of 0."""
    known = differences[~np.isnan(differences)]
    rarer = min((known <= 0).sum(), (known >= 0).sum())
    return float(min(1.0, 2.0 * (rarer + 1) / (len(known) + 1)))


def holm(p: Sequence[float]) -> list[float]:
    """Adjusted p values, in the order given: below the level where Holm's procedure rejects at that level."""
    order = np.argsort(p, kind="stable")
    stepped = np.asarray(p, np.float64)[order] * np.arange(len(p), 0, -1)
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(np.maximum.accumulate(stepped), 1.0)
    return adjusted.tolist()


def compare(
    rows: Mapping[str, Row],
    values: Mapping[str, Mapping[str, float]],
    draws: Mapping[str, Draws],
    metrics: Sequence[Metric],
) -> list[dict[str, Any]]:
    """Every pair of rows in every column that has a better side.

    Returns:
        Plain dicts: metric, a, b, difference (a - b), ci95 of it, p, p_holm, test, and verdict: whether ``a``
        is "better", "worse" or "undecided" (p_holm of 0.05 or more).
    """
    found: list[dict[str, Any]] = []
    for metric in metrics:
        if metric.better is None:
            continue
        pairs = [
            (a, b)
            for a, b in combinations(rows, 2)
            if metric.key in values[a] and metric.key in values[b] and metric.key in draws[a]
        ]
        if not pairs:
            continue
        drawn = [draws[a][metric.key] - draws[b][metric.key] for a, b in pairs]
        if metric.paired:
            differences = [
                rows[a].photographs(metric.key) - rows[b].photographs(metric.key) for a, b in pairs
            ]
            p, test = flipped_p(np.stack(differences, 1)).tolist(), "sign flips"
        else:
            p, test = [drawn_p(one) for one in drawn], "paired bootstrap"
        for (a, b), one, of_pair, adjusted in zip(pairs, drawn, p, holm(p), strict=True):
            difference = values[a][metric.key] - values[b][metric.key]
            found.append(
                {
                    "metric": metric.key,
                    "a": a,
                    "b": b,
                    "difference": difference,
                    "ci95": interval(one),
                    "p": of_pair,
                    "p_holm": adjusted,
                    "test": test,
                    "verdict": verdict(difference, adjusted, metric),
                }
            )
    return found


def verdict(difference: float, adjusted: float, metric: Metric) -> str:
    """Of ``a`` against ``b``, where ``difference`` is a - b."""
    if adjusted >= LEVEL or difference == 0:
        return "undecided"
    return "better" if (difference > 0) == (metric.better == "higher") else "worse"
