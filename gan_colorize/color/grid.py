"""The full square grid of ab classes that the 2017 network classifies into.

Zhang, Zhu et al. 2017 (Real-Time User-Guided Image Colorization), released training code: 23 x 23 classes,
every multiple of 10 from -110 to 110, among them many that no screen can show. Class (a, b) has the number
23 * (a + 110) / 10 + (b + 110) / 10, and a pixel belongs to the nearest one alone.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

GRID_STEP, GRID_SIDE = 10.0, 23
GRID_CLASSES = GRID_SIDE**2  # 529
_LOWEST = -110.0


def grid_centres() -> Tensor:
    """ab of every class, (529, 2) float32."""
    steps = _LOWEST + GRID_STEP * torch.arange(GRID_SIDE, dtype=torch.float32)
    return torch.stack(torch.meshgrid(steps, steps, indexing="ij"), -1).flatten(0, 1)


class GridEncoder(nn.Module):
    """Hard targets in the sparse form of :class:`~gan_colorize.color.targets.SoftEncoder`, with one bin."""

    @torch.no_grad()
    def forward(self, ab: Tensor) -> tuple[Tensor, Tensor]:
        """ab (N, 2, h, w) -> indices (N, 1, h, w) int64 in 0..528 and weights of 1, float32."""
        place = ((ab.float() - _LOWEST) / GRID_STEP).round().long().clamp_(0, GRID_SIDE - 1)
        indices = place[:, :1] * GRID_SIDE + place[:, 1:]
        return indices, torch.ones_like(indices, dtype=torch.float32)
