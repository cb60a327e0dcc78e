"""The game between generator and discriminator, on raw patch scores of any shape."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ..config_checks import ADVERSARIAL
from ..errors import UserError


def discriminator_loss(kind: str, real: Tensor, fake: Tensor) -> Tensor:
    """What the discriminator minimises, unreduced, shape of the scores.

    hinge: Lim and Ye 2017, eq. 4; least_squares: Mao et al. 2017, eq. 9 (a=0, b=1, without the half);
    non_saturating: Goodfellow et al. 2014, eq. 1.
    """
    if kind == "hinge":
        return F.relu(1.0 - real) + F.relu(1.0 + fake)
    if kind == "least_squares":
        return (real - 1.0).square() + fake.square()
    if kind == "non_saturating":
        return F.softplus(-real) + F.softplus(fake)
    raise _unknown(kind)


def generator_loss(kind: str, fake: Tensor) -> Tensor:
    """What the generator minimises, unreduced, shape of the scores."""
    if kind == "hinge":
        return -fake
    if kind == "least_squares":
        return (fake - 1.0).square()
    if kind == "non_saturating":
        return F.softplus(-fake)
    raise _unknown(kind)


def r1_penalty(scores: Tensor, inputs: Tensor) -> Tensor:
    """Squared gradient norm of the scores on real pictures (Mescheder et al. 2018, eq. 9), shape (N,).

    ``inputs`` (N, 2, H, W) must require grad and have led to ``scores``. In units of the network's own
    input range: divide ab by 110 before the graph starts if that is what the network does.
    """
    (gradient,) = torch.autograd.grad(scores.sum(), inputs, create_graph=True)
    return gradient.square().sum(dim=(1, 2, 3))


def _unknown(kind: str) -> UserError:
    return UserError(f"loss.adversarial_kind: no loss {kind!r}; there are {', '.join(ADVERSARIAL)}")
