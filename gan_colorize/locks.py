"""One run at a time: a lock on an open file, which the system takes back however the process ends."""

from __future__ import annotations

import errno
import os

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None
    import msvcrt

# Windows locks bytes, and refuses others to read them: one far behind the end of any file.
_FAR = 2**40
_TAKEN = (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES, errno.EDEADLK)


def lock(handle: int, with_children: bool = True) -> bool | None:
    """Lock an open file for this process.

    Args:
        handle: open for writing.
        with_children: the lock is the open file's: what this process forks holds it on until its last copy
            of the handle is closed. Otherwise it is the process's alone, and ends with it or as soon as it
            closes any handle of that file.

    Returns:
        True: locked until ``handle`` is closed; False: somebody else has it locked; None: the file system
        has no locks.
    """
    try:
        if fcntl is not None:
            (fcntl.flock if with_children else fcntl.lockf)(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        else:
            os.lseek(handle, _FAR, os.SEEK_SET)
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
    except OSError as error:
        return False if error.errno in _TAKEN else None
    return True


def unlock(handle: int) -> None:
    """Give a lock back at once: closing is not enough where a forked process has a copy of the handle."""
    try:
        if fcntl is not None:
            fcntl.flock(handle, fcntl.LOCK_UN)
        else:
            os.lseek(handle, _FAR, os.SEEK_SET)
            msvcrt.locking(handle, msvcrt.LK_UNLCK, 1)
    except OSError:
        return  # it was not locked
