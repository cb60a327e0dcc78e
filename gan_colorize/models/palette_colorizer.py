"""Colours for a photograph from a palette: the colorization network of Text2Colors, and its discriminator.

Bahng et al. 2018 (Coloring with Words), palette-based colorization networks.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from ..color.palette import COLOURS
from ..errors import UserError
from .blocks import he_init
from .contract import Conditions, Contract, Prediction, check_size
from .trunk import GuidedTrunk

# Five colours of three numbers, and whether they are there.
PALETTE_VECTOR = 3 * COLOURS + 1


@dataclass(frozen=True)
class PaletteColorizerOptions:
    """width: channels of the first block; 64 in the paper."""

    width: int = 64

    def __post_init__(self) -> None:
        if self.width < 1:
            raise UserError(f"model.options.width: {self.width} must be at least 1")


class PaletteColorizer(GuidedTrunk):
    """L and a palette -> ab at full size.

    The trunk is that of the user-guided network, without its hints. The palette comes in after blocks 4, 8
    and 9, added to every position.
    """

    source = "Bahng et al. 2018, Coloring with Words"
    contract = Contract(takes=frozenset({"palette"}), returns="ab", output_stride=1, size_divisor=8)

    def __init__(self, options: PaletteColorizerOptions) -> None:
        super().__init__(inputs=1, width=options.width)
        width = options.width
        widths = {4: 8 * width, 8: 4 * width, 9: 2 * width}
        self.palette = nn.ModuleDict({str(block): _branch(wide) for block, wide in widths.items()})
        self.model_out = nn.Conv2d(2 * width, 2, 1)
        nn.init.normal_(self.model_out.weight, std=0.01)
        nn.init.zeros_(self.model_out.bias)

    def forward(self, lightness: Tensor, conditions: Conditions | None = None) -> Prediction:
        """lightness (N, 1, H, W) in 0..100, sides multiples of 8 -> ab (N, 2, H, W)."""
        check_size(lightness, self.contract.size_divisor)
        palette = None if conditions is None else conditions.palette
        vector = None if palette is None else palette_vector(palette)[..., None, None]  # (N, 16, 1, 1)

        def steer(block: int, x: Tensor) -> Tensor:
            return x if vector is None else x + self.palette[str(block)](vector)

        _, ten = self.run((lightness - 50.0) / 100.0, steer)
        # The paper's sigmoid, scaled to the limits of sRGB in Lab under D50, as a tanh around grey.
        return Prediction(ab=110.0 * torch.tanh(self.model_out(ten).float()))


def palette_vector(palette: Tensor) -> Tensor:
    """(N, 5, 3) Lab, zeros where none is given -> (N, 16): colours near -1..1 and whether they are there."""
    given = palette.flatten(1).any(1, keepdim=True).to(palette.dtype)  # (N, 1)
    scaled = (palette - palette.new_tensor([50.0, 0.0, 0.0])) / palette.new_tensor([50.0, 110.0, 110.0])
    return torch.cat([scaled.flatten(1), torch.ones_like(given)], 1) * given


def _branch(width: int) -> nn.Sequential:
    """1x1 convolutions without biases: of a palette that is not given they say nothing.

    Two at each place; the authors' code has four, two and one at blocks 4, 8 and 9.
    """
    branch = nn.Sequential(
        nn.Conv2d(PALETTE_VECTOR, width, 1, bias=False),
        nn.ReLU(inplace=True),
        nn.Conv2d(width, width, 1, bias=False),
    )
    he_init(branch)
    return branch


@dataclass(frozen=True)
class PalettePatchOptions:
    """width: channels of the first layer; norm: "spectral" or "none"."""

    width: int = 64
    norm: str = "spectral"

    def __post_init__(self) -> None:
        if self.norm not in ("spectral", "none") or self.width < 1:
            raise UserError("discriminator.options: norm must be spectral or none, and width at least 1")


class PalettePatch(nn.Module):
    """(L, ab, palette) -> one score: is this a photograph, and in these colours?

    Five convolutions of 4x4 with stride 2 and one fully connected layer. What they found is averaged down to
    2x2 before it, so that crops of any size fit; the palette is laid beside the picture as even planes, where
    every layer can compare the two.
    """

    source = "Bahng et al. 2018, Coloring with Words"
    takes: frozenset[str] = frozenset({"palette"})
    smallest_side = 32

    def __init__(self, options: PalettePatchOptions) -> None:
        super().__init__()
        wrap = spectral_norm if options.norm == "spectral" else lambda layer: layer
        widths = [3 + PALETTE_VECTOR, *(options.width * min(2**i, 8) for i in range(5))]
        self.layers = nn.ModuleList(wrap(nn.Conv2d(a, b, 4, 2, 1)) for a, b in pairwise(widths))
        self.score = wrap(nn.Linear(4 * widths[-1], 1))

    def judge(
        self, lightness: Tensor, ab: Tensor, conditions: Conditions | None = None
    ) -> tuple[list[Tensor], list[Tensor]]:
        """lightness (N, 1, H, W), ab (N, 2, H, W) -> a list of one (N, 1), and the features of each layer."""
        palette = None if conditions is None else conditions.palette
        if palette is None:
            palette = lightness.new_zeros(len(lightness), COLOURS, 3)
        planes = palette_vector(palette)[..., None, None].expand(-1, -1, *lightness.shape[2:])
        x = torch.cat([lightness / 50.0 - 1.0, ab / 110.0, planes.to(ab.dtype)], 1)
        features = []
        for layer in self.layers:
            x = F.leaky_relu(layer(x), 0.2)
            features.append(x)
        return [self.score(F.adaptive_avg_pool2d(x, 2).flatten(1))], features
