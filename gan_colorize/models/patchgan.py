"""PatchGAN: is this patch of colour a photograph's? (Isola et al. 2017, section 3.2.2 and appendix 6.1.2)"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from ..errors import UserError


@dataclass(frozen=True)
class PatchGANOptions:
    """width: channels of the first layer; layers: stride-2 layers (3 gives the 70x70 field);
    norm: "spectral", "batch" or "none"."""

    width: int = 64
    layers: int = 3
    norm: str = "spectral"

    def __post_init__(self) -> None:
        if self.norm not in ("spectral", "batch", "none"):
            raise UserError(f"discriminator.options.norm: {self.norm!r} is not spectral, batch or none")


class PatchGAN(nn.Module):
    """(L, ab) at full resolution -> one score per overlapping patch; 70x70 pixels with three layers."""

    def __init__(self, options: PatchGANOptions) -> None:
        super().__init__()
        self.receptive_field = 1
        widths = [min(options.width * 2**i, options.width * 8) for i in range(options.layers + 1)]
        modules: list[nn.Module] = []
        inputs = 3
        strides = [2] * options.layers + [1]
        for index, (width, stride) in enumerate(zip(widths, strides, strict=True)):
            # The first layer sees raw colours, whose statistics are the evidence: never normalised.
            modules += _layer(
                inputs, width, stride, "none" if index == 0 and options.norm == "batch" else options.norm
            )
            inputs = width
        last = nn.Conv2d(inputs, 1, 4, 1, 1)
        self.layers = nn.Sequential(*modules, spectral_norm(last) if options.norm == "spectral" else last)
        for stride in reversed([*strides, 1]):
            self.receptive_field = self.receptive_field * stride + (4 - stride)

    def forward(self, lightness: Tensor, ab: Tensor) -> Tensor:
        """lightness (N, 1, H, W) in 0..100 and ab (N, 2, H, W) in -110..110 -> scores (N, 1, h, w)."""
        return self.layers(torch.cat([lightness / 50.0 - 1.0, ab / 110.0], dim=1))


def _layer(inputs: int, outputs: int, stride: int, norm: str) -> list[nn.Module]:
    conv = nn.Conv2d(inputs, outputs, 4, stride, 1, bias=norm != "batch")
    layer: list[nn.Module] = [spectral_norm(conv) if norm == "spectral" else conv]
    if norm == "batch":
        layer.append(nn.BatchNorm2d(outputs))
    return [*layer, nn.LeakyReLU(0.2, inplace=True)]
