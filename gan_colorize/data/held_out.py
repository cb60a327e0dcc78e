"""Which pictures validate: of shards that lie elsewhere only a few are fetched for it."""

from __future__ import annotations

import numpy as np

from .folder import ImageSource, evenly_spread
from .loader import validation_split
from .scan import Scan
from .sharded import bounds_of, is_far

# First word of the random seeds (see loader.py), and from how many shards pictures are held out.
_SPLIT, _SPLIT_SHARDS = 3, 4


def split(source: ImageSource, scan: Scan, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """:func:`~gan_colorize.data.loader.validation_split`; of shards elsewhere, from a few of them."""
    kept = scan.kept
    if not is_far(source) or len(kept) == 1:
        return validation_split(scan, count, seed)
    count = min(count, max(1, len(kept) // 5))
    rng = np.random.default_rng((seed, _SPLIT))
    starts = np.searchsorted(kept, bounds_of(source))
    shards = [shard for shard in rng.permutation(len(starts) - 1) if starts[shard + 1] > starts[shard]]
    held: list[int] = []
    for used, shard in enumerate(shards):
        share = -(-(count - len(held)) // max(1, min(_SPLIT_SHARDS, len(shards)) - used))
        places = np.arange(starts[shard], starts[shard + 1])
        held += rng.permutation(places)[:share].tolist()
        if len(held) >= count:
            break
    mask = np.zeros(len(kept), dtype=bool)
    mask[held] = True
    return kept[~mask], kept[mask]


def spread(source: ImageSource, count: int) -> list[int]:
    """``count`` images of a source that is all for validation, evenly spread over it or over a few shards."""
    if not is_far(source):
        return evenly_spread(len(source), count)
    bounds = bounds_of(source)
    full = np.flatnonzero(np.diff(bounds))
    chosen = full[evenly_spread(len(full), _SPLIT_SHARDS)]
    images = np.concatenate([np.arange(bounds[shard], bounds[shard + 1]) for shard in chosen])
    return images[evenly_spread(len(images), count)].tolist()
