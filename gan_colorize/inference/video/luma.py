"""RGB of 16 bits to luma and chroma and back (ITU-T H.273, section 8.3), for films of more than 8 bits.

FFmpeg's own converter takes the white of 16-bit RGB for 65280 and not for 65535: four levels of ten bits.
"""

from __future__ import annotations

import numpy as np

# K_R and K_B by H.273's number of the matrix (table 4).
_WEIGHTS = {
    1: (0.2126, 0.0722),
    4: (0.30, 0.11),
    5: (0.299, 0.114),
    6: (0.299, 0.114),
    7: (0.212, 0.087),
    9: (0.2627, 0.0593),
}
_MIDDLE = 32768.0


def _ranges(full_range: bool) -> tuple[float, float, float]:
    """Black, and how far it is to white and from one end of chroma to the other, of 16 bits."""
    # shifted from 8 bits, as in the standard's equations for the narrow range
    return (0.0, 65535.0, 65535.0) if full_range else (16 * 256.0, 219 * 256.0, 224 * 256.0)


def _weights(matrix: int) -> tuple[float, float]:
    return _WEIGHTS.get(matrix, _WEIGHTS[1])


def to_rgb16(yuv: np.ndarray, matrix: int, full_range: bool) -> np.ndarray:
    """(H, W, 3) uint16 luma, Cb, Cr -> (H, W, 3) uint16 RGB, 0..65535."""
    red_share, blue_share = _weights(matrix)
    black, white, ends = _ranges(full_range)
    values = yuv.astype(np.float32)
    luma = (values[..., 0] - black) / white
    blue = luma + (values[..., 1] - _MIDDLE) * (2 * (1 - blue_share) / ends)
    red = luma + (values[..., 2] - _MIDDLE) * (2 * (1 - red_share) / ends)
    green = (luma - red_share * red - blue_share * blue) / (1 - red_share - blue_share)
    rgb = np.stack([red, green, blue], -1) * 65535.0
    return np.rint(rgb.clip(0.0, 65535.0)).astype(np.uint16)


def from_rgb16(rgb: np.ndarray, matrix: int, full_range: bool) -> np.ndarray:
    """(H, W, 3) uint16 RGB, 0..65535 -> (H, W, 3) uint16 luma, Cb, Cr."""
    red_share, blue_share = _weights(matrix)
    black, white, ends = _ranges(full_range)
    red, green, blue = np.moveaxis(rgb.astype(np.float32) / 65535.0, -1, 0)
    luma = red_share * red + (1 - red_share - blue_share) * green + blue_share * blue
    chroma = [(blue - luma) / (2 * (1 - blue_share)), (red - luma) / (2 * (1 - red_share))]
    planes = [black + white * luma, *(_MIDDLE + ends * one for one in chroma)]
    return np.rint(np.stack(planes, -1).clip(0.0, 65535.0)).astype(np.uint16)
