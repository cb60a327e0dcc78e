"""What a colorizing network takes, what it returns, and what the rest of the code may know of it."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor


@dataclass(frozen=True)
class Conditions:
    """What a person wishes of the colours; an empty one means automatic colouring.

    hints:      (N, 2, H, W) ab, zero where nothing is revealed.
    mask:       (N, 1, H, W) 1 where a hint is given, else 0.
    histogram:  (N, 313) distribution over the ab bins; a row of zeros means "not given".
    saturation: (N, 1) mean HSV saturation 0..1; a negative value means "not given".
    """

    hints: Tensor | None = None
    mask: Tensor | None = None
    histogram: Tensor | None = None
    saturation: Tensor | None = None

    def to(self, device: torch.device | str) -> Conditions:
        """The same wishes with every tensor on ``device``."""
        moved = {f.name: getattr(self, f.name) for f in fields(self)}
        return replace(self, **{k: v.to(device) for k, v in moved.items() if v is not None})


@dataclass(frozen=True)
class Prediction:
    """Chroma for every pixel: a distribution (``logits``) or, for regression networks, ``ab``.

    logits: (N, 313, h, w) over the bins of :mod:`gan_colorize.color.bins`.
    ab:     (N, 2, h, w) in -110..110.
    """

    logits: Tensor | None = None
    ab: Tensor | None = None

    def __post_init__(self) -> None:
        if (self.logits is None) == (self.ab is None):
            raise ValueError("a Prediction carries either logits or ab, and exactly one of them")

    def decode(self, temperature: float = 1.0) -> Tensor:
        """ab (N, 2, h, w): the annealed mean of the distribution, or the regressed chroma itself."""
        from ..color.decode import annealed_mean

        return self.ab if self.logits is None else annealed_mean(self.logits, temperature)


@dataclass(frozen=True)
class Contract:
    """What the trainer, the evaluator and the colorizer need to know of a network.

    takes:         names of the fields of :class:`Conditions` that the network listens to.
    returns:       "distribution" (``Prediction.logits``) or "ab" (``Prediction.ab``).
    output_stride: input pixels per output pixel, each way.
    size_divisor:  input height and width must be multiples of it.
    """

    takes: frozenset[str]
    returns: str
    output_stride: int
    size_divisor: int


def check_size(lightness: Tensor, divisor: int) -> None:
    """Raise a ValueError naming the shape, the divisor and the nearest valid shape."""
    if lightness.ndim != 4 or lightness.shape[1] != 1:
        raise ValueError(f"lightness must be (N, 1, H, W), got {tuple(lightness.shape)}")
    height, width = lightness.shape[-2:]
    if height % divisor or width % divisor:
        nearest = tuple(max(divisor, round(side / divisor) * divisor) for side in (height, width))
        raise ValueError(
            f"lightness of {height}x{width}: sides must be multiples of {divisor}; "
            f"the nearest valid size is {nearest[0]}x{nearest[1]}"
        )
