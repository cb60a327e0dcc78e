"""A whole file from an address, however often the way there breaks."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import UserError
from .transfer import Attempt, Gone, TransferError, open_address
from .urls import shown


@dataclass(frozen=True)
class Patience:
    """Seconds, but for the last. stall: without a byte, after which a connection is given up. give_up:
    without progress over all attempts, after which the file is. first_pause: before the second attempt;
    doubles each time until ``longest_pause``. slowest: bytes a second; less is no progress."""

    stall: float = 30.0
    give_up: float = 120.0
    first_pause: float = 0.5
    longest_pause: float = 15.0
    slowest: float = 1000.0

    def after(self, failures: int) -> Patience:
        """Half as long after each of so many files that could not be had one after another."""
        short = 0.5 ** min(failures, 8)
        return replace(
            self, stall=max(self.stall * short, min(self.stall, 2.0)), give_up=self.give_up * short
        )


PATIENCE = Patience()
# A file with another hash is asked for again once: proxies keep damaged copies, but rarely two.
_WRONG_FILES = 2
# Programs try again by themselves, and do not say whether a failure is final.
_PROGRAM_FAILURES = 3


class Unavailable(UserError):
    """A file cannot be had. url: which; final: whoever has it refused it."""

    def __init__(self, url: str, reason: str, final: bool = False) -> None:
        super().__init__(f"{shown(url)}: {reason}")
        self.url, self.reason, self.final = url, reason, final

    def __reduce__(self) -> tuple:
        return Unavailable, (self.url, self.reason, self.final)


def download(
    url: str,
    target: Path,
    *,
    size: int | None = None,
    sha256: str | None = None,
    room: Callable[[int], None] = lambda size: None,
    patience: Patience | None = None,
    progress: Callable[[int], None] | None = None,
) -> str:
    """Write what is at ``url`` to ``target``, which is anything until this returns.

    Args:
        size, sha256: of the file, where an index says.
        room: called with the bytes that the file will have at least, before they are written.
        progress: called with the bytes that are there, after each piece.

    Returns:
        The sha256 of the file.

    Raises:
        Unavailable: refused, silent for too long, or not the file that was promised.
        OSError: the disk is full.
    """
    patience = patience or PATIENCE
    work = _Download(url, target, size, sha256, room, patience, progress)
    pause, last = patience.first_pause, time.monotonic()
    wrong = failed = before = 0
    while True:
        wait = 0.0
        try:
            return work.attempt()
        except Gone as error:
            raise Unavailable(url, str(error), final=True) from error
        except _WrongFile as error:
            wrong += 1
            if wrong >= _WRONG_FILES:
                raise Unavailable(url, str(error)) from error
            reason = str(error)
        except TransferError as error:
            reason, wait = str(error), error.wait
            failed += error.program
            if failed >= _PROGRAM_FAILURES:
                raise Unavailable(url, reason, final=True) from error
        now = time.monotonic()
        if work.furthest - before > patience.slowest * (now - last):
            pause, last, failed, before = patience.first_pause, now, 0, work.furthest
        if time.monotonic() - last + pause > patience.give_up:
            raise Unavailable(url, f"{reason}; given up after {patience.give_up:g} s without progress")
        time.sleep(max(pause, min(wait, patience.give_up)))
        pause = min(2 * pause, patience.longest_pause)


class _WrongFile(Exception):
    pass


class _Download:
    """What several attempts at one file have together."""

    def __init__(
        self,
        url: str,
        target: Path,
        size: int | None,
        sha256: str | None,
        room: Callable[[int], None],
        patience: Patience,
        progress: Callable[[int], None] | None,
    ) -> None:
        self._progress = progress
        self._url, self._target, self._size, self._sha256 = url, target, size, sha256
        self._room, self._patience = room, patience
        self._there, self._tag = 0, None
        self._digest = hashlib.sha256()
        self.furthest = 0  # a server that knows no ranges sends known bytes again: that is no progress

    def attempt(self) -> str:
        """Go on from the bytes that are there."""
        try:
            got = open_address(self._url, self._there, self._tag, self._patience.stall)
            if got.start != self._there:
                self._begin_again()
            self._tag = got.tag
            if self._size is not None and got.total is not None and got.total != self._size:
                raise _WrongFile(f"has {got.total:,} bytes, and {self._size:,} by the index")
            self._write(got)
        except TransferError as error:
            if error.again:
                self._begin_again()
            raise
        except _WrongFile:
            self._begin_again()
            raise
        return self._digest.hexdigest()

    def _begin_again(self) -> None:
        self._there, self._tag = 0, None
        self._digest = hashlib.sha256()

    def _write(self, got: Attempt) -> None:
        size = self._size or got.total
        if size:
            self._room(size)
        began, begun_at = time.monotonic(), self._there
        with self._target.open("r+b" if self._target.exists() else "wb") as file:
            file.seek(self._there)
            for chunk in got.chunks:
                if not size:
                    self._room(self._there + len(chunk))
                elif self._there + len(chunk) > size:
                    raise _WrongFile(f"has more than {size:,} bytes")
                file.write(chunk)
                self._digest.update(chunk)
                self._there += len(chunk)
                self.furthest = max(self.furthest, self._there)
                if self._progress is not None:
                    self._progress(self._there)
                passed = time.monotonic() - began
                if passed >= self._patience.stall:
                    if self._there - begun_at < self._patience.slowest * passed:
                        raise TransferError(f"less than {self._patience.slowest:g} bytes a second")
                    began, begun_at = time.monotonic(), self._there
            file.truncate()  # whoever makes room may have made the file longer, to hold the place
        if size and self._there != size:
            raise TransferError(f"cut {size - self._there:,} bytes before the end")
        if self._sha256 and self._digest.hexdigest() != self._sha256:
            raise _WrongFile("its content is not what the index says (sha256)")
