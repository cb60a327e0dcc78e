"""One run at a time: a lock on an open file, which the system takes back however the process ends."""

from __future__ import annotations

import errno

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None
    import msvcrt
    import os

# Windows locks bytes, and refuses others to read them: one far behind the end of any file.
_FAR = 2**40
_TAKEN = (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES, errno.EDEADLK)


def lock(handle: int) -> bool | None:
    """Lock an open file for this process.

    Returns:
        True: locked until ``handle`` is closed; False: somebody else has it locked; None: the file system
        has no locks.
    """
    try:
        if fcntl is not None:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        else:
            os.lseek(handle, _FAR, os.SEEK_SET)
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
    except OSError as error:
        return False if error.errno in _TAKEN else None
    return True
