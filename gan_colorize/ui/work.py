"""One thread for the network: requests wait in line, urgent ones first; overtaken and abandoned ones go."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from ..errors import UserError

# Every waiting request holds its wishes and its connection; a page that asks faster than this has gone wrong.
MOST_WAITING = 64
THREAD_NAME = "gan_colorize work"


class Urgency(IntEnum):
    """What goes first; within one, who came first."""

    SUGGEST = 0  # a person has clicked and looks at the spot
    PREVIEW = 1
    OPEN = 2
    EXPORT = 3
    VARIANT = 4


class Busy(UserError):
    """Too many requests are waiting."""


class Stale(Exception):
    """A later request of the same tab and kind has taken this one's place."""


@dataclass(eq=False)
class Ticket:
    """A piece of work on its way; ``future`` gets its outcome, Stale, or is cancelled.

    key: what it may be overtaken within, such as (tab, kind), or None; sequence: its place there.
    """

    label: str
    urgency: Urgency
    function: Callable[[], Any]
    key: tuple[str, ...] | None = None
    sequence: int = 0
    future: Future = field(default_factory=Future)
    begun: float | None = None


class Work:
    """A queue and its one thread.

    Args:
        most_waiting: how many may wait, beside the one that is worked on.
        clock: seconds; only differences count.
        begin: what the thread does first.
    """

    def __init__(
        self,
        most_waiting: int = MOST_WAITING,
        clock: Callable[[], float] = time.monotonic,
        begin: Callable[[], None] = lambda: None,
    ) -> None:
        self._most_waiting, self._clock, self._begin = most_waiting, clock, begin
        self._changed = threading.Condition()
        self._waiting: list[Ticket] = []  # in the order in which they came
        self._doing: Ticket | None = None
        self._closed = False
        # A daemon: a network in the middle of a 64-megapixel scan must not keep the program from ending.
        self._thread = threading.Thread(target=self._run, name=THREAD_NAME, daemon=True)
        self._thread.start()

    def submit(
        self,
        label: str,
        urgency: Urgency,
        function: Callable[[], Any],
        key: tuple[str, ...] | None = None,
        sequence: int = 0,
    ) -> Ticket:
        """Put work into the line; with ``key``, earlier sequences of that key which wait become Stale.

        Raises:
            Stale: a later sequence of this key is waiting or being worked on.
            Busy: the line is full.
        """
        ticket = Ticket(label, urgency, function, key, sequence)
        with self._changed:
            if key is not None:
                self._overtake(ticket)
            if self._closed or len(self._waiting) >= self._most_waiting:
                raise Busy(
                    "the server is ending"
                    if self._closed
                    else f"{len(self._waiting)} requests are waiting already; try again in a moment"
                )
            self._waiting.append(ticket)
            self._changed.notify()
        return ticket

    def drop(self, ticket: Ticket) -> None:
        """Nobody waits for it any more: take it from the line. What has begun is finished, for nobody."""
        with self._changed:
            ticket.key = None  # a page that was reloaded may count from the start
            if ticket in self._waiting:
                self._waiting.remove(ticket)
        ticket.future.cancel()

    def state(self) -> dict[str, Any]:
        """{"queued": how many wait, "doing": label or None, "seconds": since it began}."""
        with self._changed:
            doing = self._doing
            seconds = 0.0 if doing is None else self._clock() - doing.begun
            return {
                "queued": len(self._waiting),
                "doing": None if doing is None else doing.label,
                "seconds": round(seconds, 1),
            }

    def close(self, seconds: float = 3.0) -> None:
        """Drop what waits, and give what has begun so long to be finished."""
        with self._changed:
            self._closed = True
            for ticket in self._waiting:
                ticket.future.cancel()
            self._waiting.clear()
            self._changed.notify()
        self._thread.join(seconds)

    def _overtake(self, new: Ticket) -> None:
        doing = [] if self._doing is None else [self._doing]
        same = [ticket for ticket in [*doing, *self._waiting] if ticket.key == new.key]
        if any(ticket.sequence > new.sequence for ticket in same):
            raise Stale
        for ticket in same:
            if ticket in self._waiting and ticket.sequence < new.sequence:
                self._waiting.remove(ticket)
                _settle(ticket.future.set_exception, Stale())

    def _run(self) -> None:
        self._begin()
        while True:
            with self._changed:
                self._doing = None
                while not self._waiting and not self._closed:
                    self._changed.wait()
                if self._closed:
                    return
                ticket = min(self._waiting, key=lambda one: one.urgency)
                self._waiting.remove(ticket)
                ticket.begun = self._clock()
                self._doing = ticket
            try:
                outcome, settle = ticket.function(), ticket.future.set_result
            except Exception as error:  # it is the request's; the thread goes on with the next one
                outcome, settle = error, ticket.future.set_exception
            _settle(settle, outcome)
            del ticket, outcome, settle  # while the thread waits nothing of a photograph is kept alive


def _settle(settle: Callable[[Any], None], outcome: Any) -> None:
    with suppress(InvalidStateError):  # dropped in the meantime
        settle(outcome)
