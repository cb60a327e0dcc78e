"""Decoded pixels in one flat file, so that training reads bytes instead of decoding WebP or JPEG again.

Read by position, not mapped: mapped pages count as resident memory of every worker.
"""

from __future__ import annotations

import logging
import secrets
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..errors import UserError
from .ranges import FileRanges

_log = logging.getLogger(__name__)


@dataclass
class PixelCache:
    """The pixels of some images of a source.

    path:    the flat file.
    indices: (n,) int64 ascending, numbers in the source.
    offsets: (n,) int64 where an image begins in the file.
    sizes:   (n, 2) int32 height and width.
    """

    path: Path
    indices: np.ndarray
    offsets: np.ndarray
    sizes: np.ndarray
    _ranges: FileRanges = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._ranges = FileRanges([self.path])

    def read(self, i: int) -> np.ndarray:
        """(H, W, 3) uint8 of image ``i`` of the source; UserError when the file went away."""
        slot = int(np.searchsorted(self.indices, i))
        if slot == len(self.indices) or self.indices[slot] != i:
            raise IndexError(f"image {i} is not in the pixel cache")
        height, width = (int(side) for side in self.sizes[slot])
        try:
            data = self._ranges.read(0, int(self.offsets[slot]), height * width * 3)
        except OSError as error:
            raise UserError(f"pixel cache {self.path}: {error.strerror or error}; start again") from error
        return np.frombuffer(data, np.uint8).reshape(height, width, 3)

    def is_whole(self) -> bool:
        """The file is there and ends where the last image ends."""
        expected = int((self.sizes.astype(np.int64).prod(1) * 3).sum())
        return self.path.is_file() and self.path.stat().st_size == expected

    def delete(self) -> None:
        """Remove the file; where another process has it open on Windows, it stays until it is old."""
        self._ranges.close()
        with suppress(OSError):
            self.path.unlink()


class PixelCacheWriter:
    """Writes a PixelCache as images arrive; gives up quietly when they outgrow ``gigabytes`` or the disk.

    Training without a cache is slower and otherwise the same, so a full disk is a warning and no error.

    Images arrive in another order in every run, and a file means nothing without its offsets. So each gets a
    name of its own, ``path`` with a random word: two runs that scan the same data never write the same file.
    """

    def __init__(self, path: Path, gigabytes: float) -> None:
        self._path = path.with_name(f"{path.stem}-{secrets.token_hex(8)}{path.suffix}")
        self._temporary = path.with_name(f".part-{self._path.name}")
        self._limit = int(gigabytes * 1e9)
        self._entries: list[tuple[int, int, int, int]] = []
        self._size = 0
        self._file = None
        if self._limit <= 0:
            return
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._temporary.open("xb")
        except OSError as error:
            self._give_up(f"{path.parent}: {error.strerror or error}")

    def __enter__(self) -> PixelCacheWriter:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._file is not None:  # finish() was not reached
            self._discard()

    def add(self, index: int, rgb8: np.ndarray) -> None:
        """Append the (H, W, 3) uint8 pixels of image ``index``; any order."""
        if self._file is None:
            return
        if self._size + rgb8.nbytes > self._limit:
            self._give_up(f"the pixels take more than {self._limit / 1e9:g} GB (data.cache_gigabytes)")
            return
        try:
            self._file.write(np.ascontiguousarray(rgb8).data)
        except OSError as error:
            self._give_up(f"{self._path.parent}: {error.strerror or error}")
            return
        self._entries.append((index, self._size, rgb8.shape[0], rgb8.shape[1]))
        self._size += rgb8.nbytes

    def finish(self) -> PixelCache | None:
        """The finished cache under its final name, which is new, or None."""
        if self._file is None or not self._entries:
            return None
        try:
            self._file.close()
            self._temporary.replace(self._path)
        except OSError as error:
            self._give_up(f"{self._path}: {error.strerror or error}")
            return None
        self._file = None
        table = np.array(sorted(self._entries), dtype=np.int64)
        return PixelCache(self._path, table[:, 0], table[:, 1], table[:, 2:].astype(np.int32))

    def _give_up(self, reason: str) -> None:
        _log.warning("no pixel cache: %s; images are decoded anew each time", reason)
        self._discard()

    def _discard(self) -> None:
        if self._file is not None:
            with suppress(OSError):
                self._file.close()  # flushes, which fails again on a full disk
            self._file = None
        with suppress(OSError):
            self._temporary.unlink()
