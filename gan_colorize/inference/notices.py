"""What a person should know of a photograph or its colouring: findings, never corrections."""

from __future__ import annotations

import numpy as np

# Opponent-colour units of 8-bit RGB, root mean square. Noise and scanners' tints stay below the first; what a
# toned print has beside its tone, such as noise of JPEG and a light stain, below the second.
_TONE, _BESIDE = 8.0, 9.0
# Of all that is no grey: what a toned print has beside its tone, and across the hue that most of it has. With
# these, 4 % of 458 colour photographs pass for toned.
_SHARE_BESIDE, _SHARE_ACROSS = 0.3, 0.35
_SHADES = 32  # of lightness, each with its tone
_LEAST_IN_SHADE = 16  # pixels: of a handful each would be a shade of its own
# Mean distance from grey in ab below which a colouring passes for a grey picture.
_NEARLY_GREY = 4.0


GREY, TONED, COLOURED = "grey", "toned", "coloured"


def tint_of(pixels: np.ndarray) -> str:
    """Whether an input (H, W) or (H, W, 3), 8 or 16 bits, is "grey", "toned" (sepia, blue) or "coloured"."""
    if pixels.ndim == 2:
        return GREY
    # every k-th pixel: the question is about the picture, not about its detail
    step = max(1, int((pixels.shape[0] * pixels.shape[1] / 20_000) ** 0.5))
    rgb = pixels[::step, ::step].reshape(-1, 3).astype(np.float32)
    if pixels.dtype == np.uint16:
        rgb /= 257.0
    red, green, blue = rgb.T
    # opponent axes as in Hasler and Suesstrunk 2003, section 7, about the grey axis and not about the mean:
    opponent = np.stack([red - green, 0.5 * (red + green) - blue])
    across, along = np.sqrt(np.maximum(np.linalg.eigvalsh(opponent @ opponent.T / len(rgb)), 0.0))
    if along < _TONE:
        return GREY
    beside = _rms(opponent - _tone_of_shades(rgb, opponent))
    one_hue = across < _SHARE_ACROSS * along
    return TONED if one_hue and beside < min(_BESIDE, _SHARE_BESIDE * _rms(opponent)) else COLOURED


def _tone_of_shades(rgb: np.ndarray, opponent: np.ndarray) -> np.ndarray:
    """What of ``opponent`` (2, P) the lightness of the pixels (P, 3) alone would tell: in a toned print equal
    shades have equal tones, though light and dark ones may differ in hue."""
    shades = min(_SHADES, max(1, len(rgb) // _LEAST_IN_SHADE))
    place = rgb @ np.float32([0.299, 0.587, 0.114]) * (shades / 256) - 0.5  # 0 in the middle of the first
    shade = np.clip(np.rint(place), 0, shades - 1).astype(int)
    count = np.bincount(shade, minlength=shades)
    there = np.flatnonzero(count)
    tones = [np.bincount(shade, axis, shades)[there] / count[there] for axis in opponent]
    return np.stack([np.interp(place, there, tone) for tone in tones])


def _rms(opponent: np.ndarray) -> float:
    return float(np.sqrt((opponent**2).sum(axis=0).mean()))


def input_notices(pixels: np.ndarray) -> list[str]:
    """Findings on an input's pixels (H, W) or (H, W, 3), 8 or 16 bits."""
    return {
        GREY: [],
        TONED: ["the input has a tone (sepia?); it was replaced"],
        COLOURED: ["the input already has colours; they were replaced"],
    }[tint_of(pixels)]


def result_notices(strength: float, size: tuple[int, int], seen: tuple[int, int], working: int) -> list[str]:
    """Findings on a colouring.

    strength: mean distance from grey in ab. size, seen: (height, width) of the photograph and of what the
    network saw of it. working: the model's working size.
    """
    notices = []
    if strength < _NEARLY_GREY:
        notices.append("the result is nearly grey")
    if min(seen) < min(working, *size):
        notices.append(f"extreme aspect ratio: the network saw only {seen[1]}x{seen[0]} pixels of it")
    return notices
