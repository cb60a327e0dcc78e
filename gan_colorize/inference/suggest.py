"""Colours to choose from at one place: what the network thinks likely there, and apart from each other."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from ..color.bins import bin_centres
from ..color.fast import lab_to_rgb8
from ..color.gamut import possible_bins

# Zhang, Zhu et al. 2017 draw 25,000 samples of the distribution, flattened, and take the means of nine
# clusters. Clusters of the bins, each weighing its flattened share, are the limit of infinitely many samples.
COUNT = 9
_FLATTEN = 0.5
_ROUNDS = 20


@dataclass(frozen=True)
class Suggestion:
    """ab: -110..110; rgb8: that colour at the pixel's lightness; probability: 0..1, of all colours that are
    nearer to this suggestion than to another."""

    ab: tuple[float, float]
    rgb8: tuple[int, int, int]
    probability: float


def suggest(logits: Tensor, lightness: float, count: int = COUNT) -> list[Suggestion]:
    """Distinct colours for one pixel, the most probable first.

    Args:
        logits: (313,) of its place.
        lightness: 0..100, its own.
    """
    light = torch.tensor([[[[lightness]]]])
    possible = possible_bins(light)[0, :, 0, 0].cpu()
    scores = logits.detach().float().cpu()[possible].double()
    centres = bin_centres()[possible].double().numpy()
    shares = scores.softmax(0).numpy()
    flat = (scores * _FLATTEN).softmax(0).numpy()
    count = min(count, len(centres))
    means = _weighted_means(centres, flat, _start(centres, shares, flat, count))
    nearest = _nearest(centres, means)
    found = []
    for number in range(count):
        members = nearest == number
        if not members.any():
            continue
        weight = shares[members] + 1e-12
        # of the colours of a cluster the likely ones stand for it: the flattened mean is paler
        ab = (centres[members] * weight[:, None]).sum(0) / weight.sum()
        found.append((float(shares[members].sum()), ab))
    found.sort(key=lambda one: -one[0])
    # near black and white the screen shows several as one
    looks: dict[tuple[int, int, int], Suggestion] = {}
    for share, ab in found:
        rgb8 = _shown(ab, lightness)
        first = looks.get(rgb8, Suggestion((round(float(ab[0]), 2), round(float(ab[1]), 2)), rgb8, 0.0))
        looks[rgb8] = replace(first, probability=first.probability + share)
    return sorted(looks.values(), key=lambda one: -one.probability)


def _shown(ab: np.ndarray, lightness: float) -> tuple[int, int, int]:
    plane = np.full((1, 1), lightness, np.float32)
    return tuple(lab_to_rgb8(plane, ab.astype(np.float32).reshape(2, 1, 1))[0, 0].tolist())


def _start(centres: np.ndarray, shares: np.ndarray, flat: np.ndarray, count: int) -> np.ndarray:
    """The likeliest colour, then one after the other what weighs most for its distance to those before."""
    chosen = [int(shares.argmax())]
    distance = ((centres - centres[chosen[0]]) ** 2).sum(1)
    while len(chosen) < count:
        chosen.append(int((flat * distance).argmax()))
        distance = np.minimum(distance, ((centres - centres[chosen[-1]]) ** 2).sum(1))
    return centres[chosen]


def _weighted_means(points: np.ndarray, weights: np.ndarray, means: np.ndarray) -> np.ndarray:
    """Lloyd's rounds of k-means; a mean that loses all its points stays where it was."""
    for _ in range(_ROUNDS):
        member = _nearest(points, means)[:, None] == np.arange(len(means))
        mass = (weights[:, None] * member).sum(0)
        moved = (member * weights[:, None]).T @ points / np.maximum(mass, 1e-30)[:, None]
        means = np.where(mass[:, None] > 0, moved, means)
    return means


def _nearest(points: np.ndarray, means: np.ndarray) -> np.ndarray:
    return ((points[:, None] - means) ** 2).sum(2).argmin(1)
