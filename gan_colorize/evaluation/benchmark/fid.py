"""Frechet Inception distance (Heusel et al. 2017, "GANs trained by a two time-scale update rule", eq. 6).

The value is that of torch-fidelity, which takes the eigenvalues of a product of two 2048 x 2048 matrices:
minutes a row. The trace of the covariances' root is the sum of the singular values of A B' with A, B the
centred features over sqrt(n - 1), which is exact, faster and better conditioned where photographs are few.
"""

from __future__ import annotations

import numpy as np

# Below this many photographs the covariance of 2048 features has no full rank.
FEW = 2048


def fid(true: np.ndarray, other: np.ndarray) -> float:
    """Of features (n, d) and (m, d); both sets of at least two. 0 for equal sets.

    With n of a few hundred it is biased upwards, and the more so the fewer they are (Chong and Forsyth 2020).
    """
    if min(len(true), len(other)) < 2:
        raise ValueError("FID needs two pictures or more on each side")
    true, other = true.astype(np.float64), other.astype(np.float64)
    means = true.mean(0), other.mean(0)
    factors = [_factor(values - mean) for values, mean in zip((true, other), means, strict=True)]
    squares = sum(float(np.square(factor).sum()) for factor in factors)  # traces of the covariances
    root = float(np.linalg.svd(factors[0] @ factors[1].T, compute_uv=False).sum())
    return float(np.square(means[0] - means[1]).sum()) + squares - 2.0 * root


def _factor(centred: np.ndarray) -> np.ndarray:
    """A with A'A the covariance, of no more rows than columns."""
    count, size = centred.shape
    factor = np.linalg.qr(centred, mode="r") if count > size else centred
    return factor / np.sqrt(count - 1)
