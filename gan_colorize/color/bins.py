"""The 313 colour bins: nodes of a 10-unit grid in the ab plane that sRGB colours can reach.

The set and its order (a ascending, then b ascending) are those published with Zhang, Isola, Efros 2016,
"Colorful Image Colorization", section 2.1; every network trained on them depends on that order.
"""

from __future__ import annotations

import functools
import hashlib

import torch
from torch import Tensor

GRID_STEP = 10

# For each value of a the reachable values of b are contiguous, so (a, b_min, b_max) says it all.
_ROWS = (
    (-90, 50, 90),
    (-80, 20, 90),
    (-70, 0, 90),
    (-60, -20, 90),
    (-50, -30, 100),
    (-40, -40, 100),
    (-30, -50, 100),
    (-20, -50, 100),
    (-10, -60, 100),
    (0, -70, 100),
    (10, -80, 90),
    (20, -80, 90),
    (30, -90, 90),
    (40, -100, 90),
    (50, -100, 80),
    (60, -110, 80),
    (70, -110, 80),
    (80, -110, 70),
    (90, -110, 70),
    (100, -90, 0),
)

_BINS = tuple((a, b) for a, b_min, b_max in _ROWS for b in range(b_min, b_max + 1, GRID_STEP))

NUM_BINS = len(_BINS)


def bin_centres(dtype: torch.dtype = torch.float32) -> Tensor:
    """(313, 2) centres (a, b) of the bins in published order; a fresh tensor on the CPU at each call."""
    return torch.tensor(_BINS, dtype=dtype)


@functools.cache
def bins_hash() -> str:
    """sha256, in hexadecimal, of the bins as a C-ordered (313, 2) array of little-endian int16."""
    data = b"".join(value.to_bytes(2, "little", signed=True) for centre in _BINS for value in centre)
    return hashlib.sha256(data).hexdigest()
