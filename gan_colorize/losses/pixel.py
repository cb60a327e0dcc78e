"""Regression on chroma. The inputs of every term are ab / 110 or U and V, in float32."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def smooth_l1(prediction: Tensor, truth: Tensor, delta: float = 1.0) -> Tensor:
    """Huber loss summed over both channels: (N, 2, h, w) twice -> unreduced (N, 1, h, w).

    delta: error up to which it is quadratic; in Zhang, Zhu et al. 2017, eq. 2, one unit of ab, 1 / 110. The
        result is divided by it, which makes large errors weigh as in :func:`l1` whatever delta is.
    """
    return F.smooth_l1_loss(prediction, truth, reduction="none", beta=delta).sum(dim=1, keepdim=True)


def l1(prediction: Tensor, truth: Tensor) -> Tensor:
    """Absolute error summed over both channels: (N, 2, h, w) twice -> unreduced (N, 1, h, w).

    Isola et al. 2017, eq. 3.
    """
    return (prediction - truth).abs().sum(dim=1, keepdim=True)


def mse(prediction: Tensor, truth: Tensor, blurs: tuple[int, ...] = ()) -> Tensor:
    """Squared error summed over both channels: (N, 2, h, w) twice -> unreduced (N, 1, h, w).

    blurs: odd widths of Gaussians; the result is the mean of the error and of the error under each, as in
        Dahl 2016 (3 and 5), where a colour that is right next door counts as half right.
    """
    error = prediction - truth  # blurring is linear: the difference is blurred once instead of both maps
    maps = [error, *(gaussian_blur(error, width) for width in blurs)]
    return sum(one.square() for one in maps).sum(dim=1, keepdim=True) / len(maps)


def gaussian_blur(maps: Tensor, width: int) -> Tensor:
    """(N, C, h, w) blurred by a Gaussian of ``width`` (odd) pixels, sigma 0.3 (width / 2 - 1) + 0.8, the
    usual choice for a given width; borders mirrored."""
    sigma = 0.3 * ((width - 1) * 0.5 - 1.0) + 0.8
    places = torch.arange(width, device=maps.device, dtype=maps.dtype) - width // 2
    kernel = (-0.5 * (places / sigma).square()).exp()
    kernel = (kernel / kernel.sum()).expand(maps.shape[1], 1, 1, width)
    half = width // 2
    padded = F.pad(maps, (half, half, half, half), mode="reflect")
    rows = F.conv2d(padded, kernel, groups=maps.shape[1])
    return F.conv2d(rows, kernel.transpose(2, 3), groups=maps.shape[1])
