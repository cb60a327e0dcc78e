"""The colours of another picture, as a wish."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from ..color.fast import rgb8_to_lab
from ..data.chance import Chance
from ..data.hints import global_statistics
from ..data.image_io import read_rgb8
from ..errors import UserError
from .wishes import Reference

# Statistics of small pictures hardly differ from those of large ones.
_SIDE = 256
# Below it a picture has no colours to speak of (Hasler-Suesstrunk's measure would say the same).
_LEAST_SATURATION = 0.02


def reference_of(source: Path | str | bytes | np.ndarray, name: str = "") -> Reference:
    """How the colours of a picture are spread and how saturated they are (Zhang, Zhu et al. 2017, 3.3).

    Args:
        source: a path, an encoded file, or (H, W, 3) uint8 sRGB.
        name: kept with the statistics; by itself a path's last part.

    Raises:
        UserError: the picture cannot be read, or is grey.
    """
    if isinstance(source, str | Path):
        name = name or Path(source).name
    if isinstance(source, np.ndarray):
        if source.dtype != np.uint8 or source.ndim != 3 or source.shape[2] != 3 or 0 in source.shape:
            found = f"{source.dtype} {source.shape}"
            raise UserError(f"{name or 'the reference'}: must be (H, W, 3) of uint8; got {found}")
        rgb8 = source
    else:
        rgb8 = read_rgb8(source, _SIDE)
    picture = Image.fromarray(rgb8)
    shrink = min(1.0, _SIDE / min(picture.size))
    width, height = (max(4, round(side * shrink / 4) * 4) for side in picture.size)
    pixels = np.asarray(picture.resize((width, height), Image.Resampling.BOX))
    rgb8 = torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None]
    told = global_statistics(rgb8, rgb8_to_lab(rgb8)[:, 1:], Chance(0, [0]), 1.0)
    histogram, saturation = told[0][0], float(told[1][0, 0])
    if saturation < _LEAST_SATURATION:
        raise UserError(f"{name or 'the reference'}: is grey; a reference must be a picture in colour")
    shares = tuple((index, round(share, 6)) for index, share in enumerate(histogram.tolist()) if share > 0)
    return Reference(shares, round(saturation, 6), name)
