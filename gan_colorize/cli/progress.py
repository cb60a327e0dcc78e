"""Progress on stderr: a line that rewrites itself in a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import sys
import time

import click

from .lines import printable, tell

_SECONDS_BETWEEN_LINES = 30.0


class Progress:
    """Counts what is finished and says how fast it comes, in files and megapixels a second.

    total: how many there are. work: how much work all of them are, in any unit; what is left of it then says
    how long it will take, and else the number that is left does. unit: what they are called.
    """

    def __init__(self, total: int, work: float = 0.0, unit: str = "photos") -> None:
        self.total, self.work, self.unit = total, work, unit
        self.done = self.failed = 0
        self.megapixels = self.worked = 0.0
        self.terminal = sys.stderr.isatty()
        self.start()

    def start(self) -> None:
        """The work begins now; loading a model is no part of the rate."""
        self.started = self.said = time.monotonic()

    def step(self, megapixels: float = 0.0, work: float = 0.0, failed: bool = False) -> None:
        """One more is finished: its size, its share of the work, and whether it failed."""
        self.done += 1
        self.failed += failed
        self.megapixels += megapixels
        self.worked += work
        now = time.monotonic()
        if now - self.said >= (0.2 if self.terminal else _SECONDS_BETWEEN_LINES):
            self.said = now
            line = self._line(now - self.started)
            click.echo(f"\r\x1b[K{line}" if self.terminal else line, err=True, nl=not self.terminal)

    def say(self, line: str) -> None:
        """A whole line that stays, whatever the progress line was."""
        self.clear()
        tell(line, err=True)

    def clear(self) -> None:
        """Remove the rewriting line."""
        if self.terminal:
            click.echo("\r\x1b[K", err=True, nl=False)

    def _line(self, seconds: float) -> str:
        parts = [f"{self.done:,}/{self.total:,} {self.unit}"]
        if self.failed:
            parts.append(f"{self.failed:,} failed")
        parts.append(f"{self.done / seconds:.1f}/s")
        if self.megapixels:
            parts.append(f"{self.megapixels / seconds:.1f} MP/s")
        if self.work > 0 and self.worked > 0:
            left = max(0.0, self.work - self.worked) / self.worked
        else:
            left = (self.total - self.done) / self.done
        return printable(", ".join([*parts, f"{_clock(seconds * left)} left"]))


def _clock(seconds: float) -> str:
    """Minutes and seconds; with hours where minutes would say little."""
    whole = round(seconds)
    if whole < 6000:
        return f"{whole // 60}:{whole % 60:02d}"
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"
