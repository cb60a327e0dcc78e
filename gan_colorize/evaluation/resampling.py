"""Drawing with replacement, for bootstraps."""

from __future__ import annotations

import numpy as np


def times_drawn(size: int, draws: int, rng: np.random.Generator) -> np.ndarray:
    """(draws, size): how often each of ``size`` things is among ``size`` drawn with replacement."""
    which = rng.integers(size, size=(draws, size)) + size * np.arange(draws)[:, None]
    return np.bincount(which.ravel(), minlength=draws * size).reshape(draws, size).astype(np.float64)
