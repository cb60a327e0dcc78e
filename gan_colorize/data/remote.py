"""The images of shards that lie elsewhere: at HTTP(S), S3, Google's storage, behind a command.

What is where in them comes from an index (:mod:`.shard_index`), the shards themselves through a cache of
bounded size (:mod:`.shard_cache`), fetched ahead of need (:mod:`.prefetch`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..errors import UserError
from .download import Unavailable
from .prefetch import Prefetcher
from .shard_cache import RemoteShard, ShardCache
from .shard_index import ShardIndex
from .urls import local_path, shown

# So many shards that fail one after another, with no image read in between, are no accident of some of them.
_HOPELESS = 32


class ShardGone(UserError):
    """No image of a shard can be had.

    shard: what messages call it; reason: why. hopeless: nor of any other, or of many in a row.
    """

    def __init__(self, error: Unavailable, hopeless: bool) -> None:
        super().__init__(str(error))
        self.shard, self.reason, self.hopeless = shown(error.url), error.reason, hopeless


class RemoteSource:
    """An :class:`~gan_colorize.data.folder.ImageSource` that knows what it holds without reading it.

    Attributes:
        bounds: (shards + 1,) shard s holds images bounds[s] .. bounds[s + 1] - 1.
        widths, heights: (n,) int32, 0 where an image cannot be decoded; colourfulness: (n,) float32.
        spread: of colours over all images, by colourfulness.
        missing: (shard, reason) of those that were left out from the start.
    """

    def __init__(self, urls: Sequence[str], index: ShardIndex, cache: ShardCache) -> None:
        records = index.records
        self.urls, self.cache = list(urls), cache
        self.shards = [
            RemoteShard(url, record.bytes, record.sha256) for url, record in zip(urls, records, strict=True)
        ]
        self.bounds = np.cumsum([0, *(len(record) for record in records)])
        if not self.bounds[-1]:
            raise UserError(f"{shown(urls[0])}: no images in {len(urls)} shard(s)")
        self._offsets = _column([record.offsets for record in records], np.int64)
        self._sizes = _column([record.sizes for record in records], np.int64)
        self.widths = _column([record.widths for record in records], np.int32)
        self.heights = _column([record.heights for record in records], np.int32)
        self.colourfulness = _column([record.colourfulness for record in records], np.float32)
        # One text, not a million: workers share its memory, and each object would be copied as it is counted.
        members = [member.encode(errors="surrogateescape") for record in records for member in record.members]
        self._names = b"".join(members)
        self._name_ends = np.cumsum([len(member) for member in members])
        self.spread = index.histograms  # (bands, 313)
        self.missing: list[tuple[str, str]] = []
        digest = hashlib.sha256()
        for record in records:
            digest.update(f"{record.name} {record.bytes} {record.sha256} {len(record)}\n".encode())
        self._fingerprint = digest.hexdigest()
        self._reset()

    def _reset(self) -> None:
        self._gone: set[int] = set()
        self._prefetcher: Prefetcher | None = None

    def __len__(self) -> int:
        return int(self.bounds[-1])

    def shard_of(self, i: int) -> int:
        """The number of the shard that holds image ``i``."""
        return int(np.searchsorted(self.bounds, i, "right")) - 1

    def name(self, i: int) -> str:
        end = int(self._name_ends[i])
        start = int(self._name_ends[i - 1]) if i else 0
        member = self._names[start:end].decode(errors="surrogateescape")
        return f"{shown(self.urls[self.shard_of(i)])}/{member}"

    def read(self, i: int) -> bytes:
        """The encoded file.

        Raises:
            ShardGone: its shard cannot be had.
        """
        number = self.shard_of(i)
        shard = self.shards[number]
        offset, size = int(self._offsets[i]), int(self._sizes[i])
        try:
            path = local_path(shard.url)
            data = self.cache.read(shard, offset, size) if path is None else _read(path, shard, offset, size)
        except Unavailable as error:
            self._gone.add(number)
            raise ShardGone(error, len(self._gone) >= min(len(self.shards), _HOPELESS)) from error
        self._gone.clear()
        return data

    def fingerprint(self) -> str:
        return self._fingerprint

    def expect(self, now: Sequence[int], later: Sequence[int]) -> None:
        """Fetch shards in the background: those that are drawn from now, then those that come next."""
        if self._prefetcher is None:
            self._prefetcher = Prefetcher(self.cache)
        for numbers, urgent in ((now, True), (later, False)):
            shards = [self.shards[number] for number in numbers]
            self._prefetcher.want([s for s in shards if local_path(s.url) is None], urgent)

    @property
    def largest(self) -> int:
        """Bytes of the largest shard; 0 when nothing has to be fetched."""
        return max((s.size or 0 for s in self.shards if local_path(s.url) is None), default=0)

    def __getstate__(self) -> dict:
        return {key: value for key, value in self.__dict__.items() if key not in ("_gone", "_prefetcher")}

    def __setstate__(self, state: dict) -> None:
        self.__dict__.update(state)
        self._reset()


def _column(lists: list[list], kind: type) -> np.ndarray:
    return np.concatenate([np.asarray(rows, kind) for rows in lists]) if lists else np.zeros(0, kind)


def _read(path: Path, shard: RemoteShard, offset: int, size: int) -> bytes:
    """From a shard that is read where it lies."""
    try:
        with path.open("rb", buffering=0) as file:
            file.seek(offset)
            data = file.read(size)
    except OSError as error:
        raise Unavailable(shard.url, error.strerror or str(error)) from error
    if len(data) != size:
        raise Unavailable(
            shard.url, f"ends after {offset + len(data):,} bytes, and is {shard.size:,} by its index"
        )
    return data
