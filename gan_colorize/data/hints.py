"""What a user might tell: simulated colour points, and the overall colours of a picture.

Both are dropped for a share of the pictures, so that one set of weights colours automatically and guided.
"""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

from ..color.bins import NUM_BINS
from ..color.targets import SoftEncoder, area_pool
from .chance import Chance

# Zhang et al. 2017 (Real-Time User-Guided Image Colorization), section 3.3, and their released training code.
_STOP = 1 / 8  # the number of points is geometric: another one follows with probability 7/8
_LARGEST_PATCH = 9
_SPREAD = 1 / 4  # standard deviation of a point's place, as a share of the picture's side
_REVEAL_ALL = 0.01  # teaches that a revealed colour is to be copied
# Not in the paper, whose editor has points alone: a share of the points is drawn on, in a straight line, for
# as long as the colour stays what it was where the stroke began. Nobody paints over an edge on purpose.
_STROKES = 1 / 4
_STEPS = 16
_SAME_COLOUR = 12.0  # units of ab
# A cap for the tail of the geometric distribution: 64 points or more are one picture in 5,000.
_MOST_POINTS = 64
_POOL = 4  # global statistics are taken on ab averaged over 4x4 pixels


def simulate_hints(ab: Tensor, chance: Chance, probability: float) -> tuple[Tensor, Tensor]:
    """Reveal the mean ab of a few square patches, and of strokes of such patches.

    Args:
        ab: (N, 2, H, W) true chroma, on any device.
        chance: of these N pictures.
        probability: share of pictures that get hints at all; of these one in a hundred is revealed whole.

    Returns:
        hints (N, 2, H, W): ab where revealed, else 0; mask (N, 1, H, W): 1 where revealed, else 0.
    """
    count, _, height, width = ab.shape
    given = chance.uniform() < probability
    whole = given & (chance.uniform() < _REVEAL_ALL)
    goes_on = chance.uniform(_MOST_POINTS) < 1 - _STOP
    points = goes_on.int().cumprod(1).bool() & (given & ~whole)[:, None]  # (N, points)
    size = chance.integers(1, _LARGEST_PATCH + 1, _MOST_POINTS).clamp(max=min(height, width))
    place = chance.normal(_MOST_POINTS, 2)[points].T  # (2, M)
    drawn = (chance.uniform(_MOST_POINTS)[points] < _STROKES).to(ab.device)
    angle = (2 * torch.pi * chance.uniform(_MOST_POINTS)[points]).to(ab.device)
    owner = points.nonzero()[:, 0].to(ab.device)  # (M,) which picture
    size = size[points]
    top, left = (
        (((side - size) / 2 + place[axis] * (side - size) * _SPREAD).round().long())
        .clamp(min=0)
        .minimum(side - size)
        .to(ab.device)
        for axis, side in enumerate((height, width))
    )
    size = size.to(ab.device)
    stroke, owner, top, left, size = _drawn_on(ab, owner, top, left, size, drawn, angle)

    step = torch.arange(_LARGEST_PATCH, device=ab.device)
    inside = (step < size[:, None])[:, :, None] & (step < size[:, None])[:, None, :]  # (M, 9, 9)
    rows = (top[:, None] + step).clamp(max=height - 1)[:, :, None]
    columns = (left[:, None] + step).clamp(max=width - 1)[:, None, :]
    colours = ab[owner[:, None, None], :, rows, columns] * inside[..., None]  # (M, 9, 9, 2)
    # one colour a stroke: the mean of its patches, which are of one size
    total = ab.new_zeros(len(stroke), 3)
    patch = torch.cat([colours.sum((1, 2)), (size * size)[:, None].to(ab.dtype)], 1)
    total.index_add_(0, stroke, patch)
    mean = (total[:, :2] / total[:, 2:].clamp(min=1.0))[stroke]  # (M, 2)

    # Patches may overlap: the later one wins, whatever order a device writes in. Only the pixels of
    # patches are written; passes over whole pictures would cost several times as much.
    number = torch.arange(len(owner), device=ab.device)[:, None, None].expand_as(inside)[inside]  # (P,)
    flat = (rows * width + columns)[inside] + owner[number] * (height * width)  # (P,) pixel in the batch
    latest = torch.full((count * height * width,), -1, dtype=torch.int32, device=ab.device)
    latest.scatter_reduce_(0, flat, number.int(), "amax")
    winner = latest[flat].long()
    told = torch.zeros(count, 3, height * width, dtype=ab.dtype, device=ab.device)  # a, b and the mask
    values = torch.cat([mean[winner], mean.new_ones(len(winner), 1)], 1)  # (P, 3)
    told[flat // (height * width), :, flat % (height * width)] = values
    told = told.view(count, 3, height, width)
    for picture in whole.nonzero().flatten().tolist():
        told[picture, :2], told[picture, 2] = ab[picture], 1.0
    return told[:, :2], told[:, 2:]


def _drawn_on(
    ab: Tensor, owner: Tensor, top: Tensor, left: Tensor, size: Tensor, drawn: Tensor, angle: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Points (M,), those ``drawn`` strokes that go off at ``angle`` -> patches (K,): of each its stroke,
    picture, place and size."""
    count, device = len(owner), ab.device
    height, width = ab.shape[2:]
    angle = angle[:, None]
    along = torch.arange(_STEPS, device=device) * (size[:, None] / 2).clamp(min=1.0)  # (M, steps)
    rows = (top[:, None] + along * angle.sin()).round().long()
    columns = (left[:, None] + along * angle.cos()).round().long()
    last = (height - size)[:, None], (width - size)[:, None]
    within = (rows >= 0) & (columns >= 0) & (rows <= last[0]) & (columns <= last[1])
    rows, columns = rows.clamp(min=0).minimum(last[0]), columns.clamp(min=0).minimum(last[1])
    middle = (size // 2)[:, None]
    colour = ab[owner[:, None], :, rows + middle, columns + middle]  # (M, steps, 2)
    alike = (colour - colour[:, :1]).square().sum(2) < _SAME_COLOUR**2
    goes_on = (within & alike & drawn[:, None]).int().cumprod(1).bool()
    goes_on[:, :1] = True
    stroke = torch.arange(count, device=device)[:, None].expand_as(goes_on)[goes_on]
    return stroke, owner[stroke], rows[goes_on], columns[goes_on], size[stroke]


def global_statistics(rgb8: Tensor, ab: Tensor, chance: Chance, probability: float) -> tuple[Tensor, Tensor]:
    """How the colours of a picture are spread, and how saturated they are (the paper's global hints).

    Args:
        rgb8: (N, 3, H, W) uint8; ab: (N, 2, H, W) of the same pictures, sides multiples of 4.
        chance: of these N pictures.
        probability: share of pictures whose histogram is given, and independently, whose saturation is.

    Returns:
        histogram (N, 313): share of each nearest bin, a row of zeros when not given;
        saturation (N, 1): mean HSV saturation 0..1, -1 when not given.
    """
    given = (chance.uniform(2) < probability).to(ab.device)
    bins = _nearest(ab.device)(area_pool(ab, _POOL))[0].flatten(1)  # (N, pixels)
    histogram = ab.new_zeros(len(ab), NUM_BINS).scatter_add_(1, bins, ab.new_ones(bins.shape) / bins.shape[1])
    high, low = rgb8.amax(1).float(), rgb8.amin(1).float()  # (N, H, W)
    saturation = ((high - low) / high.clamp(min=1)).mean((1, 2))[:, None]  # (N, 1)
    return histogram * given[:, :1], torch.where(given[:, 1:], saturation, -1.0)


@cache
def _nearest(device: torch.device) -> SoftEncoder:
    return SoftEncoder(neighbours=1).to(device)
