"""In which order a training stream shows its images: a pure function of (seed, image number).

Nothing is kept between two images but what can be computed again, so a run that is resumed at any number, by
any number of processes, goes on exactly where it would have.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

# First word of the random seeds, so that no two uses of (seed, number) share a sequence (see loader.py).
_ORDER = 1
# Shards that one lane mixes at a time. Two of them in each of eight lanes hold thousands of pictures.
WINDOW = 2


class Order(Protocol):
    """Which image of the source is image ``number`` of the stream; pickles into worker processes."""

    lanes: int
    """Images ``number`` and ``number + lanes`` come from the same shards where there are shards."""

    def __len__(self) -> int:
        """Images in an epoch: numbers e n to (e + 1) n - 1 show each exactly once."""

    def __call__(self, number: int) -> int:
        """The index in the source."""


class ShuffledOrder:
    """Every epoch a permutation of all images, for sources that can be read anywhere at any time."""

    lanes = 1

    def __init__(self, indices: np.ndarray, seed: int) -> None:
        self._indices, self._seed = indices, seed
        self._epoch, self._order = -1, indices

    def __len__(self) -> int:
        return len(self._indices)

    def __call__(self, number: int) -> int:
        epoch, place = divmod(number, len(self._indices))
        if epoch != self._epoch:
            rng = np.random.default_rng((self._seed, _ORDER, epoch))
            self._epoch, self._order = epoch, rng.permutation(self._indices)
        return int(self._order[place])


@dataclass(frozen=True)
class _Window:
    """epoch, lane, first: which window; stop: where it ends; both are places in the epoch's row of images.
    shards: (w,) positions in the epoch's order of shards, half open."""

    epoch: int
    lane: int
    first: int
    stop: int
    shards: tuple[int, int]


class WindowedOrder:
    """Images mixed within a few shards at a time, for shards that come from far away.

    Every epoch lays the shards in a row, in random order, and cuts the row of their images into ``lanes``
    pieces of equal length. Image number p belongs to lane p mod ``lanes``, which walks along its piece;
    within each ``window`` shards of it the images are shuffled. So at any time ``lanes * window`` shards are
    drawn from: that is the shuffle buffer, exactly. Process r of R reads the numbers p with p mod R = r;
    where R divides ``lanes`` it needs the shards of its own lanes alone.

    The cuts go through at most ``lanes - 1`` shards, which two lanes then share. Dealing whole shards would
    spare that, but lanes of different lengths would be in different epochs: here every image is shown
    exactly once in an epoch, as it is without shards.

    Args:
        indices: images to show, ascending.
        bounds: (shards + 1,) ascending; shard s holds images bounds[s] .. bounds[s + 1] - 1 of the source.
        seed: 0 or more.
        lanes, window: at least 1.
    """

    def __init__(
        self, indices: np.ndarray, bounds: Sequence[int], seed: int, lanes: int, window: int = WINDOW
    ) -> None:
        self._indices, self._seed, self.lanes, self.window = indices, seed, lanes, window
        self._starts = np.searchsorted(indices, np.asarray(bounds))  # where shards begin in indices
        self._counts = np.diff(self._starts)
        self._epochs: OrderedDict[int, tuple[np.ndarray, np.ndarray]] = OrderedDict()
        self._mixed: OrderedDict[_Window, np.ndarray] = OrderedDict()

    def __len__(self) -> int:
        return len(self._indices)

    def __call__(self, number: int) -> int:
        window, place = self._locate(number)
        mixed = self._mixed.get(window)
        if mixed is None:
            mixed = self._mixed[window] = self._mix(window)
            if len(self._mixed) > 2 * self.lanes:
                self._mixed.popitem(last=False)
        return int(mixed[place - window.first])

    def shards_of(self, number: int) -> tuple[list[int], list[int], int]:
        """Shards that image ``number`` is drawn from, those that its lane draws from next, and from which
        number on it does."""
        window, place = self._locate(number)
        until = number + (window.stop - place) * self.lanes
        after, _ = self._locate(until)
        return self._shards(window), self._shards(after), until

    def _shards(self, window: _Window) -> list[int]:
        row, _ = self._row(window.epoch)
        first, stop = window.shards
        return [int(shard) for shard in row[first:stop] if self._counts[shard]]

    def _row(self, epoch: int) -> tuple[np.ndarray, np.ndarray]:
        """The shards of an epoch in its order, and where each one's images end in the row."""
        if epoch not in self._epochs:
            row = np.random.default_rng((self._seed, _ORDER, epoch)).permutation(len(self._counts))
            self._epochs[epoch] = row, np.cumsum(self._counts[row])
            if len(self._epochs) > 3:
                self._epochs.popitem(last=False)
        return self._epochs[epoch]

    def _locate(self, number: int) -> tuple[_Window, int]:
        """The window of image ``number``, and its place in the row of the epoch's images."""
        total, lanes = len(self._indices), self.lanes
        epoch, lane = number // total, number % lanes
        begin = epoch * total
        # Of total consecutive numbers from begin on, how many are each lane's? The row is cut accordingly.
        offset = (lane - begin) % lanes  # of the lane's first number
        before = sum(_multiples(total, (other - begin) % lanes, lanes) for other in range(lane))
        stop = before + _multiples(total, offset, lanes)
        place = before + (number - begin - offset) // lanes
        _, ends = self._row(epoch)
        shard, first_shard, last_shard = np.searchsorted(ends, (place, before, stop - 1), "right").tolist()
        opening = first_shard + (shard - first_shard) // self.window * self.window
        closing = min(opening + self.window, last_shard + 1)
        first = max(before, int(ends[opening - 1]) if opening else 0)
        return _Window(epoch, lane, first, min(stop, int(ends[closing - 1])), (opening, closing)), place

    def _mix(self, window: _Window) -> np.ndarray:
        """The images of a window, shuffled."""
        row, ends = self._row(window.epoch)
        pieces = []
        for shard, end in zip(row[slice(*window.shards)], ends[slice(*window.shards)], strict=True):
            start = self._starts[shard] - (end - self._counts[shard])  # from a place in the row to indices
            low, high = max(window.first, end - self._counts[shard]), min(window.stop, end)
            pieces.append(self._indices[start + low : start + high])
        seed = (self._seed, _ORDER, window.epoch, window.lane, window.first)
        return np.random.default_rng(seed).permutation(np.concatenate(pieces))


def _multiples(total: int, offset: int, step: int) -> int:
    """How many of offset, offset + step, offset + 2 step ... are below total."""
    return max(0, -((offset - total) // step))
