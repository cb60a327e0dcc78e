"""PatchGAN: is this patch of colour a photograph's? (Isola et al. 2017, section 3.2.2 and appendix 6.1.2)"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from ..errors import UserError
from .contract import Conditions


@dataclass(frozen=True)
class PatchGANOptions:
    """width: channels of the first layer; layers: stride-2 layers (3 gives the 70x70 field);
    norm: "spectral" or "none". (Batch statistics would tell a batch of truths from a batch of guesses.)"""

    width: int = 64
    layers: int = 3
    norm: str = "spectral"

    def __post_init__(self) -> None:
        if self.norm not in ("spectral", "none"):
            raise UserError(f"discriminator.options.norm: {self.norm!r} is not spectral or none")
        if not 1 <= self.layers <= 4 or self.width < 1:
            raise UserError("discriminator.options: layers must be 1 to 4 and width at least 1")


class PatchGAN(nn.Module):
    """(L, ab) at full resolution -> one score per overlapping patch; 70x70 pixels with three layers.

    takes: names of the :class:`Conditions` that a discriminator looks at; this one looks at none.
    smallest_side: pixels below which a picture has not a single patch.
    """

    source = "Isola et al. 2017, Image-to-Image Translation with Conditional Adversarial Networks"
    takes: frozenset[str] = frozenset()

    def __init__(self, options: PatchGANOptions) -> None:
        super().__init__()
        self.receptive_field = 1
        self.smallest_side = 3 * 2**options.layers  # the two layers of stride 1 take a pixel each
        widths = [min(options.width * 2**i, options.width * 8) for i in range(options.layers + 1)]
        wrap = spectral_norm if options.norm == "spectral" else lambda layer: layer
        modules: list[nn.Module] = []
        inputs = 3
        strides = [2] * options.layers + [1]
        for width, stride in zip(widths, strides, strict=True):
            modules += [wrap(nn.Conv2d(inputs, width, 4, stride, 1)), nn.LeakyReLU(0.2, inplace=True)]
            inputs = width
        self.layers = nn.Sequential(*modules, wrap(nn.Conv2d(inputs, 1, 4, 1, 1)))
        for stride in reversed([*strides, 1]):
            self.receptive_field = self.receptive_field * stride + (4 - stride)

    def forward(self, lightness: Tensor, ab: Tensor) -> Tensor:
        """lightness (N, 1, H, W) in 0..100 and ab (N, 2, H, W) in -110..110 -> scores (N, 1, h, w)."""
        return self.judge(lightness, ab)[0][0]

    def judge(
        self, lightness: Tensor, ab: Tensor, conditions: Conditions | None = None
    ) -> tuple[list[Tensor], list[Tensor]]:
        """As :meth:`forward` -> a list of score maps (here one) and the features after each layer.

        What every discriminator offers; ``conditions`` are for those that judge whether a wish was heard.
        """
        x = torch.cat([lightness / 50.0 - 1.0, ab / 110.0], dim=1)
        features = []
        for layer in self.layers:
            x = layer(x)
            if isinstance(layer, nn.LeakyReLU):
                features.append(x)
        return [x], features
