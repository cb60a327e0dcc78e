"""Structural similarity (Wang, Bovik, Sheikh, Simoncelli 2004), Gaussian window, on sRGB."""

from __future__ import annotations

import torch
from torch import Tensor

from .pixels import exact_rgb, same_shape

# Section III.C of the paper.
WINDOW = 11  # px
SIGMA = 1.5  # px
C1, C2 = 0.01**2, 0.03**2  # for values 0..1


def ssim(true: Tensor, other: Tensor) -> Tensor:
    """Mean SSIM of each picture over its pixels and three channels.

    Only windows that lie wholly inside the picture count, as in the paper and in scikit-image; padding the
    border gives about 0.005 more.

    Args:
        true, other: (N, 3, H, W) sRGB, uint8 or float 0..1, sides of at least 11 px.

    Returns:
        (N,) float64.
    """
    same_shape(true, other)
    if min(true.shape[-2:]) < WINDOW:
        raise ValueError(f"SSIM needs sides of at least {WINDOW} px, got {tuple(true.shape[-2:])}")
    # Picture by picture: a dozen float64 planes of one photograph stay in the cache, those of a batch do not.
    return torch.stack([_ssim(a, b) for a, b in zip(exact_rgb(true), exact_rgb(other), strict=True)])


def _ssim(x: Tensor, y: Tensor) -> Tensor:
    """Equation 13, for (3, H, W) float64: the variances are differences of nearly equal numbers."""
    mean_x, mean_y = _blur(x), _blur(y)
    variance = _blur(x * x + y * y) - mean_x**2 - mean_y**2
    covariance = _blur(x * y) - mean_x * mean_y
    structure = (2 * covariance + C2) / (variance + C2)
    return ((2 * mean_x * mean_y + C1) / (mean_x**2 + mean_y**2 + C1) * structure).mean()


def _blur(plane: Tensor) -> Tensor:
    """(3, H, W) -> (3, H-10, W-10); shifted sums, many times faster than a float64 convolution."""
    steps = torch.arange(WINDOW, dtype=torch.float64) - WINDOW // 2
    weights = (-0.5 * (steps / SIGMA) ** 2).softmax(0).tolist()
    for axis in (-2, -1):
        length = plane.shape[axis] - WINDOW + 1
        total = plane.narrow(axis, 0, length) * weights[0]
        for start, weight in enumerate(weights[1:], 1):
            total.add_(plane.narrow(axis, start, length), alpha=weight)
        plane = total
    return plane
