"""Crops, and what a black-and-white photograph of the same scene would have looked like."""

from __future__ import annotations

import math

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from .chance import Chance


def random_crop(rgb8: np.ndarray, size: int, min_scale: float, rng: np.random.Generator) -> np.ndarray:
    """A random box of a picture, resized to a square in one step, mirrored half of the time.

    Args:
        rgb8: (H, W, 3) uint8.
        size: side of the result in pixels.
        min_scale: the box's size is uniform in [min_scale, 1] of the largest square; its aspect ratio is
            log-uniform in 3/4..4/3.
        rng: the only source of chance; every call draws the same number of values from it.

    Returns:
        (size, size, 3) uint8, not always contiguous.
    """
    height, width = rgb8.shape[:2]
    scale, aspect, left, top, mirror = rng.random(5)
    side = (min_scale + (1 - min_scale) * scale) * min(height, width)
    stretch = math.exp((aspect - 0.5) * math.log(4 / 3))  # square root of a ratio in 3/4..4/3
    box_width, box_height = side * stretch, side / stretch
    fit = min(1.0, width / box_width, height / box_height)
    # Whole pixels: torch resizes 8-bit pictures twice as fast as Pillow, but takes no fractional box.
    columns, rows = max(1, round(box_width * fit)), max(1, round(box_height * fit))
    x, y = round(left * (width - columns)), round(top * (height - rows))
    box = torch.from_numpy(rgb8[y : y + rows, x : x + columns].copy())  # the cache's pixels are read-only
    # Bicubic keeps small pictures from going soft when a crop is enlarged.
    planes = box.permute(2, 0, 1)[None]
    out = functional.interpolate(planes, (size, size), mode="bicubic", antialias=True)[0].permute(1, 2, 0)
    return (out.flip(1) if mirror < 0.5 else out).numpy()


def centre_crop(rgb8: np.ndarray, size: int) -> np.ndarray:
    """The largest centred square of (H, W, 3) uint8, resized to (size, size, 3).

    In whole pixels: half a pixel would blur a picture that needs no resizing.
    """
    side = min(rgb8.shape[:2])
    top, left = (rgb8.shape[0] - side) // 2, (rgb8.shape[1] - side) // 2
    return stretch(rgb8[top : top + side, left : left + side], size)


def stretch(rgb8: np.ndarray, size: int) -> np.ndarray:
    """(H, W, 3) uint8 to (size, size, 3), whatever its shape; by Pillow's bicubic, with antialiasing."""
    if rgb8.shape[:2] == (size, size):
        return rgb8
    return np.asarray(Image.fromarray(rgb8).resize((size, size), Image.Resampling.BICUBIC))


# Luma weights of the standards by which software makes a colour file grey, on encoded values.
_REC_601 = (0.299, 0.587, 0.114)
_REC_709 = (0.2126, 0.7152, 0.0722)
# Film adds up light, not encoded values. Orthochromatic emulsions, the rule until the 1920s, hardly see red:
# lips and brick come out dark, skies white. No published curve fits them all; the share of red is drawn.
_ORTHOCHROMATIC = (0.05, 0.50, 0.45)
# Cumulative shares of the four kinds above: 601, 709, orthochromatic, any mixture (filters, other film).
_KINDS = (0.4, 0.5, 0.75)
_GAMMA = 2.2


def simulate_grey_lightness(
    rgb8: Tensor, chance: Chance, probability: float, lab: Tensor | None = None
) -> Tensor:
    """The L that a network is shown: for some pictures that of a real black-and-white photograph.

    The L of a colour picture and the L of its grey version differ by 4.7 on average where colours are
    saturated, and old photographs differ more. A simulated picture gets a random mixture of channels, a mild
    tone curve, faded blacks and whites and faint grain, and is rounded to 8 bits as files are; the others
    keep the L of CIE Lab.

    Args:
        rgb8: (N, 3, H, W) uint8, on any device.
        chance: of these N pictures.
        probability: share of simulated pictures, 0..1.
        lab: (N, 3, H, W) of the same pictures, if it is known already.

    Returns:
        (N, 1, H, W) float32, L 0..100.
    """
    from ..color.fast import LIGHTNESS_OF_GREY8, rgb8_to_lab

    device, draws = rgb8.device, chance.uniform(9)
    chosen = draws[:, 0] < probability
    lightness = (rgb8_to_lab(rgb8) if lab is None else lab)[:, :1].clone()
    picked = chosen.nonzero().flatten().to(device)
    if len(picked):
        # Grain is drawn where the pixels are: millions of numbers, on a GPU at no cost.
        grain = chance.fields(chosen, (1, *rgb8.shape[2:]), device)
        grey = _photographed(rgb8[picked], draws[chosen].to(device), grain)  # (n, 1, H, W) 0..1
        table = torch.as_tensor(LIGHTNESS_OF_GREY8, dtype=torch.float32).to(device)
        levels = (grey * 255).round_().int()
        lightness[picked] = table.index_select(0, levels.flatten()).view(levels.shape)
    return lightness


def _photographed(rgb8: Tensor, draws: Tensor, noise: Tensor) -> Tensor:
    """Grey (n, 1, H, W) 0..1 of (n, 3, H, W) uint8; ``draws`` (n, 9) uniform 0..1 decide how, and ``noise``
    (n, 1, H, W) is the grain."""
    draws = draws[:, 1:, None, None, None]
    kind, red, green, blue, gamma, black, white, grain = draws.unbind(1)  # (n, 1, 1, 1) each
    shares = torch.cat([red, green, blue], 1) + 1e-3  # (n, 3, 1, 1)
    ortho = shares.new_tensor(_ORTHOCHROMATIC).view(1, 3, 1, 1) * (0.5 + shares)
    mixture = torch.where(kind < _KINDS[2], ortho, -torch.log(shares.clamp(max=0.999)))  # flat over mixtures
    mixture = torch.where(kind < _KINDS[1], shares.new_tensor(_REC_709).view(1, 3, 1, 1), mixture)
    mixture = torch.where(kind < _KINDS[0], shares.new_tensor(_REC_601).view(1, 3, 1, 1), mixture)
    mixture = mixture / mixture.sum(1, keepdim=True)
    on_film = kind >= _KINDS[1]
    encoded = torch.arange(256, device=rgb8.device, dtype=torch.float32) / 255
    tables = torch.cat([encoded, encoded**_GAMMA])  # (512,): as stored, as light
    entries = rgb8.int().add_(256 * on_film.int()).flatten()
    values = tables.index_select(0, entries).view(rgb8.shape)  # (n, 3, H, W)
    exponent = (0.75 + 0.5 * gamma) * torch.where(on_film, 1 / _GAMMA, 1.0)
    mixed = torch.bmm(mixture.flatten(1)[:, None], values.flatten(2)).view(-1, 1, *rgb8.shape[2:])
    grey = mixed.clamp_(1e-6, 1).pow_(exponent)  # (n, 1, H, W)
    grey = 0.06 * black + (0.94 - 0.06 * black + 0.06 * white) * grey
    return (grey + 0.02 * grain.square() * noise).clamp(0, 1)
