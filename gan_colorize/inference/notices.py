"""What a person should know of a photograph or its colouring: findings, never corrections."""

from __future__ import annotations

import numpy as np

# Opponent-colour units of 8-bit RGB. JPEG noise and scanner tints stay below the first two.
_TONE, _SECOND_HUE = 8.0, 5.0
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
    minor, major = np.sqrt(np.maximum(np.linalg.eigvalsh(opponent @ opponent.T / len(rgb)), 0.0))
    if major < _TONE:
        return GREY
    # A sepia or blue tone has one hue, light and dark: all of it lies along one line.
    return TONED if minor < _SECOND_HUE else COLOURED


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
