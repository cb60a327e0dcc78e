"""What a colorizing network takes, what it returns, and what the rest of the code may know of it."""

from __future__ import annotations

from collections.abc import Callable
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
    palette:    (N, 5, 3) colours in Lab; a picture with nothing but zeros means "not given".
    """

    hints: Tensor | None = None
    mask: Tensor | None = None
    histogram: Tensor | None = None
    saturation: Tensor | None = None
    palette: Tensor | None = None

    def to(self, device: torch.device | str) -> Conditions:
        """The same wishes with every tensor on ``device``."""
        return self._map(lambda tensor: tensor.to(device))

    def only(self, names: frozenset[str]) -> Conditions:
        """The wishes of these names; the others as if not given."""
        return Conditions(**{name: getattr(self, name) for name in names})

    def repeat(self, times: int) -> Conditions:
        """The same wishes for a batch that is repeated as a whole."""
        return self._map(lambda tensor: tensor.repeat(times, *[1] * (tensor.ndim - 1)))

    def rows(self, indices: list[int] | slice) -> Conditions:
        """The wishes of these pictures of the batch."""
        return self._map(lambda tensor: tensor[indices])

    def _map(self, function: Callable[[Tensor], Tensor]) -> Conditions:
        given = {f.name: getattr(self, f.name) for f in fields(self)}
        return replace(self, **{k: function(v) for k, v in given.items() if v is not None})


@dataclass(frozen=True)
class Prediction:
    """What a network says of every pixel; which fields are there follows from its :class:`Contract`.

    logits:    (N, Q, h, w) over the contract's classes.
    ab:        (N, 2, h, w) in -110..110, from networks that regress colour.
    uv:        (N, 2, h, w) U and V of :mod:`gan_colorize.color.yuv`, from which such an ``ab`` was made.
    lightness: (N, 1, h, w) 0..100 on the input's own scale, from networks that restore a grey picture.
    """

    logits: Tensor | None = None
    ab: Tensor | None = None
    uv: Tensor | None = None
    lightness: Tensor | None = None

    def __post_init__(self) -> None:
        if self.logits is None and self.ab is None and self.lightness is None:
            raise ValueError("a Prediction carries logits, ab or lightness")

    def decode(self, temperature: float = 1.0) -> Tensor:
        """ab (N, 2, h, w): the regressed chroma itself, else the annealed mean of the distribution."""
        from ..color.decode import annealed_mean

        return self.ab if self.ab is not None else annealed_mean(self.logits, temperature)


@dataclass(frozen=True)
class Contract:
    """What the trainer, the evaluator and the colorizer need to know of a network.

    takes:         names of the fields of :class:`Conditions` that the network listens to.
    returns:       "distribution" (``Prediction.logits`` decide the colour), "ab" (``Prediction.ab`` does),
                   "lightness" (no colour at all: a network that restores grey pictures) or "palette" (a
                   network that reads words, not pictures, and names colours; see :attr:`sees_pictures`).
    output_stride: input pixels per output pixel, each way.
    size_divisor:  input height and width must be multiples of it.
    classes:       what the logits are over: "gamut" (the 313 bins), "grid" (the 529 classes of
                   :mod:`gan_colorize.color.grid`) or "" (no logits).
    logits_stride: input pixels per pixel of the logits; 0: the output stride.
    space:         in which colour is regressed: "ab", or "uv" (``Prediction.uv`` is there as well).

    A network that returns ab and has classes too has a flag ``detach_classes``. The trainer sets it while a
    term on ab is active: the classes then learn from the shared features without changing them.

    A network may have a method ``fit(pictures, seed) -> bool`` for what it takes from photographs in another
    way than by gradients (clusters, normalisation). The trainer calls it before the first step of every phase
    that trains it, unless that is the first phase and the weights came from ``--init``. ``pictures`` are some
    hundred training crops (M, 3, S, S) uint8; what is found must follow from them and the seed, and lie in
    buffers. It says whether anything changed.
    """

    takes: frozenset[str]
    returns: str
    output_stride: int
    size_divisor: int
    classes: str = ""
    logits_stride: int = 0
    space: str = "ab"

    @property
    def sees_pictures(self) -> bool:
        """Whether the network is called with lightness and conditions and returns a :class:`Prediction`;
        strides and divisor mean nothing for one that is not."""
        return self.returns != "palette"


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
