"""How common each colour is, and the class weights that make rare ones count.

Zhang, Isola, Efros 2016, section 2.2 and equation 4. The prior is counted from the user's own pictures.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .bins import NUM_BINS, bin_centres
from .targets import SoftEncoder

# Section 2.2: "lambda = 1/2 and sigma = 5 worked well".
SMOOTHING_SIGMA = 5.0
UNIFORM_SHARE = 0.5


@torch.no_grad()
def soft_histogram(ab: Tensor, encoder: SoftEncoder) -> Tensor:
    """Mass of each bin over all pixels of ab (N, 2, h, w): (313,) float64 summing to N*h*w."""
    indices, weights = encoder(ab)
    return torch.bincount(indices.flatten(), weights.flatten().double(), minlength=NUM_BINS)


def smooth_prior(counts: Tensor, sigma: float = SMOOTHING_SIGMA) -> Tensor:
    """Spread each bin's mass over its neighbours by a Gaussian of their ab distance.

    The mass a bin gives away is normalised at the giver, so none is lost at the rim of the gamut.

    Args:
        counts: (313,) non-negative masses.
        sigma: in ab units.

    Returns:
        (313,) float64, summing to 1.

    Raises:
        ValueError: another shape, a negative or non-finite mass, or no mass at all.
    """
    counts = counts.double()
    if counts.shape != (NUM_BINS,):
        raise ValueError(f"a prior has the shape ({NUM_BINS},), got {tuple(counts.shape)}")
    if not torch.isfinite(counts).all() or (counts < 0).any() or counts.sum() <= 0:
        raise ValueError("a prior needs finite, non-negative masses that are not all zero")
    centres = bin_centres(torch.float64).to(counts.device)
    squared = (centres[:, None] - centres[None]).square().sum(dim=-1)
    kernel = torch.exp(-0.5 * squared / sigma**2)  # (to, from)
    smoothed = (kernel / kernel.sum(dim=0, keepdim=True)) @ counts
    return smoothed / smoothed.sum()


def rebalancing_weights(prior: Tensor, uniform_share: float = UNIFORM_SHARE) -> Tensor:
    """Class weights w proportional to 1 / ((1 - lambda) p + lambda / Q), scaled so that sum(p w) = 1.

    Args:
        prior: (313,) p, summing to 1.
        uniform_share: lambda, above 0 up to 1; 1 gives equal weights.

    Returns:
        (313,) float32 on the prior's device.

    Raises:
        ValueError: lambda outside its range, or a prior of another shape or sum.
    """
    if not 0.0 < uniform_share <= 1.0:
        raise ValueError(f"uniform_share must be above 0 and at most 1, got {uniform_share}")
    prior = prior.double()
    if prior.shape != (NUM_BINS,) or abs(float(prior.sum()) - 1.0) > 1e-4:
        raise ValueError(f"prior must be ({NUM_BINS},) and sum to 1; see smooth_prior")
    weights = 1.0 / ((1.0 - uniform_share) * prior + uniform_share / NUM_BINS)
    return (weights / (prior * weights).sum()).float()
