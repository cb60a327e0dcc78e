"""The opened folder as the browser sees it: relative names of images, and no way out."""

from __future__ import annotations

import os
import re
from pathlib import Path, PureWindowsPath

from ..data.opening import IMAGE_SUFFIXES
from ..errors import UserError
from ..files import is_file

PAGE = 200


class Outside(UserError):
    """A name that leads out of the folder, or is no plain name."""


class Folder:
    """The images below a folder, by their relative names with "/" between the parts.

    Raises:
        UserError: it cannot be listed.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(os.path.realpath(path))
        self.name = self.path.name or str(self.path)
        try:
            os.scandir(self.path).close()
        except OSError as error:
            raise UserError(f"{path}: {error.strerror or error}") from error
        self._names: list[str] = []

    def page(self, after: str = "", count: int = PAGE) -> tuple[list[str], bool]:
        """Names after ``after`` in their order, at most ``count``, and whether there are more.

        The folder is read anew when the list is asked for from its beginning.
        """
        if not after or not self._names:
            self._names = sorted(self._walk())
        later = [name for name in self._names if name > after]
        return later[:count], len(later) > count

    def resolve(self, name: str) -> Path:
        """The file of a name that came from a browser.

        Raises:
            Outside: the name is no plain relative one, is no image's, or a link leads out of the folder.
            FileNotFoundError: there is no such file.
        """
        if not _is_plain(name) or Path(name).suffix.lower() not in IMAGE_SUFFIXES:
            raise Outside("not the name of an image in the opened folder")
        try:
            path = Path(os.path.realpath(self.path / name, strict=True))
        except OSError as error:  # not there, a loop of links, too long, in a folder that may not be entered
            raise FileNotFoundError("no such image in the opened folder") from error
        if not path.is_relative_to(self.path):
            raise Outside("leads out of the opened folder")
        if not path.is_file():
            raise FileNotFoundError("no such image in the opened folder")
        return path

    def _walk(self) -> list[str]:
        names = []
        for where, folders, files in os.walk(self.path):  # follows no links
            folders[:] = [name for name in folders if not name.startswith(".") and name != "__MACOSX"]
            below = Path(where).relative_to(self.path)
            for file in files:
                name = (below / file).as_posix()
                if file.startswith(".") or Path(file).suffix.lower() not in IMAGE_SUFFIXES:
                    continue
                if _is_plain(name) and self._is_inside(Path(where, file)):
                    names.append(name)
        return names

    def _is_inside(self, path: Path) -> bool:
        if not path.is_symlink():
            return True
        return is_file(path) and Path(os.path.realpath(path)).is_relative_to(self.path)


def _is_plain(name: str) -> bool:
    """Whether a name is relative, has no steps upwards, and can be sent (some file names are no Unicode)."""
    if not name or "\0" in name or name.startswith(("/", "\\")) or PureWindowsPath(name).drive:
        return False
    if any(part in ("", ".", "..") for part in re.split(r"[/\\]", name)):
        return False
    return name.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in name)
