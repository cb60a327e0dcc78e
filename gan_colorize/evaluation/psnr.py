"""Peak signal-to-noise ratio. It rewards grey: read it beside colourfulness, never alone."""

from __future__ import annotations

import torch
from torch import Tensor

from .pixels import exact_rgb, same_shape

# A mean over photographs must stay finite, and JSON has no infinity: identical pictures count as this.
IDENTICAL_DB = 100.0


def psnr(true: Tensor, other: Tensor) -> Tensor:
    """PSNR in dB of each picture, over its three sRGB channels together, peak 1 (that is 255).

    Args:
        true, other: (N, 3, H, W) sRGB, uint8 or float 0..1.

    Returns:
        (N,) float64, at most :data:`IDENTICAL_DB`.
    """
    same_shape(true, other)
    difference = exact_rgb(true) - exact_rgb(other)
    error = difference.square().flatten(1).mean(1)
    return (-10 * torch.log10(error)).clamp(max=IDENTICAL_DB)
