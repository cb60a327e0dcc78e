"""INPUT arguments to files: named ones, folders with all their subfolders, quoted globs."""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath

from ..data.image_io import IMAGE_SUFFIXES
from ..errors import UserError
from ..files import exists, is_file, is_folder
from .report import REPORT_NAMES

Failures = list[tuple[str, str]]


@dataclass(frozen=True)
class Found:
    """An input file and the path below the output folder that it asks for."""

    source: Path
    relative: PurePath


def find_inputs(
    inputs: list[str], output: Path, say: Callable[[str], None] = lambda line: None
) -> tuple[list[Found], Failures]:
    """Files for INPUT arguments: files as named, folders recursively, quoted globs with their tree.

    Below a folder or glob only images count, hidden ones and those inside ``output`` do not; where
    ``output`` is inside the folder, neither do the results of earlier runs beside it, which ``say`` is told.
    Returns what was found, each file once, and (name, line) for every argument that gave nothing and every
    folder that cannot be read.
    """
    found: list[Found] = []
    failures: Failures = []
    folders = [name for name in inputs if is_folder(name)]
    names = [Path(name) for name in inputs if is_file(name)]
    for name in inputs:
        path, search = Path(name), _Search(output, say)
        if is_folder(name):
            # Several folders keep their own names, or equal names inside them would meet.
            own = PurePath(_folder_name(path)) if len(folders) > 1 else PurePath()
            new = [Found(file, own / file.relative_to(path)) for file in search.images_below(path)]
            problem = f"{name}: no images in this folder ({', '.join(sorted(IMAGE_SUFFIXES))})"
        elif exists(name):
            new, problem = [Found(path, _short_name(path, names))], ""
        elif glob.has_magic(name):
            new, problem = search.expand(name), f"{name}: no image matches"
        else:
            new, problem = [], f"{name}: {_why_absent(name)}"
        found += new
        failures += search.unreadable
        if not new and not search.unreadable:
            failures.append((name, problem))
    unique = {os.path.realpath(one.source): one for one in reversed(found)}
    return list(reversed(unique.values())), list(dict(failures).items())


class _Search:
    """Images below a folder or glob, and the folders that could not be read."""

    def __init__(self, output: Path, say: Callable[[str], None]) -> None:
        self.output, self.say = os.path.realpath(output), say
        self.unreadable: Failures = []
        self._entered: dict[Path, bool] = {}

    def images_below(self, folder: Path, top: Path | None = None) -> list[Path]:
        """Images in a folder and its subfolders; ``top`` is where the search began."""
        images, top = [], top or folder
        for where, folders, files in os.walk(folder, onerror=self._cannot_read):
            folders[:] = [name for name in sorted(folders) if self._enters(Path(where, name), top)]
            images += [Path(where, name) for name in sorted(files) if _is_image(name)]
        return images

    def expand(self, pattern: str) -> list[Found]:
        """Images of a glob; their tree below its last folder without a wildcard is kept."""
        parts = Path(pattern).parts
        fixed = next(index for index, part in enumerate(parts) if glob.has_magic(part))
        base = Path(*parts[:fixed]) if fixed else Path()
        try:
            matches = sorted(base.glob(str(PurePath(*parts[fixed:]))))
        except ValueError as error:  # such as "**x" before Python 3.13
            raise UserError(f"{pattern}: {error}") from error
        # pathlib passes in silence over folders that cannot be read
        if "**" in parts:
            self.images_below(base)
        else:
            next(os.walk(base, onerror=self._cannot_read), None)
        files: list[Path] = []
        for path in matches:
            if not all(self._enters(above, base) for above in _between(base, path)):
                continue
            if is_folder(path):
                files += self.images_below(path, base) if self._enters(path, base) else []
            elif _is_image(path.name):
                files.append(path)
        return [Found(file, file.relative_to(base)) for file in files]

    def _enters(self, folder: Path, top: Path) -> bool:
        """Whether a subfolder of ``top`` is looked into."""
        if folder not in self._entered:
            self._entered[folder] = self._decide(folder, top)
        return self._entered[folder]

    def _decide(self, folder: Path, top: Path) -> bool:
        if folder.name.startswith("."):  # a shell's * leaves it out, Python's does not
            return False
        if not _is_inside(self.output, os.path.realpath(top)):
            return True  # also for a glob that points into the output folder itself
        if os.path.realpath(folder) == self.output:
            return False
        if any(is_file(folder / name) for name in REPORT_NAMES.values()):
            self.say(f"{folder}: left out, it has the results of an earlier run")
            return False
        return True

    def _cannot_read(self, error: OSError) -> None:
        self.unreadable.append((str(error.filename), f"{error.filename}: {error.strerror or error}"))


def _between(base: Path, path: Path) -> Iterator[Path]:
    """The folders below ``base`` on the way to ``path``, without either."""
    parts = path.relative_to(base).parts
    return (base.joinpath(*parts[:count]) for count in range(1, len(parts)))


def _is_inside(path: str, folder: str) -> bool:
    return path.startswith(folder.rstrip(os.sep) + os.sep)


def _why_absent(name: str) -> str:
    try:
        Path(name).stat()
    except PermissionError as error:
        return str(error.strerror)
    except (OSError, ValueError):
        pass
    return "no such file or folder"


def _is_image(name: str) -> bool:
    return not name.startswith(".") and Path(name).suffix.lower() in IMAGE_SUFFIXES


def _folder_name(folder: Path) -> str:
    return Path(os.path.realpath(folder)).name


def _short_name(file: Path, files: list[Path]) -> PurePath:
    """A named file's own name; with its folders below the common one where names repeat."""
    if sum(other.name == file.name for other in files) == 1:
        return PurePath(file.name)
    common = os.path.commonpath([other.parent.absolute() for other in files])
    return PurePath(os.path.relpath(file.absolute(), common))
