"""The generator's running average: what is validated, saved and shipped."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn


class Average:
    """Exponential moving average of parameters and floating buffers, its half-life counted in images.

    The half-life grows from 5 % of the images seen up to its full length, so that an early average is
    not the average of noise (Karras et al. 2022, EDM, appendix F.2).
    """

    def __init__(self, model: nn.Module, half_life: int) -> None:
        self.model = copy.deepcopy(model).eval().requires_grad_(False)
        self.half_life = half_life
        self._pairs = None

    def restart(self, model: nn.Module) -> None:
        """Take over ``model`` as it is: something other than a step has changed it."""
        self.model.load_state_dict(model.state_dict())

    @torch.no_grad()
    def update(self, model: nn.Module, batch_size: int, images: int) -> None:
        """Move the average towards ``model`` after a step on ``batch_size`` images."""
        half_life = min(self.half_life, max(0.05 * images, 1e-8))
        weight = 1.0 - 0.5 ** (batch_size / half_life)
        own, new, counters = self._tensors(model)
        torch._foreach_lerp_(own, new, weight)
        for a, b in counters:
            a.copy_(b)

    def _tensors(self, model: nn.Module) -> tuple[list[Tensor], list[Tensor], list[tuple[Tensor, Tensor]]]:
        """Floating tensors of both, and pairs of the others. Modules keep their tensors, so once is enough;
        walking through hundreds of them would cost more than the averaging."""
        if self._pairs is None or self._pairs[0] is not model:
            pairs = list(zip(self.model.state_dict().values(), model.state_dict().values(), strict=True))
            floating = [(a, b) for a, b in pairs if a.is_floating_point()]
            counters = [(a, b) for a, b in pairs if not a.is_floating_point()]
            self._pairs = (model, ([a for a, _ in floating], [b for _, b in floating], counters))
        return self._pairs[1]
