"""Files that are either whole or absent, and the folder for what can be made again."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import secrets
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import UserError

if TYPE_CHECKING:
    from PIL import Image

# No file that follows could be written either.
_NOTHING_MORE = (errno.ENOSPC, errno.EROFS, errno.EDQUOT)
PART = ".part-"  # what names of temporary files begin with


@dataclass(frozen=True)
class _Journal:
    """Who writes: ``name`` is in the names of temporary files, ``place`` is told before they are renamed."""

    name: str
    place: Callable[[Path, Path], None]


# Of the whole process, for a run writes from many threads.
_journal: _Journal | None = None


@contextmanager
def journalled(name: str, place: Callable[[Path, Path], None]) -> Iterator[None]:
    """Within the block temporary files are called ``.part-NAME-...``, so that those of a run that was killed
    can be told from others'; ``place(temporary, path)`` is called, from any thread, when a file is whole and
    about to get its own name. What it raises keeps the file from it."""
    global _journal
    before, _journal = _journal, _Journal(name, place)
    try:
        yield
    finally:
        _journal = before


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; rename it on success, remove it on failure.

    The temporary file shares the suffix, because encoders choose their format by it.

    Raises:
        UserError: the folder cannot be written or the disk is full; an older file stays as it was.
    """
    path, journal = Path(path), _journal
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        prefix = f"{PART}{journal.name}-" if journal else PART
        temporary = _new_file(path.parent, prefix, path.suffix)
        yield temporary
        if journal:
            journal.place(temporary, path)
        temporary.replace(path)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        if temporary is not None:
            with suppress(OSError):
                temporary.unlink()


def _new_file(folder: Path, prefix: str, suffix: str) -> Path:
    """An empty file with the permissions of any other new one.

    (``tempfile`` gives 0600; the umask that would say what to make of it can only be read by setting it, for
    all threads.)
    """
    while True:
        path = folder / f"{prefix}{secrets.token_hex(4)}{suffix}"
        with suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
            return path


def save_bytes(path: str | Path, data: bytes | memoryview, older: Path | None = None) -> None:
    """Write a whole file, on the disk before it has its name.

    Args:
        older: what the file of before is called from then on, in the same folder; otherwise it is gone.

    Raises:
        UserError: as :func:`atomic_path`.
    """
    with atomic_path(path) as temporary:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if older is not None and Path(path).is_file():
            _name_also(Path(path), older)


def _name_also(path: Path, other: Path) -> None:
    """Give a file a second name, in place of what has it, without a moment in which either is missing."""
    spare = other.with_name(f"{PART}{secrets.token_hex(4)}{other.suffix}")
    try:
        os.link(path, spare)
    except OSError:  # a file system without hard links: a kill right here leaves only the other name
        path.replace(other)
        return
    try:
        spare.replace(other)
    finally:
        with suppress(FileNotFoundError):  # renaming does nothing when both are names of one file already
            spare.unlink()


def add_line_once(path: Path, line: str) -> None:
    """Append a line of text to a file unless it is there; several processes may do so.

    Raises:
        UserError: the file cannot be written.
    """
    try:
        if path.exists() and line in path.read_text(encoding="utf-8").splitlines():
            return
        with path.open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror or error}") from error


def save_image(path: str | Path, image: Image.Image, kind: str, **options: Any) -> None:
    """Save a picture whole or not at all; ``kind`` and ``options`` are Pillow's.

    It is encoded in memory and written by Python: Pillow's JPEG encoder writes to the file descriptor and
    takes a write that a full disk cut short for a success.

    Raises:
        UserError: the format cannot hold the picture, or as :func:`atomic_path`.
    """
    save_bytes(path, encode_image(path, image, kind, **options))


def encode_image(path: str | Path, image: Image.Image, kind: str, **options: Any) -> memoryview:
    """A picture's file in memory; ``path`` is what errors call it.

    Raises:
        UserError: the format cannot hold the picture.
    """
    buffer = io.BytesIO()
    try:
        image.save(buffer, kind, **options)
    except (OSError, ValueError, RuntimeError, OverflowError) as error:
        raise UserError(f"cannot write {path}: {error}") from error
    return buffer.getbuffer()


def file_hash(path: str | Path) -> str:
    """sha256 of a file's content, in hexadecimal."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def no_more_room(error: BaseException) -> bool:
    """Whether a failed write says that every later one will fail too: disk or quota full, or read-only."""
    cause = error.__cause__ if isinstance(error, UserError) else error
    return isinstance(cause, OSError) and cause.errno in _NOTHING_MORE


def check_writable(folder: Path) -> None:
    """See that files can be put into ``folder``, which need not exist; nothing is left behind.

    Raises:
        UserError: they cannot.
    """
    there = Path(folder).absolute()
    while not exists(there) and there != there.parent:
        there = there.parent
    try:
        tempfile.TemporaryFile(prefix=PART, dir=there).close()
    except OSError as error:
        raise UserError(f"cannot write to {folder}: {error.strerror or error}") from error


# Path's own raise PermissionError for what lies below a folder that may not be entered (until Python 3.14).


def exists(path: str | Path) -> bool:
    """Whether something is there, as far as may be seen."""
    with suppress(OSError):
        return Path(path).exists()
    return False


def is_folder(path: str | Path) -> bool:
    """Whether a folder is there, as far as may be seen."""
    with suppress(OSError):
        return Path(path).is_dir()
    return False


def is_file(path: str | Path) -> bool:
    """Whether a file is there, as far as may be seen."""
    with suppress(OSError):
        return Path(path).is_file()
    return False


def cache_dir() -> Path:
    """Folder for scans and pixel caches: ``$GAN_COLORIZE_CACHE`` or the platform's user cache."""
    chosen = os.environ.get("GAN_COLORIZE_CACHE")
    if chosen:
        return Path(chosen).expanduser()
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    return base / "gan_colorize"
