"""One photograph seen several times: mirrored, and at other working sizes; what is seen is then averaged.

The mean of several views of a photograph is a better guess than one (test-time augmentation: Krizhevsky et
al. 2012, section 4.1). The larger view has 1.6 times the pixels: 2, 4 and 6 views take the network about 2, 6
and 9 times as long as one.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class View:
    """scale: of the model's working size; mirrored: left and right exchanged."""

    scale: float = 1.0
    mirrored: bool = False


# How many views -> which. The first is always the plain one, whose grid the others are brought to.
VIEWS: dict[int, tuple[View, ...]] = {
    1: (View(),),
    2: (View(), View(mirrored=True)),
    4: (View(), View(mirrored=True), View(1.25), View(1.25, mirrored=True)),
    6: tuple(View(scale, mirrored) for scale in (1.0, 1.25, 0.8) for mirrored in (False, True)),
}


def resample(planes: Tensor, extent: tuple[float, float], like: Tensor, to: tuple[float, float]) -> Tensor:
    """A view's planes (1, C, h, w), of which the photograph covers ``extent`` rows and columns, on the grid
    of ``like`` (N, C, H, W), of which it covers ``to``: (1, C, H, W). Bilinear, the last sample repeated.
    """
    places = []
    for axis in (0, 1):
        count, own = like.shape[2 + axis], planes.shape[2 + axis]
        at = (torch.arange(count, device=planes.device) + 0.5) * (
            extent[axis] / to[axis]
        )  # in pixels of planes
        # Clamped here: MPS knows no border padding before torch 2.13.
        places.append(at.clamp(0.5, own - 0.5) * (2.0 / own) - 1.0)
    rows, columns = torch.meshgrid(*places, indexing="ij")
    grid = torch.stack((columns, rows), -1)[None].to(planes.dtype)  # (1, H, W, 2)
    return F.grid_sample(planes, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
