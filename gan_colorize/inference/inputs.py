"""INPUT arguments and lists to files: named ones, folders with all their subfolders, quoted globs."""

from __future__ import annotations

import glob
import os
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from ..data.image_io import IMAGE_SUFFIXES
from ..errors import UserError
from ..files import is_folder
from .search import Failures, Search, why_no_file

STDIN = "-"


@dataclass(frozen=True)
class Found:
    """An input file and the path below the output folder that it asks for."""

    source: Path
    relative: PurePath


def find_inputs(
    inputs: Sequence[str],
    output: Path,
    say: Callable[[str], None] = lambda line: None,
    listed: Sequence[str] = (),
) -> tuple[list[Found], Failures]:
    """Files for INPUT arguments: files as named, folders recursively, quoted globs with their tree; then
    those of ``listed``, which are no globs, with their tree below the folder that all of them have in common.

    Below a folder or glob only images count, hidden ones and those inside ``output`` do not; where
    ``output`` is inside the folder, neither do the results of earlier runs beside it, which ``say`` is told.
    Returns what was found, each file once, and (name, line) for every argument that gave nothing, every
    folder that cannot be read and everything called like an image that is no file.
    """
    found: list[Found] = []
    failures: Failures = []
    folders = [name for name in inputs if is_folder(name)]
    names = [Path(name) for name in inputs if why_no_file(name) is None]
    short_names = dict(zip(names, _short_names(names), strict=True))
    search = Search(output, say)
    for name in inputs:
        path, known = Path(name), len(search.failures)
        why = why_no_file(name)
        if why is None:
            new, problem = [Found(path, short_names[path])], ""
        elif is_folder(name):
            # Several folders keep their own names, or equal names inside them would meet.
            own = PurePath(_folder_name(path)) if len(folders) > 1 else PurePath()
            new = [Found(file, own / file.relative_to(path)) for file in search.images_below(path)]
            problem = f"{name}: no images in this folder ({', '.join(sorted(IMAGE_SUFFIXES))})"
        elif glob.has_magic(name) and not os.path.lexists(name):
            new = [Found(file, relative) for file, relative in search.expand(name)]
            problem = f"{name}: no image matches"
        else:
            new, problem = [], f"{name}: {why}"
        found += new
        failures += search.failures[known:]
        if not new and len(search.failures) == known:
            failures.append((name, problem))
    new, problems = _listed(listed, search)
    search.tell_links()
    unique = {os.path.realpath(one.source): one for one in reversed([*found, *new])}
    return list(reversed(unique.values())), list(dict([*failures, *problems]).items())


def read_list(source: str) -> list[str]:
    """The paths in a file, or on standard input for "-": one a line, or, where the content has null
    characters, one before each (``find -print0``).

    Lines may end as on Windows, blank ones and a byte order mark do not count. Names that are no UTF-8 stay
    what they are.

    Raises:
        UserError: it cannot be read, or there is no path in it.
    """
    called = "standard input" if source == STDIN else source
    try:
        if source == STDIN:
            content = sys.stdin.buffer.read()
        else:
            why = why_no_file(source)
            # a shell's <(command) is a pipe, and has an end
            if why and "pipe" not in why:
                raise UserError(f"--files-from {source}: {why}")
            if Path(source).suffix.lower() in IMAGE_SUFFIXES:
                raise UserError(f"--files-from {source}: is an image and no list; name it as INPUT")
            content = Path(source).read_bytes()
    except OSError as error:
        raise UserError(f"--files-from {source}: {error.strerror or error}") from error
    content = content.removeprefix(b"\xef\xbb\xbf")
    if b"\0" in content:
        if content.startswith((b"\xff\xfe", b"\xfe\xff")):
            raise UserError(f"--files-from {source}: is UTF-16; save it as UTF-8")
        lines = content.split(b"\0")
    else:
        lines = [line.removesuffix(b"\r") for line in content.split(b"\n")]
    names = [_path_of(line) for line in lines if line.strip()]
    if not names:
        raise UserError(f"--files-from {source}: no path in {called}")
    return names


def _path_of(line: bytes) -> str:
    # Windows has its names in Unicode, so that the list's bytes are UTF-8; elsewhere bytes are what names are
    return line.decode("utf-8", "surrogateescape") if sys.platform == "win32" else os.fsdecode(line)


def _listed(names: Sequence[str], search: Search) -> tuple[list[Found], Failures]:
    """Files of a list, and why others are none; what ``find`` lists may be folders, too."""
    files: dict[Path, None] = {}
    tops: set[str] = set()
    failures: Failures = []
    for name in names:
        path, known = Path(name), len(search.failures)
        why = why_no_file(name)
        if why is None:
            files[path] = None
            tops.add(_whole(path.parent))
        elif is_folder(name):
            files |= dict.fromkeys(search.images_below(path))
            tops.add(_whole(path))
            failures += search.failures[known:]
        else:
            failures.append((name, f"{name}: {why}"))
    relatives = _below_common(list(files), tops)
    return [Found(*pair) for pair in zip(files, relatives, strict=True)], failures


def _below_common(files: Sequence[Path], tops: set[str]) -> list[PurePath]:
    """Paths of files below the folder that all ``tops`` have in common; never with "..", for that would
    lead out of the output."""
    try:
        common = os.path.commonpath(tops) if tops else ""
    except ValueError:  # several drives
        whole = [Path(_whole(file)) for file in files]
        return [
            PurePath(path.drive.replace(":", "").replace("\\", "_").strip("_"), *path.parts[1:])
            for path in whole
        ]
    return [PurePath(os.path.relpath(file, common)) for file in files]


def _short_names(files: Sequence[Path]) -> list[PurePath]:
    """Named files' own names; with their folders below the common one where names repeat."""
    count = Counter(file.name for file in files)
    if all(number == 1 for number in count.values()):
        return [PurePath(file.name) for file in files]
    tree = _below_common(files, {_whole(file.parent) for file in files})
    return [
        PurePath(file.name) if count[file.name] == 1 else relative
        for file, relative in zip(files, tree, strict=True)
    ]


def _whole(path: Path) -> str:
    """From the root and without "..", by the words alone."""
    return os.path.normpath(path.absolute())


def _folder_name(folder: Path) -> str:
    return Path(os.path.realpath(folder)).name
