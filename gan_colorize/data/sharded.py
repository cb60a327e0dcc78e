"""What training does with sources of which some are shards that lie elsewhere: scan, order, fetch ahead.

For files and shards on this machine all of it is what it is without this module.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..errors import UserError
from .folder import ImageSource, JoinedSource
from .order import Order, ShuffledOrder, WindowedOrder
from .remote import RemoteSource
from .scan import Scan, nothing_left, scan_source
from .scan_worker import SMALLEST_SIDE
from .shard_index import spread_histogram

# Images of files count as a shard, so that they mix with those of shards.
_BLOCK = 1024


def parts_of(source: ImageSource) -> Iterator[tuple[ImageSource, int]]:
    """The sources that a joined one consists of, and the number of each one's first image."""
    first = 0
    for part in source.sources if isinstance(source, JoinedSource) else [source]:
        yield part, first
        first += len(part)


def is_far(source: ImageSource) -> bool:
    """Whether some of its images have to be fetched."""
    return any(isinstance(part, RemoteSource) for part, _ in parts_of(source))


def bounds_of(source: ImageSource) -> np.ndarray:
    """(shards + 1,) first images of the shards, and the end; files stand in blocks as if they were shards."""
    bounds = [np.zeros(1, np.int64)]
    for part, first in parts_of(source):
        ends = (
            part.bounds[1:]
            if isinstance(part, RemoteSource)
            else np.arange(_BLOCK, len(part) + _BLOCK, _BLOCK)
        )
        bounds.append(first + np.minimum(ends, len(part)))
    return np.concatenate(bounds)


def scan_all(source: ImageSource, *, min_colourfulness: float, short_side: int, **options: Any) -> Scan:
    """:func:`~gan_colorize.data.scan.scan_source`, which looks at nothing that an index tells.

    Pixels are kept of none when some images are far away: what does not fit on the disk as shards does not
    fit as pixels.

    Raises:
        UserError: nothing usable is left.
    """
    if not is_far(source):
        return scan_source(source, min_colourfulness=min_colourfulness, short_side=short_side, **options)
    options["cache_gigabytes"] = 0.0
    scans = []
    for part, first in parts_of(source):
        if isinstance(part, RemoteSource):
            scan = _scan_remote(part, min_colourfulness, short_side)
        else:
            scan = scan_source(part, min_colourfulness=min_colourfulness, short_side=short_side, **options)
        scans.append((scan, first))
    kept = np.concatenate([first + scan.kept for scan, first in scans])
    histogram = sum((len(scan.kept) * scan.histogram for scan, _ in scans), np.zeros(313))
    whole = Scan(
        kept=kept,
        broken=[entry for scan, _ in scans for entry in scan.broken],
        greyish=[name for scan, _ in scans for name in scan.greyish],
        histogram=histogram / max(len(kept), 1),
        short_side=short_side,
    )
    if len(kept) == 0:
        raise UserError(nothing_left(source, whole, min_colourfulness))
    return whole


def _scan_remote(source: RemoteSource, min_colourfulness: float, short_side: int) -> Scan:
    """By the numbers of the index alone."""
    smaller = np.minimum(source.widths, source.heights)
    usable = smaller >= SMALLEST_SIDE
    colourful = source.colourfulness >= min_colourfulness
    broken = list(source.missing)
    for i in np.flatnonzero(~usable).tolist():
        size = f"{source.widths[i]}x{source.heights[i]} pixels is too small to learn from"
        broken.append((source.name(i), size if smaller[i] else "cannot be decoded"))
    return Scan(
        kept=np.flatnonzero(usable & colourful),
        broken=broken,
        greyish=[source.name(i) for i in np.flatnonzero(usable & ~colourful).tolist()],
        histogram=spread_histogram(source.spread, source.colourfulness[usable], min_colourfulness),
        short_side=short_side,
    )


def make_order(source: ImageSource, indices: np.ndarray, seed: int, lanes: int) -> Order:
    """The order of training: by windows of shards when some have to be fetched."""
    if not is_far(source):
        return ShuffledOrder(indices, seed)
    return WindowedOrder(indices, bounds_of(source), seed, lanes)


class Follower:
    """Has shards fetched ahead of a stream that goes through its numbers upwards."""

    def __init__(self, source: ImageSource, order: Order) -> None:
        self._order = order
        self._until: dict[int, int] = {}
        self._parts: list[tuple[RemoteSource, int]] = []
        shards = 0
        for part, _ in parts_of(source):
            if isinstance(part, RemoteSource):
                self._parts.append((part, shards))
            shards += len(bounds_of(part)) - 1
        if not isinstance(order, WindowedOrder):
            self._parts = []

    def at(self, number: int) -> None:
        """Image ``number`` is asked for next."""
        if not self._parts:
            return
        lane = number % self._order.lanes
        if number < self._until.get(lane, -1):
            return
        now, later, self._until[lane] = self._order.shards_of(number)
        for part, first in self._parts:
            ahead = (
                later if part.cache.limit >= 2 * part.largest * self._order.lanes * self._order.window else []
            )
            inside = [
                [s - first for s in which if 0 <= s - first < len(part.shards)] for which in (now, ahead)
            ]
            part.expect(*inside)


def check_cache(source: ImageSource, lanes: int, window: int) -> None:
    """See that the shards that are drawn from at a time fit into the cache.

    Args:
        lanes: that the processes of this machine read.

    Raises:
        UserError: they do not, so that every picture would be fetched with its shard again and again.
    """
    for part, _ in parts_of(source):
        if not isinstance(part, RemoteSource):
            continue
        at_a_time = min(lanes * window, len(part.shards))
        needed = at_a_time * part.largest
        if needed > part.cache.limit:
            raise UserError(
                f"data.shard_cache_gigabytes={part.cache.limit / 1e9:g}: the {at_a_time} shards that are "
                f"drawn from at a time take {needed / 1e9:.3g} GB; raise it, or lower data.shard_lanes"
            )
