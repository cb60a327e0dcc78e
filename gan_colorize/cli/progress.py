"""Progress on stderr: a line that rewrites itself in a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import sys
import time

import click

_SECONDS_BETWEEN_LINES = 30.0


class Progress:
    """Counts photographs and says how fast they come."""

    def __init__(self, total: int) -> None:
        self.total, self.done = total, 0
        self.terminal = sys.stderr.isatty()
        self.start()

    def start(self) -> None:
        """The work begins now; loading a model is no part of the rate."""
        self.started = self.said = time.monotonic()

    def step(self) -> None:
        """One more photograph is finished."""
        self.done += 1
        now = time.monotonic()
        if now - self.said >= (0.2 if self.terminal else _SECONDS_BETWEEN_LINES):
            self.said = now
            rate = self.done / (now - self.started)
            left = round((self.total - self.done) / rate)
            line = f"{self.done:,}/{self.total:,} photos, {rate:.1f}/s, {left // 60}:{left % 60:02d} left"
            click.echo(f"\r\x1b[K{line}" if self.terminal else line, err=True, nl=not self.terminal)

    def say(self, line: str) -> None:
        """A whole line that stays, whatever the progress line was."""
        self.clear()
        click.echo(line, err=True)

    def clear(self) -> None:
        """Remove the rewriting line."""
        if self.terminal:
            click.echo("\r\x1b[K", err=True, nl=False)
