"""Values of a set's columns and their percentile intervals, when photographs are drawn anew.

Every column is a function of weights over photographs: with all of them 1 it is the value, with how often
each was drawn it is one draw of a bootstrap (Efron 1979). All entries see the same draws, so that their
differences are draws of the paired difference.

Rebalanced AuC is a mean over the colour classes that occur, and a draw that leaves photographs out loses the
rare ones: its values would lie beside the value that they are to surround. Its weights are those of the
Bayesian bootstrap (Rubin 1981), which leaves nobody out: the interval is for these classes.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..resampling import times_drawn
from .calibration import RIGHT, RIGHT_SOFT, classwise_ece, ece
from .fid import fid
from .kid import LARGEST_BOOTSTRAP, KidOfWeighted, kid
from .parts import Part

RESAMPLES = 10_000
SEED = 0
CONFIDENCE = 0.95
_CHUNK = 1 << 22  # weights at a time: 32 MB

Draws = dict[str, np.ndarray]


class Row:
    """One entry's columns on one set; ``truth`` is the part of the true photographs, in the same order."""

    def __init__(self, part: Part, truth: Part) -> None:
        if part.index != truth.index:
            raise ValueError("rows of one table must be of the same photographs")
        self.part, self.truth = part, truth
        self.keys = list(part.numbers)
        values = np.array([part.numbers[key] for key in self.keys], np.float64).T  # (n, columns)
        self.known = ~np.isnan(values)
        self.values = np.where(self.known, values, 0.0)
        self.truly = {
            suffix: np.array(truth.numbers["colorfulness" + suffix], np.float64) for suffix in ("", "_abs")
        }
        self._kid: KidOfWeighted | None = None

    def photographs(self, key: str) -> np.ndarray:
        """(n,) numbers of one metric, NaN where it does not apply."""
        column = self.keys.index(key)
        return np.where(self.known[:, column], self.values[:, column], np.nan)

    def estimates(self, weights: np.ndarray, smooth: np.ndarray) -> Draws:
        """(draws, n) weights -> (draws,) of each column that has an interval; in ``smooth`` none is 0."""
        counts = weights @ self.known
        with np.errstate(invalid="ignore", divide="ignore"):  # no photograph with a number was drawn
            means = (weights @ self.values) / counts
        of = dict(zip(self.keys, means.T, strict=True))
        total = weights.sum(1)
        for suffix, truly in self.truly.items():
            true = weights @ truly / total
            of[f"delta_colorfulness{suffix}_of_means"] = np.abs(of["colorfulness" + suffix] - true)
            if not suffix:
                of["colorfulness_ratio"] = of["colorfulness"] / true
        if "areas" in self.part.arrays:
            of["auc_rebalanced"] = self._rebalanced(smooth)
        if "reliability" in self.part.arrays:
            sums = np.tensordot(weights, self.part.arrays["reliability"], 1)  # (draws, 15, 4)
            of["ece"], of["ece_soft"] = ece(sums, RIGHT), ece(sums, RIGHT_SOFT)
        return of

    def value(self) -> dict[str, float]:
        """Every column's value."""
        ones = np.ones((1, len(self.part.index)))
        of = {
            key: float(draw[0]) for key, draw in self.estimates(ones, ones).items() if not np.isnan(draw[0])
        }
        if "classwise" in self.part.sums:
            of["classwise_ece"] = 1e3 * classwise_ece(self.part.sums["classwise"])
        if "inception" in self.part.arrays and len(self.part.index) > 1:
            pair = self.truth.arrays["inception"], self.part.arrays["inception"]
            of["fid"], of["kid"] = fid(*pair), 1e3 * kid(*pair)
        return of

    def drawn(self, weights: np.ndarray, smooth: np.ndarray) -> Draws:
        """:meth:`estimates`, and KID where its kernels fit into memory."""
        of = self.estimates(weights, smooth)
        if "inception" in self.part.arrays and 1 < len(self.part.index) <= LARGEST_BOOTSTRAP:
            if self._kid is None:
                self._kid = KidOfWeighted(self.truth.arrays["inception"], self.part.arrays["inception"])
            of["kid"] = 1e3 * self._kid(weights)
        return of

    def _rebalanced(self, weights: np.ndarray) -> np.ndarray:
        """Mean over the classes that occur of the sum of scores over the share of pixels, in percent."""
        areas, shares = weights @ self.part.arrays["areas"], weights @ self.truth.arrays["shares"]
        met = shares > 0
        ratios = np.divide(areas, shares, out=np.zeros_like(areas), where=met)
        return 100.0 * ratios.sum(1) / met.sum(1)


def draw(rows: Mapping[str, Row], resamples: int = RESAMPLES, seed: int = SEED) -> dict[str, Draws]:
    """Bootstrap all rows at once: row -> column -> (resamples,). Empty for a single photograph."""
    count = len(next(iter(rows.values())).part.index)
    if count < 2:
        return {name: {} for name in rows}
    rng, smooth_rng = (np.random.default_rng([seed, part]) for part in range(2))
    found: dict[str, dict[str, list[np.ndarray]]] = {name: {} for name in rows}
    step = max(1, _CHUNK // count)
    for start in range(0, resamples, step):
        weights = times_drawn(count, min(step, resamples - start), rng)
        smooth = smooth_rng.exponential(size=weights.shape)  # in proportion to a flat Dirichlet distribution
        for name, row in rows.items():
            for key, values in row.drawn(weights, smooth).items():
                found[name].setdefault(key, []).append(values)
    return {name: {key: np.concatenate(v) for key, v in of.items()} for name, of in found.items()}


def interval(draws: np.ndarray, confidence: float = CONFIDENCE) -> tuple[float, float] | None:
    """Percentile interval of (resamples,); None where nothing could be drawn."""
    known = draws[~np.isnan(draws)]
    if not len(known):
        return None
    tail = 50.0 * (1.0 - confidence)
    low, high = np.percentile(known, [tail, 100.0 - tail])
    return float(low), float(high)
