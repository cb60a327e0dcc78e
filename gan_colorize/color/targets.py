"""Soft targets: what share of a pixel's colour each of its nearest bins holds.

Zhang, Isola, Efros 2016, section 2.1: the 5 nearest bins, weighted by a Gaussian of their distance (sigma 5).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from .bins import NUM_BINS, bin_centres
from .threads import one_thread

NEIGHBOURS = 5
SIGMA = 5.0

# sRGB spans a -87..99 and b -108..95; anything beyond the table shares its border cell.
_TABLE_MIN, _TABLE_MAX = -110.0, 110.0


def _gaussian_weights(ab: Tensor, indices: Tensor, centres: Tensor, sigma: float) -> Tensor:
    """Weights (N, k, ...) of the bins `indices` (N, k, ...) for ab (N, 2, ...), summing to 1 over k."""
    squared = (centres[:, 0][indices] - ab[:, :1]).square_()
    squared += (centres[:, 1][indices] - ab[:, 1:]).square_()
    # A softmax is the normalised Gaussian that cannot divide zero by zero far outside the bins.
    return functional.softmax(squared.mul_(-0.5 / sigma**2), dim=1)


@torch.no_grad()
def encode_exact(ab: Tensor, neighbours: int = NEIGHBOURS, sigma: float = SIGMA) -> tuple[Tensor, Tensor]:
    """The definition, computed against every bin: slow; the reference for SoftEncoder.

    Args:
        ab: (N, 2, h, w), any float type.

    Returns:
        indices (N, k, h, w) int64, nearest bin first, and weights (N, k, h, w) float32 summing to 1 over k.
    """
    centres = bin_centres().to(ab.device)
    indices = []
    for picture in ab.float():
        # Explicit differences: the |x|^2 - 2xy + |y|^2 form loses the order of near-equal distances.
        squared = sum((centres[:, c, None] - picture[c].reshape(1, -1)).square() for c in (0, 1))
        nearest = squared.topk(neighbours, dim=0, largest=False).indices  # (k, h*w)
        indices.append(nearest.reshape(neighbours, *picture.shape[1:]))
    stacked = torch.stack(indices)
    return stacked, _gaussian_weights(ab.float(), stacked, centres, sigma)


class SoftEncoder(nn.Module):
    """Soft encoding by lookup: a table names a pixel's nearest bins, their weights are then computed exactly.

    The table's cells share their edges with the lines on which the set of nearest bins changes (multiples
    of 5), except for the diagonals between them. Only there, among bins at nearly the same distance, may
    the last neighbour differ from the exact one: 0.2 % of the mass on average.

    Args:
        neighbours: how many bins share a pixel (5 in the paper, 10 in its released training code).
        sigma: of the Gaussian, in ab units.
        table_step: size of a table cell in ab units.
    """

    def __init__(self, neighbours: int = NEIGHBOURS, sigma: float = SIGMA, table_step: float = 1.0) -> None:
        super().__init__()
        if not 1 <= neighbours <= NUM_BINS:
            raise ValueError(f"neighbours must be 1 to {NUM_BINS}, got {neighbours}")
        if not sigma > 0:
            raise ValueError(f"sigma must be above 0, got {sigma}")
        self.neighbours, self.sigma, self.table_step = neighbours, sigma, table_step
        self.side = round((_TABLE_MAX - _TABLE_MIN) / table_step)
        middles = _TABLE_MIN + (torch.arange(self.side) + 0.5) * table_step
        # A hair off the middle: on the exact middle of a diagonal cell four distances tie in pairs.
        grid = torch.stack(torch.meshgrid(middles, middles + 1e-3, indexing="ij"))  # (2, side, side)
        table = encode_exact(grid[None], neighbours, sigma)[0][0]  # (k, side, side)
        self.register_buffer("table", table.reshape(neighbours, -1).to(torch.int16), persistent=False)
        self.register_buffer("centres", bin_centres(), persistent=False)

    @torch.no_grad()
    @one_thread()
    def forward(self, ab: Tensor) -> tuple[Tensor, Tensor]:
        """Encode ab (N, 2, h, w), any float type, on the module's device.

        Returns:
            indices (N, k, h, w) int64, about nearest first; weights (N, k, h, w) float32 summing to 1 over k.
        """
        ab = ab.float()
        cell = ((ab - _TABLE_MIN) / self.table_step).long().clamp_(0, self.side - 1)
        flat = (cell[:, 0] * self.side + cell[:, 1]).flatten(1)  # (N, h*w)
        n, k = flat.shape[0], self.neighbours
        indices = self.table.expand(n, k, -1).gather(2, flat[:, None].expand(n, k, -1)).long()
        indices = indices.unflatten(2, ab.shape[2:])  # (N, k, h, w)
        return indices, _gaussian_weights(ab, indices, self.centres, self.sigma)


def area_pool(ab: Tensor, stride: int) -> Tensor:
    """Mean of ab over stride x stride blocks: (N, C, H, W) -> (N, C, H/stride, W/stride).

    Point sampling instead would cost 3 dB of the best PSNR that the targets allow.

    Raises:
        ValueError: H or W is not a multiple of stride.
    """
    height, width = ab.shape[-2:]
    if height % stride or width % stride:
        raise ValueError(f"{height} x {width} is not a multiple of the stride {stride}")
    return functional.avg_pool2d(ab, stride)
