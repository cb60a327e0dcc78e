"""Colorful Image Colorization: eight blocks without a shortcut predict a distribution over the ab bins.

Zhang, Isola, Efros 2016, section 2.1 and figure 2. Modules carry the names and places that they have in the
authors' PyTorch release, so that its state dict loads as it is (:mod:`gan_colorize.zoo.published`).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..color.bins import NUM_BINS, bin_centres
from ..errors import UserError
from .blocks import conv_stack, he_init
from .contract import Conditions, Contract, Prediction, check_size

# Of blocks 1 to 7: width in units of the first block's, 3x3 convolutions, dilation, stride of the last one.
_BLOCKS = (
    (1, 2, 1, 2),
    (2, 2, 1, 2),
    (4, 3, 1, 2),
    (8, 3, 1, 1),
    (8, 3, 2, 1),
    (8, 3, 2, 1),
    (8, 3, 1, 1),
)


@dataclass(frozen=True)
class CICOptions:
    """width: channels of the first block; 64 in the paper (32.24 million parameters)."""

    width: int = 64

    def __post_init__(self) -> None:
        if self.width < 1:
            raise UserError(f"model.options.width: {self.width} must be at least 1")


class CIC(nn.Module):
    """L -> logits over the 313 ab bins at a quarter of the input's size."""

    source = "Zhang et al. 2016, Colorful Image Colorization"
    contract = Contract(
        takes=frozenset(), returns="distribution", output_stride=4, size_divisor=8, classes="gamut"
    )

    def __init__(self, options: CICOptions) -> None:
        super().__init__()
        inputs, width = 1, options.width
        for number, (factor, count, dilation, stride) in enumerate(_BLOCKS, 1):
            widths = [inputs] + [factor * width] * count
            self.add_module(f"model{number}", nn.Sequential(*conv_stack(widths, dilation, stride)))
            inputs = widths[-1]
        self.model8 = nn.Sequential(
            nn.ConvTranspose2d(inputs, 4 * width, 4, 2, 1),
            nn.ReLU(inplace=True),
            *conv_stack([4 * width] * 3, norm=False),
            nn.Conv2d(4 * width, NUM_BINS, 1),
        )
        # The published state dict holds the bins' centres / 110 as a layer. Nothing here runs it, colours are
        # decoded from the logits; it is kept so that either side reads the other's weights.
        self.model_out = nn.Conv2d(NUM_BINS, 2, 1, bias=False).requires_grad_(False)
        he_init(self)
        with torch.no_grad():
            self.model_out.weight.copy_(bin_centres().T[:, :, None, None] / 110.0)
        # Flat at first: strong random logits would cost the first steps.
        nn.init.normal_(self.model8[-1].weight, std=0.01)

    def forward(self, lightness: Tensor, conditions: Conditions | None = None) -> Prediction:
        """lightness (N, 1, H, W) in 0..100, sides multiples of 8 -> logits (N, 313, H/4, W/4)."""
        check_size(lightness, self.contract.size_divisor)
        x = (lightness - 50.0) / 100.0
        for number in range(1, len(_BLOCKS) + 2):
            x = self.get_submodule(f"model{number}")(x)  # H/2, H/4, H/8, then H/8 up to block 7, H/4
        return Prediction(logits=x)
