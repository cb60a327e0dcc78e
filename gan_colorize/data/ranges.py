"""Byte ranges of files, read from any process: what tar shards and the pixel cache have in common."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from pathlib import Path

# Sets of a thousand shards exist, and many systems allow a process only 256 open files.
_MOST_OPEN = 64


class FileRanges:
    """Reads ``size`` bytes at ``offset`` of a few files, keeping them open.

    Reading by position instead of mapping keeps the resident size of every worker small. Pickling carries
    the paths only, so that a worker process opens its own handles.
    """

    def __init__(self, paths: list[Path]) -> None:
        self.paths = list(paths)
        self._reset()

    def _reset(self) -> None:
        self._open: OrderedDict[int, int] = OrderedDict()
        self._lock = threading.Lock()
        self._owner = os.getpid()

    def read(self, number: int, offset: int, size: int) -> bytes:
        """``size`` bytes of file ``number`` from ``offset``; OSError when the file is gone or too short."""
        if self._owner != os.getpid():  # forked: a lock may be held by a thread that is not here
            self._reset()
        with self._lock:
            handle = self._open.pop(number, None)
            if handle is None:
                handle = os.open(self.paths[number], os.O_RDONLY | getattr(os, "O_BINARY", 0))
                if len(self._open) >= _MOST_OPEN:
                    os.close(self._open.popitem(last=False)[1])
            self._open[number] = handle
            data = _read_at(handle, offset, size)
        if len(data) != size:
            raise OSError(f"{self.paths[number]} ends after {offset + len(data)} bytes; it was cut short")
        return data

    def close(self) -> None:
        """Close every handle that this process opened."""
        with self._lock:
            if self._owner == os.getpid():
                for handle in self._open.values():
                    os.close(handle)
            self._open.clear()

    def __getstate__(self) -> dict:
        return {"paths": self.paths}

    def __setstate__(self, state: dict) -> None:
        self.__init__(state["paths"])

    def __del__(self) -> None:
        if hasattr(self, "_open"):
            self.close()


def _read_at(handle: int, offset: int, size: int) -> bytes:
    if hasattr(os, "pread"):
        return os.pread(handle, size, offset)
    os.lseek(handle, offset, os.SEEK_SET)  # Windows
    return os.read(handle, size)
