"""Whether a predicted distribution over colour means what it says.

NLL: cross-entropy, in nats, of the training target (a pixel's 5 nearest bins) under the distribution.
ECE: Guo et al. 2017, "On calibration of modern neural networks", equation 3, of the likeliest bin.
Classwise ECE: Kull et al. 2019, "Beyond temperature scaling", section 2, of every bin's probability.
All at temperature 1, that is of the distribution as it was learned, on the network's own output grid; every
photograph counts the same.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ...color.bins import NUM_BINS
from ...color.targets import SoftEncoder
from ..auc import nearest_bins

CONFIDENCE_BINS = 15  # both papers
# last axis of ``reliability``: shares of the pixels, their confidence, how often right, right by soft truth
SHARE, CONFIDENCE, RIGHT, RIGHT_SOFT = range(4)


@dataclass(frozen=True)
class Calibration:
    """What a batch of photographs adds.

    nll, floor:  (N,) nats; the floor is the target's own entropy, which no network can undercut.
    reliability: (N, 15, 4) by bin of confidence.
    classwise:   (313, 15, 3), summed over the photographs: share, predicted and observed probability.
    mass:        (313, 3), summed: predicted, nearest bin, soft target.
    """

    nll: np.ndarray
    floor: np.ndarray
    reliability: np.ndarray
    classwise: np.ndarray
    mass: np.ndarray


def calibration(
    logits: Tensor, true_ab: Tensor, extent: tuple[float, float], encoder: SoftEncoder
) -> Calibration:
    """Compare a prediction with the truth.

    Args:
        logits: (N, 313, h, w); true_ab: (N, 2, h, w) float32 on the CPU, on the same grid.
        extent: rows and columns of the grid that photographs cover; cells that padding shares are left out.
    """
    rows, columns = (max(1, int(side)) for side in extent)
    logits = logits[..., :rows, :columns].float().cpu().flatten(2)  # (N, 313, P)
    true_ab = true_ab[..., :rows, :columns]
    indices, shares = (part.flatten(2) for part in encoder(true_ab))  # (N, k, P)
    nearest = nearest_bins(true_ab).flatten(1)  # (N, P)
    log_p = logits.log_softmax(1)
    nll = -(shares * log_p.gather(1, indices)).sum(1).double().mean(1)
    floor = torch.special.entr(shares).sum(1).double().mean(1)
    reliability, classwise, mass = [], 0, 0
    for p, near, index, share in zip(log_p.exp(), nearest, indices, shares, strict=True):
        reliability.append(_reliability(p, near, index, share))
        classwise = classwise + _classwise(p, near)
        mass = mass + _mass(p, near, index, share)
    return Calibration(
        nll.numpy(), floor.numpy(), torch.stack(reliability).numpy(), classwise.numpy(), mass.numpy()
    )


def _bin_of(probability: Tensor) -> Tensor:
    """Bins are ((m - 1) / 15, m / 15]; 0 itself is in the first."""
    return ((probability * CONFIDENCE_BINS).ceil().long() - 1).clamp_(0, CONFIDENCE_BINS - 1)


def _reliability(p: Tensor, nearest: Tensor, indices: Tensor, shares: Tensor) -> Tensor:
    """(15, 4) of one photograph: p (313, P), nearest (P,), indices and shares (k, P)."""
    confidence, chosen = p.max(0)
    soft = (shares * (indices == chosen)).sum(0)
    where = _bin_of(confidence)
    columns = (torch.ones_like(confidence), confidence, (chosen == nearest).float(), soft)
    sums = [torch.bincount(where, column.double(), CONFIDENCE_BINS) for column in columns]
    return torch.stack(sums, 1) / len(nearest)


def _classwise(p: Tensor, nearest: Tensor) -> Tensor:
    """(313, 15, 3) of one photograph."""
    cell = _bin_of(p) + CONFIDENCE_BINS * torch.arange(NUM_BINS)[:, None]  # (313, P)
    size = NUM_BINS * CONFIDENCE_BINS
    met = cell.gather(0, nearest[None])[0]  # of the bin that it was
    parts = (
        torch.bincount(cell.flatten(), minlength=size).double(),
        torch.bincount(cell.flatten(), p.flatten().double(), size),
        torch.bincount(met, minlength=size).double(),
    )
    return torch.stack(parts, 1).view(NUM_BINS, CONFIDENCE_BINS, 3) / len(nearest)


def _mass(p: Tensor, nearest: Tensor, indices: Tensor, shares: Tensor) -> Tensor:
    """(313, 3) of one photograph."""
    observed = torch.bincount(nearest, minlength=NUM_BINS).double() / len(nearest)
    soft = torch.bincount(indices.flatten(), shares.flatten().double(), NUM_BINS) / len(nearest)
    return torch.stack((p.double().mean(1), observed, soft), 1)


def ece(reliability: np.ndarray, right: int = RIGHT) -> np.ndarray:
    """Expected calibration error 0..1 of sums (..., 15, 4): mean distance of confidence and being right."""
    gaps = np.abs(reliability[..., CONFIDENCE] - reliability[..., right]).sum(-1)
    return gaps / reliability[..., SHARE].sum(-1)


def classwise_ece(classwise: np.ndarray) -> float:
    """Mean over the 313 bins of each one's calibration error, of sums (313, 15, 3)."""
    gaps = np.abs(classwise[..., 1] - classwise[..., 2]).sum(1)
    return float((gaps / classwise[..., 0].sum(1)).mean())
