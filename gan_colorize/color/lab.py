"""sRGB <-> CIE L*a*b* (D65, 2 degree observer), exact and differentiable.

Constants: IEC 61966-2-1 (sRGB transfer function) and CIE 15 in the rounding that scikit-image, OpenCV and the
published colorization networks share, so that bins and weights made with those mean the same colours here.
Channels first. L 0..100, a and b about -110..110, RGB 0..1. Inside autocast the work is still done in
float32: bfloat16 here would move a and b by up to 3 units.
"""

from __future__ import annotations

import torch
from torch import Tensor

RGB_TO_XYZ = (
    (0.412453, 0.357580, 0.180423),
    (0.212671, 0.715160, 0.072169),
    (0.019334, 0.119193, 0.950227),
)
WHITE_D65 = (0.95047, 1.0, 1.08883)

# f(t) of CIE 15: a cube root with a straight toe near black.
TOE_T, TOE_F, TOE_SLOPE, TOE_OFFSET = 0.008856, 0.2068966, 7.787, 16.0 / 116.0
# The same for sRGB's transfer function.
_LINEAR_KNEE, _ENCODED_KNEE, _KNEE_SLOPE, _GAMMA = 0.0031308, 0.04045, 12.92, 2.4


def xyz_to_rgb_matrix() -> Tensor:
    """(3, 3) float64 inverse of RGB_TO_XYZ."""
    return torch.linalg.inv(torch.tensor(RGB_TO_XYZ, dtype=torch.float64))


def srgb_to_linear(encoded: Tensor) -> Tensor:
    """sRGB-encoded values to linear light, any shape; odd around zero, so negative values stay finite."""
    magnitude = encoded.abs()
    # The clamp keeps the branch that `where` throws away from sending NaN into the gradient.
    curve = ((magnitude.clamp(min=_ENCODED_KNEE) + 0.055) / 1.055) ** _GAMMA
    # Not copysign: graphs for other runtimes have no such operation.
    return torch.where(magnitude > _ENCODED_KNEE, curve * encoded.sign(), encoded / _KNEE_SLOPE)


def linear_to_srgb(linear: Tensor) -> Tensor:
    """Linear light to sRGB-encoded values, any shape; odd around zero (as CSS Color 4 extends sRGB)."""
    magnitude = linear.abs()
    curve = 1.055 * magnitude.clamp(min=_LINEAR_KNEE) ** (1.0 / _GAMMA) - 0.055
    return torch.where(magnitude > _LINEAR_KNEE, curve * linear.sign(), linear * _KNEE_SLOPE)


def _cie_f(t: Tensor) -> Tensor:
    return torch.where(t > TOE_T, t.clamp(min=TOE_T) ** (1.0 / 3.0), TOE_SLOPE * t + TOE_OFFSET)


def _cie_f_inverse(f: Tensor) -> Tensor:
    return torch.where(f > TOE_F, f**3, (f - TOE_OFFSET) / TOE_SLOPE)


def _mix(matrix: Tensor | tuple, channels: tuple[Tensor, ...]) -> list[Tensor]:
    x, y, z = channels
    return [float(row[0]) * x + float(row[1]) * y + float(row[2]) * z for row in matrix]


def _checked(image: Tensor, name: str) -> Tensor:
    """The image in float32 or float64, or a one-line error about its shape or type."""
    if not isinstance(image, Tensor):
        raise TypeError(f"{name} must be a torch tensor, got {type(image).__name__}")
    if image.dim() < 3 or image.shape[-3] != 3:
        raise ValueError(f"{name} must have the shape (..., 3, H, W), got {tuple(image.shape)}")
    if not image.is_floating_point():
        raise TypeError(
            f"{name} must be floating point, got {image.dtype}; 8-bit pictures: color.fast or / 255"
        )
    return image if image.dtype == torch.float64 else image.float()


def rgb_to_lab(rgb: Tensor) -> Tensor:
    """sRGB to Lab.

    Args:
        rgb: (..., 3, H, W) floating point, 0..1.

    Returns:
        (..., 3, H, W) L 0..100, a, b; float64 for float64 input, otherwise float32, autocast or not.

    Raises:
        TypeError: not a floating-point tensor.
        ValueError: another shape, or values above 1.5 (a 0..255 picture would give L in the thousands).
    """
    rgb = _checked(rgb, "rgb")
    # A graph that is being exported cannot stop at values that it does not know yet.
    if not torch.compiler.is_exporting() and rgb.numel() and rgb.detach().amax() > 1.5:
        raise ValueError(
            f"rgb must lie in 0..1, its largest value is {rgb.detach().amax():.4g}; divide by 255"
        )
    with torch.autocast(rgb.device.type, enabled=False):
        xyz = _mix(RGB_TO_XYZ, srgb_to_linear(rgb).unbind(-3))
        fx, fy, fz = (_cie_f(value / white) for value, white in zip(xyz, WHITE_D65, strict=True))
        return torch.stack((116.0 * fy - 16.0, 500.0 * (fx - fy), 200.0 * (fy - fz)), dim=-3)


def lab_to_rgb(lab: Tensor, clip: bool = True) -> Tensor:
    """Lab to sRGB.

    Args:
        lab: (..., 3, H, W) floating point; L 0..100.
        clip: clamp to 0..1. Clamping zeroes the gradient of colours outside the gamut: use False in losses,
            where the transfer function goes on oddly around zero and every gradient is finite.

    Returns:
        (..., 3, H, W); float64 for float64 input, otherwise float32, autocast or not.

    Raises:
        TypeError, ValueError: not a floating-point tensor of that shape.
    """
    lab = _checked(lab, "lab")
    with torch.autocast(lab.device.type, enabled=False):
        lightness, a, b = lab.unbind(-3)
        fy = (lightness + 16.0) / 116.0
        f = (fy + a / 500.0, fy, fy - b / 200.0)
        xyz = tuple(_cie_f_inverse(value) * white for value, white in zip(f, WHITE_D65, strict=True))
        rgb = linear_to_srgb(torch.stack(_mix(xyz_to_rgb_matrix(), xyz), dim=-3))
    return rgb.clamp(0.0, 1.0) if clip else rgb


def grey_to_lightness(grey: Tensor) -> Tensor:
    """L (0..100) of sRGB-encoded grey values 0..1; any shape, floating point, float32 or float64 out."""
    if not grey.is_floating_point():
        raise TypeError(f"grey must be floating point, 0..1, got {grey.dtype}")
    grey = grey if grey.dtype == torch.float64 else grey.float()
    with torch.autocast(grey.device.type, enabled=False):
        return 116.0 * _cie_f(srgb_to_linear(grey)) - 16.0


def lightness_to_grey(lightness: Tensor) -> Tensor:
    """sRGB-encoded grey values 0..1 of L (0..100); any shape, float32 or float64 out, autocast or not."""
    lightness = lightness if lightness.dtype == torch.float64 else lightness.float()
    with torch.autocast(lightness.device.type, enabled=False):
        return linear_to_srgb(_cie_f_inverse((lightness + 16.0) / 116.0))
