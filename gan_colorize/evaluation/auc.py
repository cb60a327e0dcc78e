"""AuC of the ab error (Zhang, Isola, Efros 2016, "Colorful Image Colorization", section 3.1), in percent.

What share of the pixels lies within a distance t of the true colour in the ab plane, for t = 0, 1, ... 150;
the area under that curve (trapezoids), where 100 is every pixel exact. Ordinary photographs are mostly nearly
grey, so the plain value flatters timid colours: the paper's grey has 89.1. Rebalanced, every class of true
colours counts the same (there: 58.0).

The paper weighs a pixel by 1 / p of its class (equation 4 with lambda = 0), p counted and smoothed over 1.3
million training photographs that nobody else has. Here p is counted, unsmoothed, over the true pixels of the
very photographs that are measured: what anybody can repeat, and the mean over the classes that occur. More
photographs bring more rare, vivid classes, so only the same photographs compare: grey has about 65 on 40 of
ImageNet, 61 on 458.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

import torch
from torch import Tensor

from ..color.bins import NUM_BINS
from ..color.targets import SoftEncoder

LAST_THRESHOLD = 150  # ab units; "from 0 to 150"
_UNIT = 2**40  # parts of a photograph in which the rebalanced sums are kept


@lru_cache(maxsize=1)
def _nearest_bin() -> SoftEncoder:
    return SoftEncoder(neighbours=1)


def pixel_scores(true_ab: Tensor, other_ab: Tensor) -> Tensor:
    """What each pixel adds to the area under the curve: 1 when it is exact, 0 from an error of 150 on.

    A pixel of error e is within every threshold t >= e. Its own curve is a step, whose area by trapezoids
    over whole t is known at once; the area under the mean of all curves is the mean of their areas.

    Args:
        true_ab, other_ab: (N, 2, H, W), float32.

    Returns:
        (N, H, W) float32, 0..1.
    """
    if true_ab.shape != other_ab.shape:
        raise ValueError(f"ab of different shapes: {tuple(true_ab.shape)} and {tuple(other_ab.shape)}")
    error = (true_ab - other_ab).square().sum(1).sqrt()
    # the trapezoid before the first threshold that is met counts half; no error has none before
    area = (LAST_THRESHOLD + 0.5) - error.ceil() - 0.5 * (error == 0)
    return area.div_(LAST_THRESHOLD).clamp_(min=0)


def nearest_bins(true_ab: Tensor) -> Tensor:
    """The class of every true colour: (N, 2, H, W) -> its nearest bin, (N, H, W) int64."""
    return _nearest_bin()(true_ab)[0][:, 0]


def by_class(classes: Tensor, scores: Tensor | None = None) -> Tensor:
    """Of each picture the share of its pixels in every class, or their ``scores``' sum over all its pixels.

    Args:
        classes: (N, H, W) int64, of :func:`nearest_bins`; scores: (N, H, W), of :func:`pixel_scores`.

    Returns:
        (N, 313) float64. What pictures add to :class:`RebalancedAuc`, each by itself.
    """
    weights = [None] * len(classes) if scores is None else list(scores.flatten(1).double())
    counts = [
        torch.bincount(one, weight, NUM_BINS).double()
        for one, weight in zip(classes.flatten(1), weights, strict=True)
    ]
    return torch.stack(counts) / classes[0].numel()


def auc(scores: Tensor) -> Tensor:
    """AuC (N,) float64 in percent of each picture, from its :func:`pixel_scores` (N, H, W)."""
    return scores.double().flatten(1).mean(1) * 100


class RebalancedAuc:
    """Gathers, photograph after photograph, what AuC with equal weight for every colour class needs.

    Classes are met by some photographs and not by others, so this is no mean of photographs' own values.
    Every photograph counts the same, whatever its size, as in all other metrics. Sums are of whole numbers,
    in units of 2**-40 of a photograph: they are the same in whatever order and by whomever they were added.
    (Eight million photographs fit.)
    """

    def __init__(self, rows: Iterable[str]) -> None:
        self.shares = torch.zeros(NUM_BINS, dtype=torch.int64)  # of each class in the truth
        self.areas = {row: torch.zeros_like(self.shares) for row in rows}

    def classes(self, true_ab: Tensor) -> Tensor:
        """Count the true colours (N, 2, H, W), once a photograph; their nearest bins (N, H, W) int64."""
        nearest = nearest_bins(true_ab)
        self.count(nearest)
        return nearest

    def count(self, classes: Tensor) -> None:
        """Count the true colours by their :func:`nearest_bins` (N, H, W), once a photograph."""
        self.shares += _whole_sums(classes, None, classes[0].numel())

    def add(self, row: str, classes: Tensor, scores: Tensor) -> None:
        """Add a row's pictures by their truth's :meth:`classes` and their :func:`pixel_scores`, (N, H, W)."""
        # errors count by whole thresholds, and by half a one where there is none: scores are so many 300ths
        steps = (scores.flatten().double() * (2 * LAST_THRESHOLD)).round()
        self.areas[row] += _whole_sums(classes, steps, 2 * LAST_THRESHOLD * classes[0].numel())

    def empty(self) -> RebalancedAuc:
        """Another one of the same rows, without any photograph."""
        return RebalancedAuc(self.areas)

    def merge(self, other: RebalancedAuc) -> None:
        """Take in the photographs of another one of the same rows."""
        self.shares += other.shares
        for row, areas in other.areas.items():
            self.areas[row] += areas

    def values(self) -> dict[str, float]:
        """Percent for each row; every class that occurs weighs 1 / its share of the true pixels."""
        met = self.shares > 0
        shares = self.shares[met].double()
        return {row: float((areas[met] / shares).mean() * 100) for row, areas in self.areas.items()}


def _whole_sums(classes: Tensor, weights: Tensor | None, whole: int) -> Tensor:
    """(N, H, W) classes -> (313,) int64 sums over the pictures of each one's weights (or pixels) as shares of
    ``whole``, rounded picture by picture."""
    count = len(classes)
    own = classes.flatten(1) + NUM_BINS * torch.arange(count)[:, None]
    sums = torch.bincount(own.flatten(), weights, count * NUM_BINS).view(count, NUM_BINS)
    return (sums.double() * (_UNIT / whole)).round().long().sum(0)
