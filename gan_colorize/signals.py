"""Ctrl-C and SIGTERM as a request to end well, not as an exception in the middle of something."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Terminated(KeyboardInterrupt):
    """SIGTERM, where a command takes it as it takes Ctrl-C."""


class Stop(threading.Event):
    """Set by the first SIGINT or SIGTERM; ``number`` is then the signal's."""

    number: int | None = None

    def raise_if_set(self) -> None:
        """Raise what the signal stands for, once the work is in order."""
        if self.is_set():
            raise Terminated if self.number == signal.SIGTERM else KeyboardInterrupt


@contextmanager
def stop_on_signals() -> Iterator[Stop]:
    """Within the block the first SIGINT or SIGTERM sets the event that is yielded; a second one interrupts
    at once. Outside the main thread, where Python takes no signals, the event is never set."""
    stop = Stop()

    def handle(number: int, frame: object) -> None:
        again = stop.is_set()
        stop.number = number
        stop.set()
        if again:
            stop.raise_if_set()

    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    previous = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
