"""Films in: a video file through PyAV, frame by frame, or a folder of frames."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

from ...data.image_io import IMAGE_SUFFIXES, read_photo
from ...errors import UserError
from ...files import exists, is_folder
from .frame import Facts, Frame

# Of some frames in a row: pts, and frame.mark_of.
Tail = Sequence[tuple[int, int]]


class Source(Protocol):
    """Where frames come from.

    path: of the file or the folder. problems: what could not be read, a line each, as it is found.
    notes: what else should be known, likewise.
    """

    path: Path
    facts: Facts
    problems: list[str]
    notes: list[str]

    def frames(self, first: int = 0, tail: Tail = ()) -> Iterator[Frame]:
        """All frames in the order of their time, from number ``first`` on; ``tail`` is known of those just
        before it, in order, and may show a shorter way there."""
        ...

    def identity(self) -> str:
        """A hash that changes when the film does."""
        ...


def open_source(path: Path, rate: Fraction) -> Source:
    """The film at ``path``; ``rate`` is that of a folder's frames.

    Raises:
        UserError: nothing is there, it is no film, or PyAV is missing.
    """
    if is_folder(path):
        return FrameFolder(path, rate)
    if not exists(path):
        raise UserError(f"{path}: no such file or folder; name a video or a folder of frames")
    from .video_file import VideoFile

    return VideoFile(path)


class FrameFolder:
    """The images of one folder, without its subfolders, in the order in which people number them."""

    def __init__(self, path: Path, rate: Fraction) -> None:
        self.path, self.problems, self.notes = path, [], []
        try:
            names = [file for file in path.iterdir() if _is_frame(file)]
        except OSError as error:
            raise UserError(f"{path}: {error.strerror or error}") from error
        self.files = sorted(names, key=lambda file: natural(file.name))
        if not self.files:
            raise UserError(f"{path}: no images in this folder ({', '.join(sorted(IMAGE_SUFFIXES))})")
        size, bits = self._first()
        self.facts = Facts(size, 1 / rate, rate, len(self.files), bits)

    def frames(self, first: int = 0, tail: Tail = ()) -> Iterator[Frame]:
        for index, file in enumerate(self.files[first:], first):
            yield Frame(index, index, 1, lambda file=file: read_photo(file), file)

    def identity(self) -> str:
        about = [[file.name, *_stamp(file)] for file in self.files]
        return hashlib.sha256(json.dumps(about).encode()).hexdigest()

    def _first(self) -> tuple[tuple[int, int], int]:
        """Size and bits of the first image that can be read."""
        for file in self.files:
            try:
                photo = read_photo(file)
            except UserError:  # will be said when its turn comes
                continue
            return photo.size, photo.bits
        return (0, 0), 8


def file_identity(path: Path) -> str:
    """A hash of a film's size, time of change and both ends; not of all of its gigabytes."""
    size, changed = _stamp(path)
    with path.open("rb") as file:
        ends = [file.read(1 << 20)]
        file.seek(max(0, size - (1 << 20)))
        ends.append(file.read())
    return hashlib.sha256(json.dumps([size, changed]).encode() + b"".join(ends)).hexdigest()


def natural(name: str) -> list[Any]:
    """A key by which frame9 comes before frame10."""
    parts = re.split(r"(\d+)", name.casefold())
    return [*((int(part), part) if index % 2 else part for index, part in enumerate(parts)), name]


def _stamp(path: Path) -> tuple[int, int]:
    try:
        about = path.stat()
    except OSError:
        return 0, 0
    return about.st_size, about.st_mtime_ns


def _is_frame(file: Path) -> bool:
    return not file.name.startswith(".") and file.suffix.lower() in IMAGE_SUFFIXES and file.is_file()
