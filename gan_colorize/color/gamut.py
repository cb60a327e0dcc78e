"""Which colours sRGB can show at a given lightness: about 85 % of the L x ab box is outside it."""

from __future__ import annotations

import functools

import torch
from torch import Tensor

from .bins import GRID_STEP, NUM_BINS, bin_centres
from .lab import lab_to_rgb, rgb_to_lab
from .threads import one_thread

# What `in_gamut` forgives in encoded RGB: the error of a float32 round trip, far below an 8-bit level.
_RGB_TOLERANCE = 1e-4
# The cube's surface is sampled at every 8-bit colour; between samples limits move by less than this.
_SURFACE_SIDE = 256
_GRID_OFFSET = 12  # ab of sRGB lies within 12 grid steps of grey
_LIGHTNESS_TOLERANCE = 1.0


def in_gamut(lab: Tensor) -> Tensor:
    """(..., 3, H, W) L, a, b -> (..., 1, H, W) bool: the colour is in sRGB, give or take 1e-4 in RGB."""
    rgb = lab_to_rgb(lab, clip=False)
    inside = (rgb >= -_RGB_TOLERANCE) & (rgb <= 1.0 + _RGB_TOLERANCE)
    return inside.all(dim=-3, keepdim=True)


def _nearest_bin(ab: Tensor) -> Tensor:
    """(P, 2) -> (P,) int64: the grid node beside it, or, where that is no bin, the nearest of all."""
    centres = bin_centres()
    nodes = (centres / GRID_STEP).long() + _GRID_OFFSET
    bin_of_node = torch.full((2 * _GRID_OFFSET + 1,) * 2, -1)
    bin_of_node[nodes[:, 0], nodes[:, 1]] = torch.arange(NUM_BINS)
    row, column = ((ab / GRID_STEP).round().long() + _GRID_OFFSET).unbind(1)
    nearest = bin_of_node[row, column]
    missing = (nearest < 0).nonzero().squeeze(1)
    nearest[missing] = torch.cdist(ab[missing], centres).argmin(dim=1)
    return nearest


@functools.cache
@torch.no_grad()
@one_thread()
def _lightness_limits() -> tuple[Tensor, Tensor]:
    """Lowest and highest L (313,) of the sRGB colours nearest to each bin; (inf, -inf) where there are none.

    At fixed ab, going up or down in L leaves sRGB through the surface of its cube, so the surface is enough.
    """
    u, v = torch.meshgrid(*[torch.linspace(0, 1, _SURFACE_SIDE)] * 2, indexing="ij")
    faces = [
        torch.stack((u, v, torch.full_like(u, side))).roll(axis, dims=0)
        for side in (0.0, 1.0)
        for axis in range(3)
    ]
    lab = rgb_to_lab(torch.stack(faces))  # (6, 3, side, side)
    lightness, ab = lab[:, 0].flatten(), lab[:, 1:].flatten(2).transpose(1, 2).reshape(-1, 2)
    nearest = _nearest_bin(ab)
    lowest = torch.full((NUM_BINS,), torch.inf).scatter_reduce_(0, nearest, lightness, "amin")
    highest = torch.full((NUM_BINS,), -torch.inf).scatter_reduce_(0, nearest, lightness, "amax")
    return lowest - _LIGHTNESS_TOLERANCE, highest + _LIGHTNESS_TOLERANCE


def possible_bins(lightness: Tensor) -> Tensor:
    """Which bins an 8-bit sRGB colour of this lightness can have as its nearest.

    Never leaves one out: limits are widened by 1 unit of L. The bin (0, 0) is possible everywhere.

    Args:
        lightness: (N, 1, h, w) L; values outside 0..100 count as the nearer end.

    Returns:
        (N, 313, h, w) bool.
    """
    lowest, highest = (limit.to(lightness.device).view(1, -1, 1, 1) for limit in _lightness_limits())
    lightness = lightness.float().clamp(0.0, 100.0)
    return (lightness >= lowest) & (lightness <= highest)
