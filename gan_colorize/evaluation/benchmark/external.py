"""Results of a colorizer that is not ours: a folder of pictures, matched with the photographs by name."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import numpy as np

from ...data.folder import FileSource, open_source
from ...data.image_io import read_rgb8
from ...errors import UserError
from ..frames import Frame, resize_picture

if TYPE_CHECKING:
    from ...data.folder import ImageSource

_NAMED = 3  # examples in a message


@dataclass(frozen=True)
class Matches:
    """of: result's path by the photograph's position; missing: names of photographs without a result;
    extra: results that belong to no photograph, by their path in the folder."""

    of: dict[int, str]
    missing: list[str] = field(default_factory=list)
    extra: list[str] = field(default_factory=list)


class ExternalResults:
    """A folder of results.

    Raises:
        UserError: nothing there is a picture.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        source = open_source(self.folder)
        if not self.folder.is_dir() or not isinstance(source, FileSource):
            raise UserError(f"--external {folder}: must be a folder of picture files")
        self.paths = source.paths
        self.fingerprint = source.fingerprint()

    def match(self, source: ImageSource, indices: list[int]) -> Matches:
        """Which result belongs to which photograph of the source; ``indices``: those that need one.

        The longest end of the path that agrees decides (``b/c`` before ``c``), with the file's suffix before
        without it: results may be PNG where photographs are JPEG, and lie flat where those lie in folders.

        Raises:
            UserError: two results could be meant, or two photographs would share one.
        """
        ends: dict[str, list[str]] = defaultdict(list)
        for path in self.paths:
            parts = Path(path).relative_to(self.folder).parts
            for end in _ends(parts):
                ends[end].append(path)
        found: dict[int, str] = {}
        missing, owner = [], {}
        needed = set(indices)
        for index in range(len(source)):
            name = source.name(index)
            parts = PurePosixPath(name.replace("\\", "/")).parts
            path = next((self._only(ends[end], name) for end in _ends(parts) if end in ends), None)
            if path is None:
                missing += [name] if index in needed else []
            elif path in owner:
                raise UserError(
                    f"--external {self.folder}: {Path(path).name} could belong to {owner[path]} and to "
                    f"{name}; "
                    "keep the photographs' folders in the results"
                )
            else:
                found[index] = path
                owner[path] = name
        extra = [str(Path(p).relative_to(self.folder)) for p in self.paths if p not in owner]
        return Matches(found, missing, extra)

    def _only(self, paths: list[str], name: str) -> str:
        if len(paths) > 1:
            both = " and ".join(str(Path(path).relative_to(self.folder)) for path in paths[:2])
            raise UserError(f"--external {self.folder}: both {both} could be the result for {name}")
        return paths[0]


def _ends(parts: tuple[str, ...]) -> list[str]:
    """a/b/c.png: a/b/c.png, a/b/c, b/c.png, b/c, c.png, c; the stars keep names and stems apart."""
    ends = []
    for start in range(len(parts)):
        whole = PurePosixPath(*parts[start:])
        ends += [str(whole), "*" + str(whole.with_suffix(""))]
    return ends


def missing_line(matches: Matches, total: int) -> str:
    """Why results do not cover the photographs."""
    names = ", ".join(matches.missing[:_NAMED]) + (", ..." if len(matches.missing) > _NAMED else "")
    return f"{len(matches.missing)} of {total} photographs have no result: {names}; every row needs them all"


def extra_line(matches: Matches) -> str:
    """What is there without being asked for."""
    names = ", ".join(matches.extra[:_NAMED]) + (", ..." if len(matches.extra) > _NAMED else "")
    return f"{len(matches.extra)} results belong to no photograph and were not used: {names}"


def read_result(path: str, frame: Frame, mode: str, size: int) -> tuple[np.ndarray, str]:
    """The result (H, W, 3) uint8 as it is measured, and its file's sha256.

    One of its photograph's size is cropped or resized as the photograph was; one that has the measured size
    already is taken as it is.

    Raises:
        UserError: unreadable, or of another size.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}") from error
    try:
        rgb8 = read_rgb8(content)
    except (UserError, OSError) as error:
        raise UserError(f"{path}: {' '.join(str(error).split())}") from error
    shape, wanted = rgb8.shape[:2], frame.rgb8.shape[:2]
    if shape == frame.shape:
        rgb8 = resize_picture(rgb8, mode, size)
    elif shape != wanted:
        sizes = {f"{width}x{height}" for height, width in (frame.shape, wanted)}
        raise UserError(
            f"{path}: is {shape[1]}x{shape[0]}; the result for {frame.name} must be "
            f"{' or '.join(sorted(sizes))}"
        )
    return rgb8, hashlib.sha256(content).hexdigest()
