"""The one gate through which pictures enter the metrics."""

from __future__ import annotations

import torch
from torch import Tensor

# LPIPS is the hungriest: AlexNet needs 31 px; SSIM's window needs 11. One bound for all keeps rows equal.
SMALLEST_SIDE = 32


def unit_rgb(rgb: Tensor) -> Tensor:
    """sRGB of any batch as float32 0..1.

    Args:
        rgb: (N, 3, H, W) uint8 0..255, or floating point 0..1.

    Returns:
        (N, 3, H, W) float32 0..1.

    Raises:
        ValueError: another shape (one channel would silently broadcast), another type or range.
    """
    if rgb.ndim != 4 or rgb.shape[1] != 3:
        raise ValueError(f"pictures must be (N, 3, H, W), got {tuple(rgb.shape)}")
    if rgb.dtype == torch.uint8:
        return rgb.float() / 255
    if not rgb.is_floating_point():
        raise ValueError(f"pictures must be uint8 or floating point, got {rgb.dtype}")
    rgb = rgb.float()
    low, high = (float(bound) for bound in rgb.aminmax())
    # `not (inside)` also catches NaN, which compares false with everything
    if not (low >= -0.01 and high <= 1.01):
        raise ValueError(f"floating-point pictures must be in 0..1, got {low:.3g}..{high:.3g}")
    return rgb.clamp(0, 1)


def exact_rgb(rgb: Tensor) -> Tensor:
    """:func:`unit_rgb` in float64, where it is; Apple's MPS has none, so from there to the CPU."""
    rgb = unit_rgb(rgb)
    return (rgb.cpu() if rgb.device.type == "mps" else rgb).double()


def same_shape(true: Tensor, other: Tensor) -> None:
    """Raise a ValueError when two batches differ in shape: broadcasting would give a wrong number."""
    if true.shape != other.shape:
        raise ValueError(f"pictures of different shapes: {tuple(true.shape)} and {tuple(other.shape)}")
