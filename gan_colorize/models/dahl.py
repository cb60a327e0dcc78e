"""Ryan Dahl's colorizer: a classifier's features, added to each other from coarse to fine, become U and V.

Dahl 2016, "Automatic Colorization" (tinyclouds.org/colorize), the figure called residual encoder. Where the
figure is silent, the norms and activations are those that published re-implementations agree on: the trunk
is tapped after its ReLU, and a BatchNorm stands before every sum and after every convolution.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..color.lab import lightness_to_grey
from ..color.yuv import uv_to_ab
from ..errors import UserError
from .blocks import conv_norm
from .contract import Conditions, Contract, Prediction, check_size
from .encoders import torchvision_classifier
from .recogniser import as_torchvision_expects

# Simonyan and Zisserman 2015, table 1: convolutions at strides 1, 2, 4 and 8. The fifth group is not used.
_CONVOLUTIONS = {"vgg11": (1, 1, 2, 2), "vgg13": (2, 2, 2, 2), "vgg16": (2, 2, 3, 3), "vgg19": (2, 2, 4, 4)}
TRUNKS = tuple(name + norm for name in _CONVOLUTIONS for norm in ("", "_bn"))
_PUBLISHED_WIDTH = 64
_LARGEST_UV = (0.436, 0.615)


@dataclass(frozen=True)
class DahlOptions:
    """trunk: a VGG of torchvision (vgg16; vgg16_bn is the same with norms); width: channels of its first
    layers, 64 in the paper, which the others follow; only that width has pretrained weights."""

    trunk: str = "vgg16"
    width: int = 64

    def __post_init__(self) -> None:
        if self.trunk not in TRUNKS:
            raise UserError(f"model.options.trunk: no trunk {self.trunk!r}; there are {', '.join(TRUNKS)}")
        if self.width < 1:
            raise UserError(f"model.options.width: {self.width} must be at least 1")


class VGGTrunk(nn.Module):
    """L (N, 1, H, W) in 0..100 -> the last features at strides 1, 2, 4 and 8, after their ReLU.

    For VGG-16: conv1_2, conv2_2, conv3_3, conv4_3 with ``widths`` 64, 128, 256, 512.
    """

    def __init__(self, name: str, width: int) -> None:
        super().__init__()
        self.name = name
        self.widths = tuple(width * factor for factor in (1, 2, 4, 8))
        groups = []
        inputs = 3
        for outputs, count in zip(self.widths, _CONVOLUTIONS[name.removesuffix("_bn")], strict=True):
            layers: list[nn.Module] = [nn.MaxPool2d(2)] if groups else []
            for _ in range(count):
                layers.append(nn.Conv2d(inputs, outputs, 3, 1, 1))
                nn.init.kaiming_normal_(layers[-1].weight, mode="fan_out", nonlinearity="relu")
                nn.init.zeros_(layers[-1].bias)
                if name.endswith("_bn"):
                    layers.append(nn.BatchNorm2d(outputs))
                layers.append(nn.ReLU(inplace=True))
                inputs = outputs
            groups.append(nn.Sequential(*layers))
        self.groups = nn.ModuleList(groups)

    def load_pretrained(self) -> None:
        """Take torchvision's ImageNet weights; errors as in :func:`torchvision_classifier`."""
        if self.widths[0] != _PUBLISHED_WIDTH:
            raise UserError(
                f"model.pretrained_encoder: {self.name} has weights for model.options.width "
                f"{_PUBLISHED_WIDTH}, not {self.widths[0]}"
            )
        published = torchvision_classifier(self.name).features.state_dict().values()
        # The groups number their layers anew; the order of the tensors is the same, up to the fifth group.
        own = self.state_dict()
        self.load_state_dict(dict(zip(own, published, strict=False)))

    def forward(self, lightness: Tensor) -> list[Tensor]:
        x = as_torchvision_expects(lightness)
        features = []
        for group in self.groups:
            x = group(x)
            features.append(x)
        return features


class Dahl(nn.Module):
    """L -> U and V at the input's own size, and the ab that they mean."""

    source = "Dahl 2016, Automatic Colorization"
    contract = Contract(takes=frozenset(), returns="ab", output_stride=1, size_divisor=8, space="uv")

    def __init__(self, options: DahlOptions) -> None:
        super().__init__()
        self.encoder = VGGTrunk(options.trunk, options.width)
        widths = self.encoder.widths
        self.norms = nn.ModuleList(nn.BatchNorm2d(width) for width in (*widths, 3))
        steps = pairwise((*reversed(widths), 3))  # 512 -> 256 -> 128 -> 64 -> 3
        self.blocks = nn.ModuleList(
            _conv(deep, fine, 1 if n == 0 else 3) for n, (deep, fine) in enumerate(steps)
        )
        self.last = _conv(3, 3, 3)
        self.head = nn.Conv2d(3, 2, 3, 1, 1)
        nn.init.normal_(self.head.weight, std=0.01)
        nn.init.zeros_(self.head.bias)
        self.register_buffer("largest", torch.tensor(_LARGEST_UV)[:, None, None], persistent=False)

    def forward(self, lightness: Tensor, conditions: Conditions | None = None) -> Prediction:
        """lightness (N, 1, H, W) in 0..100, H and W multiples of 8 -> uv and ab (N, 2, H, W)."""
        check_size(lightness, self.contract.size_divisor)
        *norms, norm_deepest, norm_grey = self.norms
        *features, deepest = self.encoder(lightness)
        x = self.blocks[0](norm_deepest(deepest))  # (N, 4w, H/8, W/8)
        for block, norm, feature in zip(self.blocks[1:], reversed(norms), reversed(features), strict=True):
            x = F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False) + norm(feature)
            x = block(x)  # (N, 2w, H/4, W/4), (N, w, H/2, W/2), (N, 3, H, W)
        grey = lightness_to_grey(lightness).expand(-1, 3, -1, -1)
        x = self.last(x + norm_grey(grey))
        uv = (2.0 * torch.sigmoid(self.head(x).float()) - 1.0) * self.largest
        return Prediction(ab=uv_to_ab(lightness, uv), uv=uv)


def _conv(inputs: int, outputs: int, kernel: int) -> nn.Sequential:
    return nn.Sequential(conv_norm(inputs, outputs, kernel), nn.ReLU(inplace=True))
