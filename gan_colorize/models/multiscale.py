"""Patch discriminators that look at one picture at several sizes: small ones see what large ones cannot.

Wallner's adversarial colorizer (2018) has three, at full, half and quarter resolution, with spectral norm;
the idea is that of Wang et al. 2018 (pix2pixHD, section 3.2).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import UserError
from .contract import Conditions
from .patchgan import PatchGAN, PatchGANOptions


@dataclass(frozen=True)
class MultiScaleOptions:
    """scales: how many discriminators, each at half the resolution of the one before; width, layers, norm:
    of each of them, as in :class:`~gan_colorize.models.patchgan.PatchGANOptions`."""

    scales: int = 3
    width: int = 64
    layers: int = 3
    norm: str = "spectral"

    def __post_init__(self) -> None:
        if not 1 <= self.scales <= 5:
            raise UserError(f"discriminator.options.scales: {self.scales} must be 1 to 5")


class MultiScale(nn.Module):
    """(L, ab) at full resolution -> scores of patches at every scale, the finest first.

    Every scale has a discriminator of its own; the losses take the mean over them.
    """

    source = "Wallner 2018, Coloring greyscale images (adversarial version)"
    takes: frozenset[str] = frozenset()

    def __init__(self, options: MultiScaleOptions) -> None:
        super().__init__()
        each = PatchGANOptions(options.width, options.layers, options.norm)
        self.scales = nn.ModuleList(PatchGAN(each) for _ in range(options.scales))
        self.smallest_side = self.scales[-1].smallest_side * 2 ** (options.scales - 1)

    def forward(self, lightness: Tensor, ab: Tensor) -> list[Tensor]:
        """As :meth:`judge`, the scores alone."""
        return self.judge(lightness, ab)[0]

    def judge(
        self, lightness: Tensor, ab: Tensor, conditions: Conditions | None = None
    ) -> tuple[list[Tensor], list[Tensor]]:
        """lightness (N, 1, H, W) in 0..100 and ab (N, 2, H, W) in -110..110 -> a score map (N, 1, h, w) for
        each scale, and the features after each layer of each scale."""
        scores, features = [], []
        for depth, scale in enumerate(self.scales):
            if depth:
                lightness, ab = F.avg_pool2d(lightness, 2), F.avg_pool2d(ab, 2)
            judged, seen = scale.judge(lightness, ab)
            scores += judged
            features += seen
        return scores, features
