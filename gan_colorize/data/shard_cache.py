"""Shards from far away, whole, in a folder of bounded size that all processes of a machine share.

A shard is fetched by one process, under a lock; others wait for it. What was used longest ago leaves first.
Readers hold no file open between two reads, so a shard that left takes no room any more.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from ..errors import UserError
from ..files import PART, save_bytes
from ..locks import lock, unlock
from . import download as downloads
from .download import Unavailable, download

# A shard that could not be had is not asked for again for so many seconds, by any process.
PAUSE_AFTER_FAILURE = 600.0
_POLL = 0.02
_TOUCH_EVERY = 1.0
# Places of a growing file are reserved in steps: each takes a look at the whole folder.
_STEP = 1 << 24
_WAIT_FOR_ROOM = 120.0


@dataclass(frozen=True)
class RemoteShard:
    """url; bytes and sha256 where they are known, and a shard's place in the cache is its content's."""

    url: str
    size: int | None = None
    sha256: str | None = None

    @property
    def key(self) -> str:
        """What the cache calls it: mirrors of one shard share a place."""
        return hashlib.sha256((self.sha256 or self.url).encode(errors="surrogateescape")).hexdigest()[:32]


class ShardCache:
    """See above. Pickles; holds no open file.

    Args:
        folder: made when it is needed.
        gigabytes: the most that the shards in it take, those under way included.
    """

    def __init__(self, folder: Path, gigabytes: float) -> None:
        self.folder, self.limit = folder, round(gigabytes * 1e9)
        self._failed: dict[str, tuple[float, str]] = {}
        self._touched: dict[str, float] = {}
        self._in_a_row = 0  # failures: whoever is away is not waited for anew with every shard

    def read(self, shard: RemoteShard, offset: int, size: int) -> bytes:
        """Bytes of a shard, fetched first if need be.

        Raises:
            Unavailable: it cannot be had.
        """
        for _ in range(3):  # another process may make it leave between fetching and reading
            try:
                data = self._read_at(shard, offset, size)
            except FileNotFoundError:
                self.fetch(shard)
                continue
            except OSError as error:
                raise Unavailable(shard.url, f"its copy cannot be read: {error.strerror or error}") from error
            if len(data) == size:
                return data
            with suppress(OSError):  # a disk that lost the end of a file
                self.path(shard).unlink()
        raise Unavailable(
            shard.url, "leaves the cache before it is read; raise data.shard_cache_gigabytes or free the disk"
        )

    def _read_at(self, shard: RemoteShard, offset: int, size: int) -> bytes:
        with self.path(shard).open("rb", buffering=0) as file:
            now = time.monotonic()
            if now - self._touched.get(shard.key, -_TOUCH_EVERY) >= _TOUCH_EVERY:
                self._touched[shard.key] = now
                with suppress(OSError):
                    os.utime(self.path(shard))
            file.seek(offset)
            return file.read(size)

    def path(self, shard: RemoteShard) -> Path:
        """Where a shard is while it is here."""
        return self.folder / f"{shard.key}.tar"

    def has(self, shard: RemoteShard) -> bool:
        """Whether it is here now."""
        return self.path(shard).is_file()

    def fetch(self, shard: RemoteShard, wait: bool = True) -> Path | None:
        """See that a shard is here.

        Args:
            wait: for another process that fetches it; otherwise None is returned at once.

        Raises:
            Unavailable: it cannot be had, or could not be a while ago.
        """
        self.raise_if_failed(shard)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with self._locked(f"{shard.key}.lock", wait) as mine:
                if not mine:
                    return None
                path = self.path(shard)
                if not path.is_file():
                    self.raise_if_failed(shard)  # whoever had the lock may just have failed
                    self._fetch(shard, path)
                return path
        except OSError as error:
            raise self._fail(shard, f"cannot be kept in {self.folder}: {error.strerror or error}") from error

    def _fetch(self, shard: RemoteShard, path: Path) -> None:
        part = self.folder / f"{PART}{shard.key}.tar"
        try:
            with suppress(FileNotFoundError):  # of a process that was killed
                part.unlink()
            download(
                shard.url,
                part,
                size=shard.size,
                sha256=shard.sha256,
                room=self._reservation(shard, part),
                patience=downloads.PATIENCE.after(self._in_a_row),
            )
            part.replace(path)
            self._in_a_row = 0
        except Unavailable as error:
            self._in_a_row += 1
            raise self._fail(shard, error.reason) from error
        finally:
            with suppress(OSError):
                part.unlink()

    def _reservation(self, shard: RemoteShard, part: Path) -> Callable[[int], None]:
        """What makes room before bytes are written: the part file is made as long as it may become."""
        reserved = 0

        def reserve(size: int) -> None:
            nonlocal reserved
            if size <= reserved:
                return
            if size > self.limit:
                raise Unavailable(
                    shard.url, f"takes {size / 1e9:.3g} GB, and data.shard_cache_gigabytes allows fewer"
                )
            wanted = size if shard.size else min(-(-size // _STEP) * _STEP, self.limit)
            end = time.monotonic() + _WAIT_FOR_ROOM
            while not self._make_room(wanted, part):
                if time.monotonic() > end:
                    raise Unavailable(
                        shard.url, "no room: other shards under way fill data.shard_cache_gigabytes"
                    )
                time.sleep(_POLL)
            reserved = wanted

        return reserve

    def _make_room(self, wanted: int, part: Path) -> bool:
        """Let shards leave until ``wanted`` bytes fit beside what is there and under way, and hold the place;
        False when what is under way leaves too little."""
        with self._locked("room.lock", True):
            there = [(path, path.stat()) for path in self._files() if path != part]
            total = sum(status.st_size for _, status in there)
            for path, status in sorted(there, key=lambda item: item[1].st_mtime):
                if total + wanted <= self.limit:
                    break
                if self._leave(path):
                    total -= status.st_size
            if total + wanted > self.limit:
                return False
            with part.open("ab") as file:
                if file.tell() < wanted:
                    file.truncate(wanted)
            return True

    def _files(self) -> Iterator[Path]:
        for path in self.folder.iterdir():
            if path.suffix == ".tar" and path.is_file():
                yield path

    def _leave(self, path: Path) -> bool:
        """Delete a shard, or the part of one whose process is gone; whether that could be done."""
        try:
            if not path.name.startswith(PART):
                path.unlink()
                return True
            with self._locked(f"{path.stem.removeprefix(PART)}.lock", False) as free:
                if free:
                    path.unlink()
                return free
        except FileNotFoundError:
            return True
        except OSError:  # open in another process on Windows
            return False

    def raise_if_failed(self, shard: RemoteShard) -> None:
        """Raise Unavailable while a failure is fresh: this process's or another's."""
        known = self._failed.get(shard.key)
        if known is None:
            with suppress(OSError, ValueError, KeyError, TypeError):
                found = json.loads((self.folder / f"{shard.key}.failed").read_text(encoding="utf-8"))
                known = self._failed[shard.key] = (float(found["time"]), str(found["reason"]))
        if known is None:
            return
        if 0 <= time.time() - known[0] < PAUSE_AFTER_FAILURE:
            raise Unavailable(shard.url, known[1])
        del self._failed[shard.key]
        with suppress(OSError):
            (self.folder / f"{shard.key}.failed").unlink()

    def _fail(self, shard: RemoteShard, reason: str) -> Unavailable:
        """Remember a failure, here and for other processes."""
        self._failed[shard.key] = (time.time(), reason)
        note = json.dumps({"time": time.time(), "reason": reason})
        with suppress(UserError):
            save_bytes(self.folder / f"{shard.key}.failed", note.encode())
        return Unavailable(shard.url, reason)

    def forget_failures(self) -> None:
        """A run begins: whatever failed for an earlier one is asked for again."""
        self._failed.clear()
        for path in self.folder.glob("*.failed"):
            with suppress(OSError):
                path.unlink()

    @contextmanager
    def _locked(self, name: str, wait: bool) -> Iterator[bool]:
        """Hold a lock of this machine; False when another has it and ``wait`` is not asked for."""
        with (self.folder / name).open("ab") as file:
            while (held := lock(file.fileno())) is False and wait:
                time.sleep(_POLL)
            try:
                yield held is not False  # no locks on this file system: fetched twice at worst
            finally:
                if held:
                    unlock(file.fileno())
