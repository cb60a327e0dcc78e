"""Kernel Inception distance (Binkowski et al. 2018, "Demystifying MMD GANs", section 4), by torch-fidelity.

Cubic kernel (x'y / d + 1)^3, unbiased estimate. The mean over subsets, as torch-fidelity and the paper take
it; when all photographs fit into one subset, that one says everything.
"""

from __future__ import annotations

import numpy as np
import torch

SUBSETS = 100
SUBSET_SIZE = 1000
SEED = 2020  # torch-fidelity's own
# Kernels of all pairs: 3 of n x n doubles.
LARGEST_BOOTSTRAP = 4000


def settings(count: int) -> dict[str, int]:
    """What torch-fidelity is told for that many photographs."""
    return {
        "kid_subsets": SUBSETS if count > SUBSET_SIZE else 1,
        "kid_subset_size": min(SUBSET_SIZE, count),
        "rng_seed": SEED,
    }


def kid(true: np.ndarray, other: np.ndarray) -> float:
    """Of features (n, d) each; slightly below 0 for sets that cannot be told apart.

    Raises:
        ValueError: fewer than two pictures.
    """
    from torch_fidelity.metric_kid import KEY_METRIC_KID_MEAN, kid_features_to_metric

    count = min(len(true), len(other))
    if count < 2:
        raise ValueError("KID needs two pictures or more on each side")
    features = (torch.from_numpy(values.astype(np.float64)) for values in (true, other))
    return kid_features_to_metric(*features, **settings(count), verbose=False)[KEY_METRIC_KID_MEAN]


class KidOfWeighted:
    """The same estimate for photographs that are drawn several times, as a bootstrap does.

    A photograph's kernel with itself stays out, however often it was drawn: its copies say nothing new.
    """

    def __init__(self, true: np.ndarray, other: np.ndarray) -> None:
        true, other = true.astype(np.float64), other.astype(np.float64)
        self.within = _kernel(true, true) + _kernel(other, other)
        self.between = _kernel(true, other)
        self.own = np.diagonal(self.within).copy()
        self.pairs = np.diagonal(self.between).copy()

    def __call__(self, weights: np.ndarray) -> np.ndarray:
        """(draws, n) how often each photograph was drawn -> (draws,); NaN where there is but one of them."""
        squares = np.square(weights)
        total = weights.sum(1)
        apart = total**2 - squares.sum(1)
        apart[apart <= 0] = np.nan
        within = np.einsum("di,di->d", weights @ self.within, weights) - squares @ self.own
        # A photograph drawn again is no new one for its own result either, which is the likest to it.
        copies = squares - weights
        between = np.einsum("di,di->d", weights @ self.between, weights) - copies @ self.pairs
        return within / apart - 2.0 * between / (total**2 - copies.sum(1))


def _kernel(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return (a @ b.T / a.shape[1] + 1.0) ** 3
