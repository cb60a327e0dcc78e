"""What a picture shows around each of its pixels, without learning: the grey patch and DAISY.

Cheng, Yang, Sheng 2015 (Deep Colorization). Grey is sRGB-encoded, 0..1.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..errors import UserError

PATCH = 7
PATCH_SIZE = PATCH * PATCH  # 49 numbers a pixel
# One ring of three histograms around the pixel's own, eight directions each: the paper's 32 numbers.
_RINGS, _HISTOGRAMS, _DIRECTIONS = 1, 3, 8
DAISY_SIZE = (_RINGS * _HISTOGRAMS + 1) * _DIRECTIONS
# A picture as a whole is described on a grid of 4x4, as is usual (Oliva, Torralba 2001).
_GRID = 4
DESCRIPTOR_SIZE = _GRID * _GRID * (_DIRECTIONS + 1)


def grey_patches(grey: Tensor) -> Tensor:
    """grey (N, 1, H, W) -> the 7x7 values around every pixel, row by row, (N, 49, H, W).

    Beyond the borders the last value is repeated.
    """
    padded = F.pad(grey, (PATCH // 2,) * 4, mode="replicate")
    return F.unfold(padded, PATCH).unflatten(2, grey.shape[2:])


def daisy_maps(grey: Tensor, radius: int) -> Tensor:
    """DAISY (Tola, Lepetit, Fua 2010) at every pixel: grey (N, 1, H, W) in 0..1 -> (N, 32, H, W) float32.

    radius: of the ring, in pixels; beyond the borders the picture is mirrored.
        scikit-image computes it, picture by picture on the CPU: some 3 ms for 64x64, 25 ms for 256x256.

    Raises:
        UserError: scikit-image is not installed.
    """
    try:
        from skimage.feature import daisy
    except ImportError as error:
        raise missing_extra("scikit-image") from error

    planes = grey[:, 0].float().cpu().numpy()
    maps = [
        daisy(
            np.pad(plane, radius, mode="symmetric"),
            step=1,
            radius=radius,
            rings=_RINGS,
            histograms=_HISTOGRAMS,
            orientations=_DIRECTIONS,
        )
        for plane in planes
    ]
    return torch.from_numpy(np.stack(maps)).permute(0, 3, 1, 2).to(grey.device, torch.float32)


def global_descriptor(grey: Tensor, daisy: Tensor) -> Tensor:
    """Grey (N, 1, H, W) and its :func:`daisy_maps` -> what the picture as a whole is like, (N, 144).

    Mean grey and the mean edge directions (DAISY's own histogram of every pixel) in 4x4 parts of the picture:
    the layout of a scene, as GIST has it, from what is computed anyway.
    """
    maps = torch.cat([daisy[:, :_DIRECTIONS], grey], 1)
    return F.adaptive_avg_pool2d(maps, _GRID).flatten(1)


def missing_extra(package: str) -> UserError:
    """What to say when one of the packages that only this network needs is not there."""
    return UserError(
        f"the network deep_colorization needs {package}; pip install 'gan_colorize[deep_colorization]'"
    )
