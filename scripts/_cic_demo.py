"""The demo pipeline of Colorful Image Colorization (Zhang, Isola, Efros 2016), re-created to measure against.

As its authors publish it: Pillow decodes, scikit-image converts to Lab, the network sees 256x256 in float32,
its ab is enlarged bilinearly and scikit-image converts back. With random weights: only its time is asked for.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from skimage import color
from torch import Tensor, nn

SIDE = 256


def cic_network() -> nn.Module:
    """The network (figure 2): 32 M parameters, 84 GFLOP at 256x256; ends with 313 classes."""
    layers: list[nn.Module] = []
    channels = 1

    def block(*widths: int, stride: int = 1, dilation: int = 1, norm: bool = True) -> None:
        nonlocal channels
        for index, width in enumerate(widths):
            step = stride if index == len(widths) - 1 else 1
            layers.extend((nn.Conv2d(channels, width, 3, step, dilation, dilation), nn.ReLU(inplace=True)))
            channels = width
        if norm:
            layers.append(nn.BatchNorm2d(channels))

    block(64, 64, stride=2)
    block(128, 128, stride=2)
    block(256, 256, 256, stride=2)
    block(512, 512, 512)
    block(512, 512, 512, dilation=2)
    block(512, 512, 512, dilation=2)
    block(512, 512, 512)
    layers.extend((nn.ConvTranspose2d(512, 256, 4, 2, 1), nn.ReLU(inplace=True)))
    channels = 256
    block(256, 256, norm=False)
    layers.append(nn.Conv2d(256, 313, 1))
    return nn.Sequential(*layers).eval()


class CicDemo:
    """From a file to RGB, without writing it."""

    def __init__(self) -> None:
        self.network, self.to_ab = cic_network(), nn.Conv2d(313, 2, 1, bias=False)

    @torch.inference_mode()
    def forward(self, lightness: Tensor) -> Tensor:
        """(1, 1, 256, 256) L -> (1, 2, 256, 256) ab."""
        logits = self.network((lightness - 50.0) / 100.0)
        ab = self.to_ab(torch.softmax(logits, dim=1)) * 110.0
        return F.interpolate(ab, scale_factor=4, mode="bilinear", align_corners=False)

    def __call__(self, path: Path) -> np.ndarray:
        """(H, W, 3) float RGB of a file."""
        with Image.open(path) as image:
            rgb = np.asarray(image.convert("RGB"))
        small = np.asarray(Image.fromarray(rgb).resize((SIDE, SIDE), resample=Image.Resampling.BICUBIC))
        lightness, seen = color.rgb2lab(rgb)[..., 0], color.rgb2lab(small)[..., 0]
        ab = self.forward(torch.from_numpy(seen.astype(np.float32))[None, None])
        ab = F.interpolate(ab, size=rgb.shape[:2], mode="bilinear", align_corners=False)[0].numpy()
        return color.lab2rgb(np.dstack([lightness, *ab]))
