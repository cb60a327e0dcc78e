"""Regression on decoded chroma."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def smooth_l1_ab(prediction: Tensor, truth: Tensor) -> Tensor:
    """Huber loss with delta 1 on ab / 110 summed over a and b, unreduced (N, 1, h, w).

    Zhang, Zhu et al. 2017, eq. 2. Both inputs (N, 2, h, w) in ab units.
    """
    return F.smooth_l1_loss(prediction / 110.0, truth / 110.0, reduction="none").sum(dim=1, keepdim=True)
