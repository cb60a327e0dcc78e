"""The stream of training batches, a pure function of (seed, position), and the validation set."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from ..errors import UserError
from ..files import add_line_once
from .folder import ImageSource
from .image_io import read_rgb8
from .order import Order
from .remote import ShardGone
from .scan import Scan
from .sharded import Follower, make_order
from .transforms import centre_crop, random_crop

_log = logging.getLogger(__name__)

# First words of the random seeds, so that no two uses of (seed, number) share a sequence (1: the order).
_AUGMENT, _SPLIT = 2, 3


@dataclass(frozen=True)
class RawBatch:
    """This process's part of a batch.

    rgb: (N, 3, S, S) uint8; numbers: (N,) int64, which images of the stream they are; position: images drawn
    since training began, the whole batch included, which is where a stream that continues starts.
    """

    rgb: Tensor
    numbers: Tensor
    position: int

    def pin_memory(self) -> RawBatch:
        """Called by the DataLoader when a GPU waits for the pixels."""
        return RawBatch(self.rgb.pin_memory(), self.numbers, self.position)


class Failure(NamedTuple):
    """An image or a shard that cannot be read, and why."""

    name: str
    reason: str

    @property
    def message(self) -> str:
        """Both, on one line."""
        return self.reason if self.name in self.reason else f"{self.name}: {self.reason}"


class TrainingStream:
    """Endless random crops. Which image number p since the start of training is decides an
    :class:`~gan_colorize.data.order.Order`, and it is cropped with a generator of its own: neither workers
    nor a restart change what comes.

    Args:
        source: the images.
        scan: what is usable of them, and the pixel cache if there is one.
        indices: which images of the source to train on, as from :func:`validation_split`; default all kept.
        lanes: see :class:`~gan_colorize.data.order.WindowedOrder`, the order of shards that are fetched.
        report: a file to which a line is added for each image or shard that cannot be read.
        batch_size, crop_size: images a batch, all processes together; pixels a side.
        rank, world: this process gets images rank, rank + world, rank + 2 world ... of every batch.
        min_scale: see :func:`~gan_colorize.data.transforms.random_crop`.
        seed: of order and augmentation, 0 or more.
        position: images drawn before; 0 at the start, ``RawBatch.position`` of the last batch to resume.
        workers: processes that prepare batches ahead; 0 prepares them when asked.
        prepare: what becomes of a batch before it is handed over, run where the batch is made; must be
            picklable. Default: nothing.
    """

    def __init__(
        self,
        source: ImageSource,
        scan: Scan,
        *,
        batch_size: int,
        crop_size: int,
        min_scale: float = 0.5,
        seed: int = 0,
        position: int = 0,
        workers: int = 0,
        indices: np.ndarray | None = None,
        prepare: Callable[[RawBatch], Any] | None = None,
        rank: int = 0,
        world: int = 1,
        lanes: int = 1,
        report: Path | None = None,
    ) -> None:
        indices = scan.kept if indices is None else np.asarray(indices, dtype=np.int64)
        if len(indices) == 0:
            raise UserError("there is no image left to train on")
        rows = np.arange(rank, batch_size, world)
        order = make_order(source, indices, seed, lanes)
        pictures = _Batches(source, scan, order, batch_size, rows, crop_size, min_scale, seed, prepare)
        self._loader = DataLoader(
            pictures,
            batch_size=None,  # a worker makes whole batches: one message each
            sampler=_Positions(position, batch_size),
            num_workers=workers,
            persistent_workers=workers > 0,
            prefetch_factor=4 if workers > 0 else None,
            pin_memory=torch.cuda.is_available(),
            worker_init_fn=_be_a_good_neighbour,
        )
        self._reported: set[str] = set()
        self._report = report

    def __iter__(self) -> Iterator[Any]:
        for batch, failures in self._batches():
            for failure in failures:
                if failure.name not in self._reported:
                    self._reported.add(failure.name)
                    _log.warning("%s; the next image takes its place", failure.message)
                    if self._report is not None:
                        add_line_once(self._report, f"{failure.name}\t{failure.reason}")
            if batch is None:  # told here: a worker's own exception arrives as a page of traceback
                raise UserError(f"no image can be read any more; the last: {failures[-1].message}")
            yield batch

    def _batches(self) -> Iterator[tuple[Any, list[Failure]]]:
        with dead_workers_told():
            yield from self._loader


@contextmanager
def dead_workers_told() -> Iterator[None]:
    """Around whatever goes on while workers live: torch raises the death of one as a signal's exception, in
    the midst of what the main thread does at that moment.

    Raises:
        UserError: a worker was killed.
    """
    try:
        yield
    except RuntimeError as error:
        if "DataLoader worker" not in str(error):
            raise
        raise UserError(
            "a data worker died (out of memory?); lower data.workers and go on with --resume"
        ) from error


def _be_a_good_neighbour(worker: int) -> None:
    """Leave signals and the processor to the parent.

    Ctrl-C reaches every process. The parent saves and then ends its workers; a worker that died first would
    turn a clean stop into an error. (SIGTERM stays deadly: it is how the parent ends them.)

    Batches are made ahead, so a worker can wait for a core that is idle. Taking one from a thread of the
    network makes all its threads wait at their next barrier.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(os, "nice"):
        os.nice(10)


