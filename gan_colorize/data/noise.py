"""Grey pictures and their noise, in the 8-bit levels that files have."""

from __future__ import annotations

import torch
from torch import Tensor

from ..color.yuv import rgb_to_luma
from .chance import Chance

# A network that restores grey pictures sees, and returns, their 8-bit levels on the scale of L. It is not the
# L of CIE Lab: there, noise of one sigma in levels would have another one at every lightness.
LIGHTNESS_PER_LEVEL = 100.0 / 255.0


def luma8(rgb8: Tensor) -> Tensor:
    """The grey version (ITU-R BT.601) of pictures (N, 3, H, W) uint8 -> (N, 1, H, W) uint8."""
    return rgb_to_luma(rgb8.float()).round_().to(torch.uint8)[:, None]


def noisy8(grey8: Tensor, sigma: Tensor, chance: Chance) -> Tensor:
    """Pictures with white Gaussian noise as a file keeps them: rounded, and cut to 0..255.

    Args:
        grey8: (N, 1, H, W) uint8, on any device.
        sigma: (N,) in levels.
        chance: of these N pictures.
    """
    every = torch.ones(len(grey8), dtype=torch.bool)
    # on the CPU, so that a validation's noise is the same on every device
    noise = chance.fields(every, grey8.shape[1:], torch.device("cpu")) * sigma.cpu().view(-1, 1, 1, 1)
    return (grey8 + noise.to(grey8.device)).round_().clamp_(0, 255).to(torch.uint8)


def to_levels(lightness: Tensor) -> Tensor:
    """What a network returned, as uint8 levels."""
    return (lightness.float() / LIGHTNESS_PER_LEVEL).round_().clamp_(0, 255).to(torch.uint8)
