"""Tar shards in the WebDataset convention, indexed for random access.

WebDataset streams shards from front to back. Training here draws images in an order that is a function of
the seed alone and resumes in the middle of an epoch, which needs an index: the member offsets are read once
from the tar headers, and grouping and naming follow the package's own rules.
"""

from __future__ import annotations

import hashlib
import logging
import tarfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ..errors import UserError
from .opening import IMAGE_SUFFIXES
from .ranges import FileRanges

_log = logging.getLogger(__name__)


def expand_shards(pattern: str) -> list[Path]:
    """Paths that a WebDataset pattern names: ``a-{000..012}.tar``, ``::`` between several patterns.

    Raises:
        UserError: the pattern cannot be read.
    """
    from braceexpand import UnbalancedBracesError
    from webdataset.shardlists import expand_urls

    try:
        return [Path(url).expanduser() for url in expand_urls(pattern)]
    except UnbalancedBracesError as error:
        raise UserError(f"{pattern}: unbalanced braces in the shard pattern") from error


class ShardSource:
    """The images of some tar shards: one a sample, the member whose extension is an image's."""

    def __init__(self, shards: list[Path]) -> None:
        self.shards = shards
        self._ranges = FileRanges(shards)
        self._members: list[str] = []
        where: list[tuple[int, int, int]] = []
        digest = hashlib.sha256()
        for number, shard in enumerate(shards):
            try:
                status = shard.stat()
            except OSError as error:
                raise UserError(f"{shard}: {error.strerror or error}") from error
            digest.update(f"{shard.name} {status.st_size} {status.st_mtime_ns}\n".encode())
            for member, offset, size in members_of(shard):
                self._members.append(member)
                where.append((number, offset, size))
        if not where:
            raise UserError(f"{shards[0]}: no images in {len(shards)} shard(s) ({' '.join(IMAGE_SUFFIXES)})")
        self._where = np.array(where, dtype=np.int64)
        self._fingerprint = digest.hexdigest()

    def __len__(self) -> int:
        return len(self._members)

    def name(self, i: int) -> str:
        return f"{self.shards[self._where[i, 0]]}/{self._members[i]}"

    def read(self, i: int) -> bytes:
        number, offset, size = (int(v) for v in self._where[i])
        try:
            return self._ranges.read(number, offset, size)
        except OSError as error:
            raise UserError(f"{self.name(i)}: {error.strerror or error}") from error

    def fingerprint(self) -> str:
        return self._fingerprint


def members_of(shard: Path) -> Iterator[tuple[str, int, int]]:
    """(member name, offset, size) of the image of every sample in a shard."""
    from webdataset.tariterators import group_by_keys

    def report(error: Exception) -> bool:
        _log.warning("%s: %s; skipped", shard, error.args[0] if error.args else error)
        return True

    for sample in group_by_keys(_members(shard), handler=report):
        for suffix in IMAGE_SUFFIXES:
            if suffix[1:] in sample:
                yield sample[suffix[1:]]
                break


def _members(shard: Path) -> Iterator[dict]:
    """Regular members in the form that webdataset groups; the data is where to find it."""
    try:
        with tarfile.open(shard, mode="r:") as archive:
            for member in archive:
                name = member.name
                if not member.isreg() or name.startswith("__") or Path(name).name.startswith("."):
                    continue
                yield {"fname": name, "data": (name, member.offset_data, member.size), "__url__": str(shard)}
                archive.members = []  # tarfile would keep every header in memory
    except (tarfile.TarError, EOFError) as error:
        if isinstance(error, tarfile.ReadError) and "unexpected end" not in str(error):
            raise UserError(f"{shard}: not an uncompressed tar archive ({error})") from error
        _log.warning("%s is cut short (%s); the images before the cut are used", shard, error)
    except OSError as error:
        raise UserError(f"{shard}: {error.strerror or error}") from error
