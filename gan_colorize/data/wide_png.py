"""PNG with colour at 16 bits a channel, which Pillow reduces to 8, through imagecodecs (libpng)."""

from __future__ import annotations

from pathlib import Path

import imagecodecs
import numpy as np
from PIL import Image

_WIDE = ("RGB;16B", "RGBA;16B", "LA;16B")


def is_wide_png(image: Image.Image) -> bool:
    """Whether a file, not yet loaded, stores colour (or grey with alpha) at 16 bits."""
    return image.format == "PNG" and any(
        mode in str(image.tile[0].args if image.tile else "") for mode in _WIDE
    )


def read_wide_png(source: Path | str | bytes) -> np.ndarray | None:
    """(H, W, C) uint16 as stored, C = 2 (grey, alpha), 3 or 4; None when libpng gives up.

    Only for files that another decoder has read whole: what imagecodecs reserved for a damaged one is never
    given back.
    """
    try:
        pixels = imagecodecs.png_decode(source if isinstance(source, bytes) else Path(source).read_bytes())
    except (imagecodecs.PngError, ValueError):
        return None
    return pixels if pixels.dtype == np.uint16 and pixels.ndim == 3 else None
