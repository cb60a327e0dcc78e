"""How near palettes are to each other, whatever the order of their colours.

What the five colours of a palette are matters, hardly in which order they are told: two palettes are compared
in the best of the 120 ways to pair their colours. Distances are CIE 1976, in Lab.
"""

from __future__ import annotations

from functools import cache
from itertools import permutations

import torch
import torch.nn.functional as F
from torch import Tensor


def palette_distance(one: Tensor, other: Tensor) -> Tensor:
    """(..., n, 3) Lab twice -> (...) root of the mean squared distance of the colours under the best pairing.

    Shapes broadcast. Gradients go through the pairing that was found. Squares, for a mean of plain distances
    could not tell palettes whose colours go together from palettes whose colours only are likely ones.
    """
    apart = one[..., :, None, :] - other[..., None, :, :]  # (..., n, n, 3)
    count = apart.shape[-2]
    with torch.no_grad():
        # Every order of the other's colours is a row of ones and zeros over the pairs: one product costs all.
        orders, chosen = _orders(count, apart.device)
        best = (apart.square().sum(-1).flatten(-2) @ chosen).argmin(-1)  # (...)
        partner = orders[best][..., None, None].expand(*best.shape, count, 1, 3)
    paired = apart.gather(-2, partner)  # (..., n, 1, 3)
    return paired.flatten(-3).norm(dim=-1) / count**0.5


def energy_score(samples: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
    """Two halves of a rule that is best met by drawing palettes as people do (Gneiting, Raftery 2007, 4.3).

    Args:
        samples: (N, S, n, 3) Lab, S at least 2; truth: (N, n, 3).

    Returns:
        (N, S) distance of each palette to the truth, and (N, pairs) distances between the palettes of a text.
        Mean distance less half the mean between is the score, the lower the better: neither one cautious
        palette repeated nor colours at random do well.
    """
    first, second = torch.combinations(torch.arange(samples.shape[1], device=samples.device)).T
    between = palette_distance(samples[:, first], samples[:, second])
    return palette_distance(samples, truth[:, None]), between


def score_palettes(samples: Tensor, truth: Tensor) -> dict[str, float]:
    """Several palettes for each text against the one that a person chose; arguments as above.

    Returns:
        distance: mean over palettes and texts; distance_of_best: of the nearest palette of each text;
        diversity: mean distance between two palettes of one text; loss: the energy score.
    """
    distances, between = energy_score(samples, truth)
    distance, diversity = float(distances.mean()), float(between.mean())
    return {
        "loss": distance - 0.5 * diversity,
        "distance": distance,
        "distance_of_best": float(distances.amin(1).mean()),
        "diversity": diversity,
    }


@cache
def _orders(count: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """(n!, n) partners of each colour, and (n * n, n!) which pairs those are."""
    orders = torch.tensor(list(permutations(range(count))), device=device)
    chosen = F.one_hot(orders, count).float().flatten(1).T
    return orders, chosen.contiguous()
