"""The palette of a photograph: five colours that stand for it, found by k-means.

They are what a network that colours by a palette is told in training; a person tells it others later.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ..color.palette import COLOURS
from .chance import Chance
from .folder import evenly_spread

# Pixels that are looked at, each way. More change the colours less than another start of k-means does.
_SIDE = 24
_ROUNDS = 8


def simulate_palettes(lab: Tensor, chance: Chance, probability: float) -> Tensor:
    """Palettes for a share of the pictures.

    Args:
        lab: (N, 3, H, W), on any device.
        chance: of these N pictures.
        probability: share of pictures that get their palette.

    Returns:
        (N, 5, 3) Lab in random order, for people name colours in any; zeros where none is given.
    """
    given = chance.uniform() < probability
    palettes = picture_palettes(lab, chance.uniform64(COLOURS))
    order = chance.uniform(COLOURS).argsort(1).to(lab.device)
    shuffled = palettes.gather(1, order[..., None].expand(-1, -1, 3))
    return shuffled * given.to(lab.device)[:, None, None]


def picture_palettes(lab: Tensor, draws: Tensor) -> Tensor:
    """(N, 3, H, W) Lab -> (N, 5, 3): centres of k-means in Lab, started by k-means++.

    Arthur, Vassilvitskii 2007, section 2.2. A picture of fewer colours has some of them twice.

    draws: (N, 5) float64, uniform in 0..1: what the start is drawn with.
    """
    rows, columns = (evenly_spread(side, _SIDE) for side in lab.shape[2:])
    # Single pixels, not means of areas: those would be greyer than anything in the picture.
    pixels = lab[:, :, rows][:, :, :, columns].flatten(2).transpose(1, 2).float()  # (N, P, 3)
    centres = _start(pixels, draws.to(pixels.device))
    for _ in range(_ROUNDS):
        nearest = _distances(pixels, centres).argmin(2)  # (N, P)
        member = F.one_hot(nearest, COLOURS).to(pixels.dtype)  # (N, P, 5)
        count = member.sum(1)[..., None]  # (N, 5, 1)
        means = member.transpose(1, 2) @ pixels / count.clamp(min=1.0)
        centres = torch.where(count > 0, means, centres)
    return centres


def _start(pixels: Tensor, draws: Tensor) -> Tensor:
    """(N, 5, 3): pixels drawn one after the other, likelier the farther they are from those drawn before."""
    count = len(pixels)
    weight = pixels.new_ones(pixels.shape[:2])
    centres: list[Tensor] = []
    for number in range(COLOURS):
        running = weight.double().cumsum(1)
        # A picture of one colour has no distances left: then any pixel is as good.
        limit = draws[:, number : number + 1] * running[:, -1:]
        index = (running <= limit).sum(1).clamp(max=pixels.shape[1] - 1)
        centres.append(pixels[torch.arange(count, device=pixels.device), index])
        weight = _distances(pixels, torch.stack(centres, 1)).amin(2).clamp(min=0.0)
    return torch.stack(centres, 1)


def _distances(pixels: Tensor, centres: Tensor) -> Tensor:  # (N, P, 5) squared
    return (pixels[:, :, None] - centres[:, None]).square().sum(3)
