"""Emil Wallner's colorizer: local features, what the whole picture shows, and a decoder to ab.

Wallner 2017, "How to colorize black & white photos with just 100 lines of neural network code", the version
called Full; the fusion follows Baldassarre, Gonzalez Morin and Rodes-Guirao 2017 (Deep Koalarization).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import UserError
from .contract import Conditions, Contract, Prediction, check_size
from .recogniser import CLASSES, Recogniser

_AB_RANGE = 128.0


@dataclass(frozen=True)
class WallnerOptions:
    """width: channels of the first layer, 64 in the original; the others follow it.

    recogniser: a torchvision classifier with 1000 classes; recogniser_size: side of the square that it sees
    the picture as (0: the picture's own size). The original: Inception-ResNet-v2 at 299.
    """

    width: int = 64
    recogniser: str = "mobilenet_v2"
    recogniser_size: int = 224

    def __post_init__(self) -> None:
        if self.width < 4 or self.width % 4:
            raise UserError(f"model.options.width: {self.width} must be a multiple of 4, from 4 on")


class Wallner(nn.Module):
    """L -> ab at half the input's size.

    The last of the original's upsamplings repeats pixels of the finished colours; it is left to whoever
    enlarges the prediction, and does it better.
    """

    source = "Wallner 2017, Colorizing B&W Photos with Neural Networks (Full version)"
    contract = Contract(takes=frozenset(), returns="ab", output_stride=2, size_divisor=8)

    def __init__(self, options: WallnerOptions) -> None:
        super().__init__()
        w = options.width
        self.recogniser = Recogniser(options.recogniser, options.recogniser_size)
        widths, strides = (w, 2 * w, 2 * w, 4 * w, 4 * w, 8 * w, 8 * w, 4 * w), (2, 1, 2, 1, 2, 1, 1, 1)
        layers: list[nn.Module] = []
        for inputs, outputs, stride in zip((1, *widths), widths, strides, strict=False):
            layers += _conv_relu(inputs, outputs, stride)
        self.encoder = nn.Sequential(*layers)
        # A 1x1 convolution over features and the vector repeated everywhere is this sum: the part of it that
        # is the same everywhere is computed once.
        self.fuse_local = nn.Conv2d(4 * w, 4 * w, 1)
        self.fuse_global = nn.Linear(CLASSES, 4 * w, bias=False)
        self.decoder = nn.Sequential(
            *_conv_relu(4 * w, 2 * w),
            nn.Upsample(scale_factor=2),
            *_conv_relu(2 * w, w),
            nn.Upsample(scale_factor=2),
            *_conv_relu(w, w // 2),
            *_conv_relu(w // 2, w // 4),
        )
        self.head = nn.Conv2d(w // 4, 2, 3, 1, 1)
        # With torch's own start the signal would fade in twelve layers without norms.
        for part in (self.encoder, self.decoder):
            for layer in part:
                if isinstance(layer, nn.Conv2d):
                    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
                    nn.init.zeros_(layer.bias)
        for layer in (self.fuse_local, self.fuse_global):  # halves of one layer with 4w + 1000 inputs
            nn.init.normal_(layer.weight, std=(2.0 / (4 * w + CLASSES)) ** 0.5)
        nn.init.zeros_(self.fuse_local.bias)
        nn.init.normal_(self.head.weight, std=0.01)
        nn.init.zeros_(self.head.bias)

    def load_pretrained(self) -> None:
        """Give the recogniser its ImageNet weights."""
        self.recogniser.load_pretrained()

    def forward(self, lightness: Tensor, conditions: Conditions | None = None) -> Prediction:
        """lightness (N, 1, H, W) in 0..100, H and W multiples of 8 -> ab (N, 2, H/2, W/2)."""
        check_size(lightness, self.contract.size_divisor)
        shown = self.fuse_global(self.recogniser(lightness))[..., None, None]  # (N, 4w, 1, 1)
        local = self.encoder(lightness / 50.0 - 1.0)  # (N, 4w, H/8, W/8)
        fused = F.relu(self.fuse_local(local) + shown)
        return Prediction(ab=_AB_RANGE * torch.tanh(self.head(self.decoder(fused)).float()))


def _conv_relu(inputs: int, outputs: int, stride: int = 1) -> tuple[nn.Module, nn.Module]:
    return nn.Conv2d(inputs, outputs, 3, stride, 1), nn.ReLU(inplace=True)
