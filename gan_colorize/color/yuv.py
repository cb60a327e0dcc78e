"""Chroma of analogue video, which the colorizers of 2015 and 2016 predict, and its way to Lab and back.

ITU-R BT.601: Y' = 0.299 R' + 0.587 G' + 0.114 B' of gamma-encoded RGB in 0..1, U = 0.492 (B' - Y'),
V = 0.877 (R' - Y'); |U| <= 0.436, |V| <= 0.615. Cb and Cr are the same chroma in other units:
Cb = 0.564 (B' - Y') = 1.147 U, Cr = 0.713 (R' - Y') = 0.813 V.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .lab import linear_to_srgb, rgb_to_lab, srgb_to_linear

_LUMA = (0.299, 0.587, 0.114)
U_SCALE, V_SCALE = 0.492, 0.877
CB_PER_U, CR_PER_V = 0.564 / U_SCALE, 0.713 / V_SCALE

_LUMINANCE = (0.212671, 0.715160, 0.072169)  # the row of Y in color.lab.RGB_TO_XYZ
_LEAST_LUMA, _MOST_LUMA = -0.7, 1.7
_NEWTON_STEPS = 8
# Colours that no screen shows are brought this close to those that it does.
_LEAST_RGB, _MOST_RGB = -0.25, 1.25


def rgb_to_uv(rgb: Tensor) -> Tensor:
    """sRGB (..., 3, H, W) in 0..1 -> U and V (..., 2, H, W). Linear: may be pooled before or after."""
    red, _, blue = rgb.unbind(-3)
    luma = rgb_to_luma(rgb)
    return torch.stack((U_SCALE * (blue - luma), V_SCALE * (red - luma)), -3)


def rgb_to_luma(rgb: Tensor) -> Tensor:
    """sRGB (..., 3, H, W) in 0..1 or 0..255 -> Y' (..., H, W) in the same units."""
    red, green, blue = rgb.unbind(-3)
    return _LUMA[0] * red + _LUMA[1] * green + _LUMA[2] * blue


def uv_to_ab(lightness: Tensor, uv: Tensor) -> Tensor:
    """The ab of the colour that has this L of Lab and this U and V; differentiable in uv.

    Lab's L and video's Y' are different measures of lightness: taking the Y' of a grey with this L would
    change the hue. The Y' that gives L is found with Newton's method, to 1e-3 in L.

    Args:
        lightness: (N, 1, H, W) in 0..100.
        uv: (N, 2, H, W).

    Returns:
        (N, 2, H, W) float32. Colours far outside sRGB are clamped towards it.
    """
    with torch.autocast(uv.device.type, enabled=False):
        above = above_luma(uv.float())
        weights = above.new_tensor(_LUMINANCE)[:, None, None]
        f = (lightness.float() + 16.0) / 116.0
        wanted = torch.where(lightness > 8.0, f**3, lightness.float() / 903.3)
        with torch.no_grad():
            luma = linear_to_srgb(wanted)
            for _ in range(_NEWTON_STEPS):
                luma = _newton(luma, above, weights, wanted).clamp(_LEAST_LUMA, _MOST_LUMA)
        # One step with gradients on, from where it has converged, gives the derivative of the solution.
        luma = _newton(luma, above, weights, wanted)
        return rgb_to_lab((luma + above).clamp(_LEAST_RGB, _MOST_RGB))[:, 1:]


def above_luma(uv: Tensor) -> Tensor:
    """U and V (N, 2, H, W) -> how far red, green and blue are above luma, (N, 3, H, W). Linear."""
    u, v = uv.split(1, dim=1)
    blue, red = u / U_SCALE, v / V_SCALE
    green = -(_LUMA[0] * red + _LUMA[2] * blue) / _LUMA[1]
    return torch.cat((red, green, blue), 1)


def _newton(luma: Tensor, above: Tensor, weights: Tensor, wanted: Tensor) -> Tensor:
    rgb = luma + above
    with torch.no_grad():
        magnitude = rgb.abs()
        slope = torch.where(
            magnitude > 0.04045,
            2.4 / 1.055 * ((magnitude.clamp(min=0.04045) + 0.055) / 1.055) ** 1.4,
            1 / 12.92,
        )
        slope = (weights * slope).sum(1, keepdim=True)
    return luma - ((weights * srgb_to_linear(rgb)).sum(1, keepdim=True) - wanted) / slope
