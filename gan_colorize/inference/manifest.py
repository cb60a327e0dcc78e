"""The manifest of an output folder: one JSON line for whatever happened, as soon as it happened.

It is the record that survives: kill -9, a full disk, a power cut. It is only ever appended to, and
what it says goes before anything else; the report (report.py) is made of it for people at the end of a run.
Lines have an ``event``:

    run     a run begins: its id, time, program, settings, model (path, sha256), host, pid
    placed  a result is whole and now gets its name: path, bytes, mtime_ns. A killed run's results that have
            no ``file`` line are known by it, and are made again; a file that matches no line is not ours
    file    a file is finished: what became of it, as in the report, and what it was made of
    end     the run is over: counts, interrupted

Paths of results start at the manifest's folder, with "/".
"""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..locks import lock
from .history import History

# By the verb that writes it.
MANIFEST_NAMES = {"colorize": "colorize-manifest.jsonl", "denoise": "denoise-manifest.jsonl"}

_BINARY = getattr(os, "O_BINARY", 0)  # Windows changes line ends without it


class Manifest:
    """The manifest at ``path``, read; nothing is written before :meth:`begin`.

    history: what it says. say: receives a line about what was found odd.

    Raises:
        UserError: another run has it, it cannot be read, or it is no such manifest.
    """

    def __init__(self, path: Path, say: Callable[[str], None] = lambda line: None) -> None:
        self.path, self.say, self.history = path, say, History()
        self.locked: bool | None = False
        self._handle: int | None = None
        self._writable = False
        self._guard = threading.Lock()  # results are placed from many threads
        if os.path.lexists(path):
            self._open(create=False)

    def begin(self, run: str, about: dict[str, Any], older: Iterable[dict[str, Any]] = ()) -> None:
        """Open a new run of that id; the manifest is made if there is none, with what is known from ``older``
        reports.

        Raises:
            UserError: it cannot be written, or another run has begun since this one looked.
        """
        made = self._handle is None
        try:
            if made:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self._open(create=True)
                if self.history.runs:
                    raise UserError(f"{self.path}: another run has begun meanwhile; start this one again")
            if not self._writable:
                raise PermissionError(0, "it may only be read")
            line = {"event": "run", "run": run, **about, "host": _host(), "pid": os.getpid()}
            # the run's line is last: a manifest without one takes the older entries in again
            self._append(*({"event": "file", **entry} for entry in older), line)
        except OSError as error:
            if made and self._handle is not None:
                self.close()
                with suppress(OSError):
                    self.path.unlink()
            raise UserError(f"cannot write {self.path}: {error.strerror or error}") from error

    def place(self, run: str, target: Path, temporary: Path) -> None:
        """Note that a result is about to get its name; on the disk before it has it.

        Raises:
            OSError: it cannot be noted.
        """
        found = temporary.stat()
        line = {"path": self.relative(target), "bytes": found.st_size, "mtime_ns": found.st_mtime_ns}
        self._append({"event": "placed", "run": run, **line})
        os.fsync(self._handle)

    def add(self, line: dict[str, Any]) -> None:
        """Append a line.

        Raises:
            UserError: it cannot be written; the manifest is as it was before.
        """
        try:
            self._append(line)
        except OSError as error:
            raise UserError(f"cannot write {self.path}: {error.strerror or error}") from error

    def relative(self, target: Path) -> str:
        """A result's path as manifest and report have it."""
        return Path(os.path.relpath(target, self.path.parent)).as_posix()

    def close(self) -> None:
        """Let the next run have it."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def _open(self, create: bool) -> None:
        flags = os.O_RDWR | os.O_APPEND | _BINARY | (os.O_CREAT if create else 0)
        if not create and not self.path.is_file():
            raise UserError(f"{self.path}: is no manifest of this program; move it away")
        try:
            self._handle, self._writable = os.open(self.path, flags, 0o666), True
        except OSError as error:
            if create:
                raise
            # what is there can still tell what need not be done
            self._read_only(error)
        self.locked = lock(self._handle) if self._writable else None
        if self.locked is False:
            self.close()
            raise UserError(f"{self.path.parent}: another run writes there{self._holder()}; let it end first")
        if self.locked is None and self._writable:
            self.say(f"Warning: {self.path}: no locks on this file system; let no other run write there")
        try:
            lines = self._whole_lines()
            damaged = self.history.read(lines, self.path)
        except UserError:
            self.close()
            raise
        if self._writable:  # now that it is known to be ours
            with suppress(OSError):
                os.ftruncate(self._handle, sum(map(len, lines)) + len(lines))
        if damaged:
            self.say(f"Warning: {self.path}: damaged lines were passed over: {damaged}")

    def _read_only(self, error: OSError) -> None:
        try:
            self._handle = os.open(self.path, os.O_RDONLY | _BINARY)
        except OSError:
            raise UserError(f"cannot open {self.path}: {error.strerror or error}") from error

    def _whole_lines(self) -> list[bytes]:
        """The lines, without what a killed run or a full disk left of a last one."""
        with open(self._handle, "rb", closefd=False) as file:
            file.seek(0)
            content = file.read()
        end = content.rfind(b"\n") + 1
        # what has no whole line may be anybody's file
        if not end and content and not content.startswith(b'{"event"'):
            raise UserError(f"{self.path}: is no manifest of this program; move it away")
        return content[:end].split(b"\n")[:-1]

    def _append(self, *lines: dict[str, Any]) -> None:
        # ASCII, for file names need not be valid Unicode
        data = b"".join(json.dumps(line, separators=(",", ":")).encode() + b"\n" for line in lines)
        with self._guard:
            before = os.fstat(self._handle).st_size
            try:
                while data:
                    data = data[os.write(self._handle, data) :]
            except OSError:
                with suppress(OSError):  # half a line would spoil the next one
                    os.ftruncate(self._handle, before)
                raise

    def _holder(self) -> str:
        """Who has the lock, by the last run that the manifest tells of."""
        with suppress(OSError, UserError):
            history = History()
            history.read(self.path.read_bytes().split(b"\n"), self.path)
            if history.runs:
                last = list(history.runs.values())[-1]
                return f" (process {last.get('pid')} on {last.get('host')})"
        return ""


def _host() -> str:
    with suppress(OSError):
        return socket.gethostname()
    return ""
