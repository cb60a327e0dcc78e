"""Names of files on systems that see them differently: what is legal, how long, and which two are one."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
import unicodedata
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path, PurePath

from .files import PART, is_folder

# Bytes of a name that ext4, XFS, APFS and NTFS all take (NTFS counts 255 UTF-16 units, which are never more).
LONGEST = 255
# Microsoft, "Naming Files, Paths, and Namespaces": characters, and devices whatever their suffix
_ILLEGAL = re.compile(r'[<>:"|?*\\/\x00-\x1f]')
_DEVICES = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³])", re.IGNORECASE)


def windows_name(name: str) -> str:
    """A file's name as Windows takes it: ``a:b?.jpg`` -> ``a_b_.jpg``, ``con.jpg`` -> ``con_.jpg``.

    A name that is legal there stays as it is. Two names may become one: see :class:`NameRules`.
    """
    name = _ILLEGAL.sub("_", name)
    kept = name.rstrip(". ")
    name = kept + "_" * (len(name) - len(kept))
    first, dot, rest = name.partition(".")
    return f"{first.rstrip()}_{dot}{rest}" if _DEVICES.fullmatch(first.rstrip()) else name


def windows_path(path: PurePath) -> PurePath:
    """A relative path with every part as Windows takes it."""
    return type(path)(*map(windows_name, path.parts))


def short_enough(path: Path) -> Path:
    """``path``, or one whose name fits: its beginning, then ``~`` and eight digits of the whole name's hash.

    The same long name always becomes the same short one, and different ones stay different.
    """
    name = os.fsencode(path.name)
    if len(name) <= LONGEST:
        return path
    suffix = os.fsencode(path.suffix)
    tail = b"~" + hashlib.sha256(name).hexdigest()[:8].encode() + (suffix if len(suffix) <= 16 else b"")
    stem = name[: LONGEST - len(tail)]
    while stem and (name[len(stem)] & 0xC0) == 0x80:  # no half of a UTF-8 character
        stem = stem[:-1]
    return path.with_name(os.fsdecode(stem + tail))


class NameRules:
    """Which paths are one file in a folder, which need not exist yet: ``key`` is then the same.

    The folder's file system is only asked when two of ``paths`` differ by no more than case or Unicode's
    normalisation; one that cannot be asked is taken for one that tells neither apart.
    """

    def __init__(self, folder: Path, paths: Iterable[Path]) -> None:
        plain = {os.path.normcase(path) for path in paths}
        self.folds_case = self.folds_form = False
        if len({_folded(path) for path in plain}) < len(plain):
            self.folds_case, self.folds_form = _ask(folder)

    def key(self, path: str | Path) -> str:
        text = os.path.normcase(path)
        if self.folds_form:
            text = unicodedata.normalize("NFC", text)
        return text.casefold() if self.folds_case else text


def _folded(path: str) -> str:
    return unicodedata.normalize("NFC", path).casefold()


def _ask(folder: Path) -> tuple[bool, bool]:
    """Whether the file system takes A for a, and a composed for a decomposed é."""
    there = folder.absolute()
    while not is_folder(there) and there != there.parent:
        there = there.parent
    prefix = f"{PART}Name\u00e9-"
    with suppress(OSError, UnicodeError), tempfile.NamedTemporaryFile(prefix=prefix, dir=there) as file:
        path = Path(file.name)
        other_case = path.with_name(path.name.swapcase())
        other_form = path.with_name(unicodedata.normalize("NFD", path.name))
        return os.path.lexists(other_case), os.path.lexists(other_form)
    return True, True
