"""Drawing a colouring from the distribution so that two draws differ as pictures, not as speckle.

Independent draws per pixel would be noise. Here one smooth random field covers the picture (two: one for a,
one for b), and every pixel reads its own distribution at the quantile that the field has there: a by the
marginal of a, then b by its distribution given a (Rosenblatt 1952, "Remarks on a multivariate
transformation"). Where the field is high, everything is as red (or yellow) as it plausibly could be;
certain pixels barely move. Over many seeds every pixel follows its own distribution.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from .bins import bin_centres
from .threads import one_thread

# Length scale of the fields in units of the picture's longer side: a few regions a picture.
_LENGTH_SCALE = 0.4
_WAVES = 64
# Share of the probability mass that a draw averages over: narrow enough to leave the distribution nearly as
# it is, wide enough that the step from one bin to the next becomes a gradient and not an edge.
_WINDOW = 0.05


@one_thread()
def smooth_quantiles(height: int, width: int, generator: torch.Generator) -> Tensor:
    """Two independent smooth random fields, (2, height, width) float32 in 0..1, uniform at every pixel.

    A sum of random waves is exactly Gaussian at each point, and means the same picture at every size.
    """
    longest = max(height, width)
    y, x = (torch.arange(0.5, side) / longest for side in (height, width))
    frequency = torch.randn(2, 2, _WAVES, generator=generator) / _LENGTH_SCALE
    cosine, sine = torch.randn(2, 2, _WAVES, generator=generator) / math.sqrt(_WAVES)
    fields = []
    for (vertical, horizontal), c, s in zip(frequency, cosine, sine, strict=True):
        phase = y[:, None, None] * vertical + x[None, :, None] * horizontal  # (h, w, waves)
        fields.append(phase.cos() @ c + phase.sin() @ s)
    return torch.special.ndtr(torch.stack(fields))


def _window_shares(cumulative: Tensor, mass: Tensor, quantile: Tensor) -> Tensor:
    """How much of a window around the quantile lies in each interval [cumulative - mass, cumulative]: 0..1.

    The window is moved, not cut, at the ends of 0..1; the shares of a whole distribution sum to 1.
    """
    start = (quantile - _WINDOW / 2).clamp(0.0, 1.0 - _WINDOW)
    upper = torch.minimum(cumulative, start + _WINDOW)
    return (upper - torch.maximum(cumulative - mass, start)).clamp_(min=0.0) / _WINDOW


def draw(shares: Tensor, seed: int) -> Tensor:
    """One colouring of each picture: shares (N, 313, h, w), summing to 1 over the bins -> ab (N, 2, h, w).

    The field depends on the seed and the size alone: a picture's colours do not depend on its batch.
    """
    fields = smooth_quantiles(*shares.shape[2:], torch.Generator().manual_seed(seed)).to(shares.device)
    for_a, for_b = fields[:, None].unbind(0)  # (1, h, w) each
    b_of_bins = bin_centres()[:, 1].to(shares.device)
    columns, counts = bin_centres()[:, 0].unique(return_counts=True)  # the published order is by a, then by b
    marginal = torch.stack([part.sum(dim=1) for part in shares.split(counts.tolist(), dim=1)], dim=1)
    chosen = _window_shares(marginal.cumsum(dim=1), marginal, for_a)  # (N, 20, h, w)
    a = torch.einsum("nahw,a->nhw", chosen, columns.to(shares.device))
    b = torch.zeros_like(a)
    for i, (part, b_centres) in enumerate(
        zip(shares.split(counts.tolist(), dim=1), b_of_bins.split(counts.tolist()), strict=True)
    ):
        given_a = part / marginal[:, i : i + 1].clamp(min=torch.finfo(part.dtype).tiny)
        inside = _window_shares(given_a.cumsum(dim=1), given_a, for_b)
        b += chosen[:, i] * torch.einsum("nbhw,b->nhw", inside, b_centres)
    return torch.stack((a, b), dim=1)
