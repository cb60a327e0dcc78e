"""Palettes: a few colours in hexadecimal, in sRGB and in Lab."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from .fast import lab_to_rgb8
from .lab import rgb_to_lab

COLOURS = 5
_HEX = re.compile(r"#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})")


def parse_hex(texts: Sequence[str]) -> np.ndarray:
    """Colours such as "a1b2c3", "#A1B2C3" or "#fff" -> (n, 3) uint8 sRGB.

    Raises:
        ValueError: names what is no colour.
    """
    rows = []
    for text in texts:
        text = text.strip() if isinstance(text, str) else text
        match = _HEX.fullmatch(text) if isinstance(text, str) else None
        if match is None:
            raise ValueError(f"{text!r} is no colour; one looks like a1b2c3")
        digits = match[1] if len(match[1]) == 6 else "".join(2 * digit for digit in match[1])
        rows.append([int(digits[i : i + 2], 16) for i in (0, 2, 4)])
    return np.array(rows, np.uint8).reshape(-1, 3)


def hex_to_ab(text: str) -> tuple[float, float]:
    """A colour such as "#3a7d44" -> its a and b of Lab. Raises a ValueError that names what is no colour."""
    (lab,) = palette_to_lab(parse_hex([text])).tolist()
    return round(lab[1], 3), round(lab[2], 3)


def to_hex(rgb8: np.ndarray) -> list[str]:
    """(n, 3) uint8 sRGB -> colours such as "a1b2c3"."""
    return [bytes(row).hex() for row in np.asarray(rgb8, np.uint8)]


def palette_to_lab(rgb8: np.ndarray | Tensor) -> Tensor:
    """(..., n, 3) uint8 sRGB -> (..., n, 3) float32 Lab."""
    rgb = torch.as_tensor(rgb8).float() / 255.0
    return rgb_to_lab(rgb.transpose(-1, -2)[..., None])[..., 0].transpose(-1, -2).contiguous()


def palette_to_rgb8(lab: Tensor) -> np.ndarray:
    """(..., n, 3) Lab -> (..., n, 3) uint8 sRGB; colours outside sRGB keep their L and lose chroma."""
    rows = lab.detach().float().cpu().reshape(-1, 1, 3)
    ab = rows[..., 1:].permute(2, 0, 1).contiguous().numpy()
    rgb8 = lab_to_rgb8(rows[..., 0].contiguous().numpy(), ab)
    return rgb8.reshape(lab.shape)
