"""Where images come from: folders, list files, single files, tar shards, and several of them joined."""

from __future__ import annotations

import bisect
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Protocol

import numpy as np

from ..errors import UserError
from .opening import IMAGE_SUFFIXES


def evenly_spread(total: int, count: int) -> list[int]:
    """``count`` of the numbers 0..total-1, the first and the last among them; all when there are fewer."""
    return np.linspace(0, total - 1, min(count, total)).round().astype(int).tolist()


class ImageSource(Protocol):
    """A numbered collection of encoded images; pickles, so that worker processes can read it too."""

    def __len__(self) -> int: ...

    def name(self, i: int) -> str:
        """What to call image ``i`` in messages and reports: a path, or ``shard.tar/member``."""

    def read(self, i: int) -> bytes:
        """The encoded file. Raises UserError when it is gone."""

    def fingerprint(self) -> str:
        """Changes when files are added, removed, resized or rewritten; the content is not read."""


class FileSource:
    """Image files on disk; ``root`` is what their names in the fingerprint are relative to."""

    def __init__(self, paths: Sequence[Path], root: Path) -> None:
        self.root = root
        self.paths = [str(path) for path in paths]

    def __len__(self) -> int:
        return len(self.paths)

    def name(self, i: int) -> str:
        return self.paths[i]

    def read(self, i: int) -> bytes:
        try:
            return Path(self.paths[i]).read_bytes()
        except OSError as error:
            raise UserError(f"{self.paths[i]}: {error.strerror or error}") from error

    def fingerprint(self) -> str:
        return _fingerprint_files(self.paths, self.root)


class JoinedSource:
    """Several sources one after the other."""

    def __init__(self, sources: Sequence[ImageSource]) -> None:
        self.sources = list(sources)
        self._ends = list(accumulate(len(source) for source in self.sources))

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def _locate(self, i: int) -> tuple[ImageSource, int]:
        if not 0 <= i < len(self):
            raise IndexError(f"image {i} of {len(self)}")
        which = bisect.bisect_right(self._ends, i)
        return self.sources[which], i - (self._ends[which - 1] if which else 0)

    def name(self, i: int) -> str:
        source, inner = self._locate(i)
        return source.name(inner)

    def read(self, i: int) -> bytes:
        source, inner = self._locate(i)
        return source.read(inner)

    def fingerprint(self) -> str:
        return hashlib.sha256("\n".join(s.fingerprint() for s in self.sources).encode()).hexdigest()


def open_source(path: Path | str, open_url: Callable[[str], ImageSource] | None = None) -> ImageSource:
    """Open one place that holds images.

    Args:
        path: a folder (searched recursively, in sorted order; images and ``.tar`` shards may be mixed), a
            ``.tar`` shard, a brace pattern such as ``shards/x-{000000..000029}.tar``, a ``.txt`` file with
            one path a line (relative to that file), one image, or the address of shards as WebDataset has
            it (a text: ``https://``, ``s3://``, ``gs://``, ``pipe:``, ``file:`` ..., with braces and ``::``).
        open_url: opens addresses; default :func:`~gan_colorize.data.remote_open.open_remote`.

    Raises:
        UserError: nothing is there, or nothing there is an image.
    """
    from .shards import ShardSource, expand_shards
    from .urls import is_url

    if is_url(path):
        from .remote_open import open_remote

        return (open_url or open_remote)(str(path))
    text, path = str(path), Path(path).expanduser()
    if not path.exists() and ("{" in text or "::" in text):
        return ShardSource(expand_shards(text))
    if path.is_dir():
        return _open_folder(path)
    if not path.is_file():
        raise UserError(f"{path}: no such file or folder")
    suffix = path.suffix.lower()
    if suffix == ".tar":
        return ShardSource([path])
    if path.name.lower().endswith((".tar.gz", ".tgz", ".tar.xz", ".tar.bz2", ".tar.zst", ".zip")):
        raise UserError(
            f"{path}: compressed archives cannot be read in random order; unpack it or make a .tar"
        )
    if suffix == ".txt":
        return _open_list(path)
    if suffix not in IMAGE_SUFFIXES:
        raise UserError(f"{path}: not an image, .tar shard, .txt list or folder ({_known()})")
    return FileSource([path], path.parent)


def open_sources(
    paths: Iterable[Path | str], open_url: Callable[[str], ImageSource] | None = None
) -> ImageSource:
    """Open several places as one source, in the order given; see :func:`open_source`."""
    sources = [open_source(path, open_url) for path in paths]
    if not sources:
        raise UserError("no data given: name a folder, a list file or tar shards")
    return sources[0] if len(sources) == 1 else JoinedSource(sources)


def _open_folder(folder: Path) -> ImageSource:
    from .shards import ShardSource

    files = sorted(_walk(folder))
    shards = [path for path in files if path.suffix.lower() == ".tar"]
    images = [path for path in files if path.suffix.lower() in IMAGE_SUFFIXES]
    sources: list[ImageSource] = []
    if images:
        sources.append(FileSource(images, folder))
    if shards:
        sources.append(ShardSource(shards))
    if not sources:
        raise UserError(f"{folder}: no images in this folder or below it ({_known()} or .tar)")
    return sources[0] if len(sources) == 1 else JoinedSource(sources)


def _open_list(path: Path) -> ImageSource:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: a list of paths must be UTF-8 text, one path a line") from error
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}") from error
    paths = [path.parent / line.strip() for line in lines if line.strip()]
    if not paths:
        raise UserError(f"{path}: the list is empty; write one image path a line")
    return FileSource(paths, path.parent)


def _walk(folder: Path) -> Iterator[Path]:
    """Files below ``folder``; follows links once, skips hidden files and what archivers of macOS leave."""
    seen: set[str] = set()
    for where, folders, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(where)
        if real in seen:  # a link that leads back up
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(f for f in folders if not f.startswith(".") and f != "__MACOSX")
        yield from (Path(where, name) for name in names if not name.startswith("."))


def _fingerprint_files(paths: Sequence[str], root: Path) -> str:
    digest = hashlib.sha256()
    for path in paths:
        try:
            status = Path(path).stat()
            state = f"{status.st_size} {status.st_mtime_ns}"
        except OSError:
            state = "missing"
        digest.update(
            f"{Path(os.path.relpath(path, root)).as_posix()} {state}\n".encode(errors="surrogateescape")
        )
    return digest.hexdigest()


def _known() -> str:
    return " ".join(IMAGE_SUFFIXES)