class _Positions(Sampler[int]):
    def __init__(self, position: int, batch_size: int) -> None:
        self._position, self._batch_size = position, batch_size

    def __iter__(self) -> Iterator[int]:
        position = self._position
        while True:
            yield position
            position += self._batch_size


class _Batches(Dataset):
    """Indexed by position. Runs in workers: holds no open file of the parent and logs nothing."""

    def __init__(
        self,
        source: ImageSource,
        scan: Scan,
        order: Order,
        batch_size: int,
        rows: np.ndarray,
        crop_size: int,
        min_scale: float,
        seed: int,
        prepare: Callable[[RawBatch], Any] | None,
    ) -> None:
        self._prepare = prepare
        self._source, self._cache, self._order = source, scan.cache, order
        self._follower = Follower(source, order)
        self._short_side = scan.short_side
        self._batch_size, self._rows = batch_size, rows
        self._crop_size, self._min_scale, self._seed = crop_size, min_scale, seed

    def __getitem__(self, position: int) -> tuple[Any, list[Failure]]:
        failures: list[Failure] = []
        size = self._crop_size
        numbers = position + self._rows
        batch = np.empty((len(numbers), 3, size, size), np.uint8)
        for number in numbers.tolist():
            self._follower.at(number)
        for row, number in enumerate(numbers.tolist()):
            rgb8 = self._picture(number, failures)
            if rgb8 is None:
                return None, failures
            rng = np.random.default_rng((self._seed, _AUGMENT, number))
            batch[row] = random_crop(rgb8, size, self._min_scale, rng).transpose(2, 0, 1)
        batch = RawBatch(torch.from_numpy(batch), torch.from_numpy(numbers), position + self._batch_size)
        return batch if self._prepare is None else self._prepare(batch), failures

    def _picture(self, number: int, failures: list[Failure]) -> np.ndarray | None:
        """Image ``number`` of the stream, or the next one that can be read; None when none can."""
        step = self._order.lanes  # the next one of the same shards
        for attempt in range(number, number + step * len(self._order), step):
            index = self._order(attempt)
            try:
                if self._cache is not None:
                    return self._cache.read(index)
                # The pixels that the cache would hold: with or without it the stream is the same.
                return read_rgb8(self._source.read(index), short_side=self._short_side)
            except ShardGone as error:  # told once, not for each of its images
                if not failures or failures[-1].name != error.shard:
                    failures.append(Failure(error.shard, error.reason))
                if error.hopeless:
                    return None
            except UserError as error:
                failures.append(Failure(self._source.name(index), str(error)))
        return None


def validation_split(scan: Scan, count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Hold some of the usable images out: (indices to train on, indices to validate on), both ascending.

    At most a fifth of the images is held out, so that a small folder keeps enough to learn from; a single
    image serves both ways.
    """
    kept = scan.kept
    if len(kept) == 1:
        return kept, kept
    count = min(count, max(1, len(kept) // 5))
    held = np.random.default_rng((seed, _SPLIT)).permutation(len(kept))[:count]
    mask = np.zeros(len(kept), dtype=bool)
    mask[held] = True
    return kept[~mask], kept[mask]


def load_validation(source: ImageSource, indices: Sequence[int] | np.ndarray, size: int) -> Tensor:
    """Centre crops of some images of a source.

    Returns:
        (M, 3, size, size) uint8; images that cannot be read are left out with a warning.

    Raises:
        UserError: none can be read.
    """
    crops = []
    for index in indices:
        try:
            rgb8 = read_rgb8(source.read(int(index)), short_side=size)
        except UserError as error:
            _log.warning("validation: %s: %s; left out", source.name(int(index)), error)
            continue
        crops.append(centre_crop(rgb8, size))
    if not crops:
        raise UserError(f"none of the {len(indices)} validation image(s) can be read")
    return torch.from_numpy(np.stack(crops).transpose(0, 3, 1, 2).copy())
