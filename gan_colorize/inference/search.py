"""Photographs below folders and globs, and why something there is none."""

from __future__ import annotations

import errno
import glob
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path, PurePath

from ..data.image_io import IMAGE_SUFFIXES
from ..errors import UserError
from ..files import is_file, is_folder
from .manifest import MANIFEST_NAMES
from .report import REPORT_NAMES

Failures = list[tuple[str, str]]

_KINDS = (
    (stat.S_ISDIR, "is a folder"),
    (stat.S_ISFIFO, "is a named pipe, not a photograph"),
    (stat.S_ISSOCK, "is a socket, not a photograph"),
    (stat.S_ISCHR, "is a device, not a photograph"),
    (stat.S_ISBLK, "is a device, not a photograph"),
)


def why_no_file(path: str | Path) -> str | None:
    """Why a path is no file that could be read to its end; None where it is one.

    It is not opened: opening a pipe that nobody writes to waits for ever.
    """
    try:
        mode = Path(path).stat().st_mode
    except ValueError:  # a null character
        return "no such file or folder"
    except OSError as error:
        if error.errno == errno.ELOOP:
            return "is a link that leads to itself"
        if error.errno == errno.ENOENT and Path(path).is_symlink():
            return f"is a link to {Path(path).readlink()}, which is not there"
        return "no such file or folder" if error.errno == errno.ENOENT else str(error.strerror or error)
    if stat.S_ISREG(mode):
        return None
    return next((words for is_kind, words in _KINDS if is_kind(mode)), "is not a regular file")


class Search:
    """Images below folders and globs. Hidden ones do not count, nor those inside ``output``; where ``output``
    is inside the folder, neither do results of earlier runs beside it, which ``say`` is told.

    failures: what could not be read. links: links to folders, which are not followed: they may lead in
    circles, or to what was found already.
    """

    def __init__(self, output: Path, say: Callable[[str], None]) -> None:
        self.output, self.say = os.path.realpath(output), say
        self.failures: Failures = []
        self.links: dict[str, None] = {}
        self._entered: dict[Path, bool] = {}

    def images_below(self, folder: Path, top: Path | None = None) -> list[Path]:
        """Images in a folder and its subfolders; ``top`` is where the search began."""
        images, top = [], top or folder
        for where, folders, files in os.walk(folder, onerror=self._cannot_read):
            kept = []
            for name in sorted(folders):
                path = Path(where, name)
                if path.is_symlink():
                    if not name.startswith("."):
                        self.links[str(path)] = None
                elif self._enters(path, top):
                    kept.append(name)
            folders[:] = kept
            images += [Path(where, name) for name in sorted(files) if _is_image(name)]
        return self._regular(images)

    def expand(self, pattern: str) -> list[tuple[Path, PurePath]]:
        """Images of a glob, and their paths below its last folder without a wildcard."""
        parts = Path(pattern).parts
        fixed = next(index for index, part in enumerate(parts) if glob.has_magic(part))
        base = Path(*parts[:fixed]) if fixed else Path()
        try:
            matches = sorted(base.glob(str(PurePath(*parts[fixed:]))))
        except ValueError as error:  # such as "**x" before Python 3.13
            raise UserError(f"{pattern}: {error}") from error
        # pathlib passes in silence over folders that cannot be read
        if "**" in parts:
            for _ in os.walk(base, onerror=self._cannot_read):
                pass
        else:
            next(os.walk(base, onerror=self._cannot_read), None)
        files: list[Path] = []
        for path in matches:
            if not all(self._enters(above, base) for above in _between(base, path)):
                continue
            if is_folder(path):
                files += self.images_below(path, base) if self._enters(path, base) else []
            elif _is_image(path.name):
                files += self._regular([path])
        return [(file, file.relative_to(base)) for file in files]

    def tell_links(self) -> None:
        """Say once that links were not followed."""
        if self.links:
            first, *others = self.links
            more = f" and {len(others)} more" if others else ""
            self.say(f"{first}{more}: links to folders are not followed; name what they lead to")

    def _regular(self, files: list[Path]) -> list[Path]:
        kept = []
        for file in files:
            why = why_no_file(file)
            if why is None:
                kept.append(file)
            else:
                self.failures.append((str(file), f"{file}: {why}"))
        return kept

    def _enters(self, folder: Path, top: Path) -> bool:
        """Whether a subfolder of ``top`` is looked into."""
        if folder not in self._entered:
            self._entered[folder] = self._decide(folder, top)
        return self._entered[folder]

    def _decide(self, folder: Path, top: Path) -> bool:
        if folder.name.startswith("."):  # a shell's * leaves it out, Python's does not
            return False
        if not is_inside(self.output, os.path.realpath(top)):
            return True  # also for a glob that points into the output folder itself
        if os.path.realpath(folder) == self.output:
            return False
        # a run that was killed has no report
        if any(is_file(folder / name) for name in (*REPORT_NAMES.values(), *MANIFEST_NAMES.values())):
            self.say(f"{folder}: left out, it has the results of an earlier run")
            return False
        return True

    def _cannot_read(self, error: OSError) -> None:
        self.failures.append((str(error.filename), f"{error.filename}: {error.strerror or error}"))


def is_inside(path: str, folder: str) -> bool:
    """Whether a real path is below that of a folder."""
    return path.startswith(folder.rstrip(os.sep) + os.sep)


def _between(base: Path, path: Path) -> Iterator[Path]:
    """The folders below ``base`` on the way to ``path``, without either."""
    parts = path.relative_to(base).parts
    return (base.joinpath(*parts[:count]) for count in range(1, len(parts)))


def _is_image(name: str) -> bool:
    return not name.startswith(".") and Path(name).suffix.lower() in IMAGE_SUFFIXES
