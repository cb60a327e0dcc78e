"""Colourfulness of a photograph (Hasler & Süsstrunk 2003, "Measuring colourfulness in natural images", M3).

Two formulas go by this name. The paper's opponent channels rg = R - G and yb = (R + G)/2 - B are signed.
The evaluation scripts of DDColor, ColorFormer and CT2 take their absolute values first, which gives about a
tenth less; figures near 38 for ImageNet are of that kind. Reports carry both.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .pixels import exact_rgb

MEAN_WEIGHT = 0.3  # section 7 of the paper: M3 = sigma_rgyb + 0.3 mu_rgyb


def colorfulness(rgb: Tensor, absolute: bool = False) -> Tensor:
    """Colourfulness of each picture: 0 for grey, about 40 for the average photograph, 100 and more for vivid.

    Args:
        rgb: (N, 3, H, W) sRGB, uint8 or float 0..1.
        absolute: take |rg| and |yb| before the statistics, as several papers' scripts do.

    Returns:
        (N,) float64, on the scale of 8-bit values.
    """
    red, green, blue = (exact_rgb(rgb) * 255).flatten(2).unbind(1)  # (N, H*W) each
    opponents = torch.stack([red - green, (red + green) / 2 - blue], 1)  # (N, 2, H*W)
    if absolute:
        opponents = opponents.abs()
    variance, mean = torch.var_mean(opponents, dim=2, correction=0)  # (N, 2)
    return variance.sum(1).sqrt() + MEAN_WEIGHT * mean.square().sum(1).sqrt()


def delta_of_means(true: Tensor, other: Tensor) -> float:
    """|mean of ``other`` - mean of ``true``|: how far the average vividness is off (DDColor's figure).

    Args:
        true, other: (N,) colourfulness of the same photographs. Too grey and too vivid cancel out.
    """
    return float((other.mean() - true.mean()).abs())


def mean_delta(true: Tensor, other: Tensor) -> float:
    """Mean of |other - true| over the photographs: nothing cancels, so it is never the smaller of the two.

    Args:
        true, other: (N,) colourfulness of the same photographs.
    """
    return float((other - true).abs().mean())
