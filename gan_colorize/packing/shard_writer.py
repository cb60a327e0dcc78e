"""Tar shards, byte for byte a function of what goes in."""

from __future__ import annotations

import hashlib
import os
import tarfile
from contextlib import suppress
from pathlib import Path
from types import TracebackType

import numpy as np

from ..data.shard_index import ShardIndex, ShardRecord
from ..errors import UserError
from ..files import PART

_BLOCK = tarfile.BLOCKSIZE


class ShardWriter:
    """One shard under way. Its name appears when it is whole; left early, nothing stays of it.

    Raises:
        UserError: the disk is full, or the folder cannot be written.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self.path, self._part = folder / name, folder / f"{PART}{name}"
        self.index = ShardIndex([ShardRecord(name)])
        self._digest = hashlib.sha256()
        self._file = None
        try:
            self._file = self._part.open("wb")
        except OSError as error:
            raise self._failed(error) from error

    @property
    def record(self) -> ShardRecord:
        """What is in it so far; ``bytes`` is up to date."""
        return self.index.records[0]

    def add(
        self, member: str, data: bytes, width: int, height: int, colourfulness: float, histogram: np.ndarray
    ) -> None:
        """Append one image."""
        info = tarfile.TarInfo(member)  # with owner 0, time 0 and mode 644
        info.size = len(data)
        header = info.tobuf(tarfile.USTAR_FORMAT)
        offset = self.record.bytes + len(header)
        self._write(header + data + bytes(-len(data) % _BLOCK))
        self.record.add(member, offset, len(data), width, height, colourfulness)
        self.index.count(colourfulness, histogram)

    def finish(self) -> None:
        """Write the end, and give the shard its name."""
        end = 2 * _BLOCK
        self._write(bytes(end + -(self.record.bytes + end) % tarfile.RECORDSIZE))
        self.record.sha256 = self._digest.hexdigest()
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            self._part.replace(self.path)
        except OSError as error:
            raise self._failed(error) from error
        self._file = None

    def _write(self, data: bytes) -> None:
        try:
            self._file.write(data)
        except OSError as error:
            raise self._failed(error) from error
        self._digest.update(data)
        self.record.bytes += len(data)

    def _failed(self, error: OSError) -> UserError:
        return UserError(f"cannot write {self.path}: {error.strerror or error}")

    def __enter__(self) -> ShardWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            with suppress(OSError):  # a full disk fails again
                self._file.close()
            self._part.unlink(missing_ok=True)
