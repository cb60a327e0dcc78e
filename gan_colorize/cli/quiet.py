"""Libraries in C print what they think of a file on the process's standard error, past Python."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def libraries_kept_quiet() -> Iterator[None]:
    """Within the block only Python writes to standard error: what it says of a bad file is one line.

    Where there is no such file, as in a window without a console, or where it is not what ``sys.stderr``
    writes to, nothing changes.
    """
    try:
        number = sys.stderr.fileno()
        sys.stderr.flush()
        kept = os.dup(number) if number == 2 else None
    except (AttributeError, OSError, ValueError):
        kept = None
    if kept is None:
        yield
        return
    before = sys.stderr
    sys.stderr = os.fdopen(kept, "w", encoding=before.encoding, errors=before.errors, buffering=1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
    try:
        yield
    finally:
        with suppress(OSError, ValueError):
            sys.stderr.flush()
        os.dup2(kept, 2)
        sys.stderr.close()
        sys.stderr = before
