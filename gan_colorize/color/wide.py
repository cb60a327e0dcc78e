"""Colour out of Lab at full precision, on any device: for 16-bit files and for other RGB spaces than sRGB.

The CPU path of 8 bits is :mod:`~gan_colorize.color.fast`; here nothing is looked up. Every colour that a
space cannot show is brought into it along the line to the grey of its own luminance, which keeps L.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field

import torch
from torch import Tensor

from . import lab as exact

# L = 116 f - 16 is linear below it: f of the toe (CIE 15).
_TOE_G = 116.0 * exact.TOE_F


@functools.cache
def white_to_linear(dtype: torch.dtype) -> Tensor:
    """(3, 3): X, Y, Z over those of white -> linear sRGB."""
    white = torch.tensor(exact.WHITE_D65, dtype=torch.float64)
    return (exact.xyz_to_rgb_matrix() * white).to(dtype)


def lab_to_linear(lightness: Tensor, ab: Tensor) -> tuple[Tensor, Tensor]:
    """Linear sRGB, unbounded, and its luminance.

    Args:
        lightness: (P,) floating point; values outside 0..100 count as the nearer end.
        ab: (2, P) of the same type.

    Returns:
        (3, P) and (P,), of that type; white is 1.
    """
    g = lightness.clamp(0.0, 100.0) + 16.0  # 116 f
    g = torch.stack((g + ab[0] * (116.0 / 500.0), g, g - ab[1] * (116.0 / 200.0)))
    upper = g.clamp(min=_TOE_G)
    # the cube above the toe, its line below: f^3 of the clamped part, and the rest by the line's slope
    light = (upper / 116.0) ** 3 + (g - upper) * (1.0 / (116.0 * exact.TOE_SLOPE))
    return white_to_linear(light.dtype).to(light.device) @ light, light[1]


def fit_(linear: Tensor, luminance: Tensor) -> Tensor:
    """Pull linear colours (3, P) outside 0..1 towards grey of their ``luminance`` (P,), in place.

    The space's own row of luminance must sum to 1 and white be (1, 1, 1): on that line luminance stays.
    """
    grey = luminance.clamp(0.0, 1.0)
    lowest, highest = linear.amin(dim=0), linear.amax(dim=0)
    tiny = torch.finfo(linear.dtype).tiny  # where there is no room at all, any way is too long: share is 0
    down = (grey - lowest) / grey.clamp(min=tiny)
    up = (highest - grey) / (1.0 - grey).clamp(min=tiny)
    share = torch.maximum(down, up).clamp_(min=1.0).reciprocal_()
    return linear.sub_(grey).mul_(share).add_(grey)


@dataclass(frozen=True, eq=False)
class Space:
    """An RGB space of three tone curves and a matrix.

    from_srgb: (3, 3) linear sRGB -> linear light of the space's own primaries.
    curves: (3, N) float64, rising linear light 0..1 of N equally spaced encoded values, one row a channel.
    """

    from_srgb: Tensor
    curves: Tensor
    # with the space and not of the class: a folder may hold more profiles than are worth keeping
    _kept: dict[int, Tensor] = field(default_factory=dict, init=False, repr=False)

    def encode(self, linear: Tensor, levels: int) -> Tensor:
        """Linear light (3, P) in 0..1 to whole levels 0..``levels``, int64."""
        return torch.stack(
            [
                torch.bucketize(channel, borders.to(channel))
                for channel, borders in zip(linear, self._borders(levels), strict=True)
            ]
        )

    def _borders(self, levels: int) -> Tensor:
        """(3, levels): the linear light at which one level ends and the next begins."""
        if levels not in self._kept:
            self._kept[levels] = self._new_borders(levels)
        return self._kept[levels]

    def _new_borders(self, levels: int) -> Tensor:
        at = (torch.arange(levels, dtype=torch.float64) + 0.5) / levels * (self.curves.shape[1] - 1)
        below = at.long()
        share = at - below
        return self.curves[:, below] * (1 - share) + self.curves[:, below + 1] * share


def lab_to_levels(lightness: Tensor, ab: Tensor, levels: int = 255, space: Space | None = None) -> Tensor:
    """Lab to levels of sRGB or of another space, rounded, with L preserved.

    Args:
        lightness: (H, W) float32 or float64, 0..100.
        ab: (2, H, W) of the same type.
        levels: 255 or 65535.
        space: None is sRGB.

    Returns:
        (H, W, 3) whole numbers 0..``levels``, of the arguments' type or int64.

    Raises:
        ValueError: NaN or infinite values.
    """
    linear, luminance = lab_to_linear(lightness.reshape(-1), ab.reshape(2, -1))
    if not torch.isfinite(linear.sum()):
        raise ValueError("lightness and ab must be finite")
    if space is None:
        result = exact.linear_to_srgb(fit_(linear, luminance)).mul_(levels).round_().clamp_(0, levels)
    else:
        result = space.encode(fit_(space.from_srgb.to(linear) @ linear, luminance), levels)
    return result.view(3, *lightness.shape).permute(1, 2, 0)
