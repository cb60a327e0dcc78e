"""A run's folder as one process's own: where its states lie, who may write to it, whether it is still there.

Light on purpose: the command line asks before torch is needed.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..distributed import launched
from ..errors import UserError
from ..files import PART, atomic_path
from ..locks import lock

STATE, PREVIOUS = "state.pt", "previous.pt"  # in LAST: the newest state, and the one before it
LAST = "last"
LOCK = ".in-use"  # there while a run writes to the folder
JOB = ".torchrun"  # which torchrun wrote to it last


def has_state(folder: Path) -> bool:
    """Whether a run left something in ``folder`` to go on from."""
    return any((folder / LAST / name).is_file() for name in (STATE, PREVIOUS))


def began_here(folder: Path) -> bool:
    """Whether the run in ``folder`` was begun, or gone on with, by this very torchrun."""
    with suppress(OSError):
        return (folder / JOB).read_text(encoding="utf-8") == _job()
    return False


def sign(folder: Path) -> None:
    """Note in ``folder`` which torchrun trains into it; nothing without torchrun."""
    if launched().world > 1:
        with atomic_path(folder / JOB) as temporary:
            temporary.write_text(_job(), encoding="utf-8")


def _job() -> str:
    """The same for every start of one torchrun, another one for every torchrun."""
    return f"{os.environ.get('TORCHELASTIC_RUN_ID')} {socket.gethostname()} {os.getppid()}"


@contextmanager
def own_folder(folder: Path) -> Iterator[None]:
    """Within the block no other process trains into ``folder``; what a killed run left half-written goes.

    Of a job's many processes the main one owns the folder for all.

    Raises:
        UserError: somebody else does.
    """
    if not launched().main:
        yield
        return
    handle = _locked(folder / LOCK)
    try:
        _remove_parts(folder)
        yield
    finally:
        with suppress(OSError):  # of a folder that is gone, or read-only by now
            (folder / LOCK).unlink()
        os.close(handle)


def _locked(path: Path) -> int:
    while True:
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise UserError(f"cannot write {path}: {error.strerror or error}") from error
        # Not with children: a killed run's data workers live on for seconds, and would keep --resume out.
        if lock(handle, with_children=False) is False:
            os.close(handle)
            raise UserError(
                f"--output {path.parent}: another process is training into it; wait for it or name another "
                "folder"
            )
        # The one who had it may have removed the file between the opening and the locking.
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(handle), path.stat()):
                return handle
        os.close(handle)


def _remove_parts(folder: Path) -> None:
    """Temporary files of a run that was killed; the folder is locked, so nobody is writing them."""
    for place in (folder, folder / LAST, folder / "best", folder / "samples"):
        for path in place.glob(f"{PART}*"):
            with suppress(OSError):
                path.unlink()


class Watch:
    """Notices that the folder was removed or replaced: files that are made anew would hide it."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._begun = folder, folder.stat()

    def check(self) -> None:
        """Raise a UserError when the folder is not the one of the beginning any more."""
        with suppress(OSError):
            if os.path.samestat(self._folder.stat(), self._begun):
                return
        raise UserError(f"{self._folder}: the run folder was removed or moved under way; training stopped")
