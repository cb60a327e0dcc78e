"""LPIPS as a training term (Zhang et al. 2018), on RGB made from the picture's own lightness."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..color.lab import lab_to_rgb
from ..evaluation.lpips_metric import load_lpips


class PerceptualLoss(nn.Module):
    """LPIPS between two chromas of the same lightness.

    Raises:
        UserError: the trunk's weights are neither cached nor given (see ``evaluation.lpips_metric``).
    """

    def __init__(self, net: str = "alex") -> None:
        super().__init__()
        self.lpips = load_lpips(net).requires_grad_(False)

    def forward(self, lightness: Tensor, ab: Tensor, truth: Tensor) -> Tensor:
        """lightness (N, 1, H, W), ab and truth (N, 2, H, W) -> (N,) distances."""
        with torch.autocast(lightness.device.type, enabled=False):
            # Not clipped: clipping would silence the gradient of just the colours that are wrong.
            fake, real = (
                lab_to_rgb(torch.cat([lightness.float(), x.float()], 1), clip=False) * 2.0 - 1.0
                for x in (ab, truth)
            )
            return self.lpips(fake, real).flatten()
