"""Work dealt out piece by piece among the processes of a job; the main one deals, and is told the outcome.

Shares that are fixed beforehand leave processes idle: photographs differ in size, machines in their
neighbours. So whoever is free asks for the next piece, large ones first. What only one may do, such as
appending to the manifest, the main process does for all, asked over the same connection.

The connections are sockets with a key that is made for the occasion (multiprocessing.connection); one that
breaks tells at once that a process is gone.
"""

from __future__ import annotations

import os
import pickle
import queue
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client, Connection, Listener, answer_challenge, deliver_challenge
from typing import Any, TypeVar

from .distributed import Group, PeerLost, current, from_main
from .errors import UserError, one_line
from .signals import Stop

R = TypeVar("R")
Answers = dict[str, Callable[..., Any]]
Work = Callable[["Hand"], Iterator[tuple[int, R]]]

# Seconds for which a stopped job waits for what its processes have under way; torchrun kills after 30.
_FAREWELL = 20.0
# Seconds in which torchrun, which notices a lost process as well, has ended the others.
_TORCHRUN_NOTICES = 2.0


class Deal:
    """Who gets which piece next.

    Args:
        weights: how much work each piece is, in any unit.
        processes: how many share the work. With several, the largest pieces are dealt first.
        even: give a process nothing as long as it holds its part of all that is not finished: for those that
            hold many pieces at once and ask again. When little is left everybody then has as much of it.
    """

    def __init__(self, weights: Sequence[float], processes: int, even: bool = False) -> None:
        order = range(len(weights))
        if processes > 1:
            order = sorted(order, key=lambda piece: -weights[piece])
        self.weights, self.even = weights, even
        self._order = iter(order)
        self._next = next(self._order, None)
        self._unfinished = float(sum(weights))
        self._held = [0.0] * processes
        self._guard = threading.Lock()

    def take(self, process: int) -> int | None:
        """The next piece for a process; None: there is none, or none for it now."""
        with self._guard:
            piece, held = self._next, self._held[process]
            part = self._unfinished / len(self._held)
            if piece is None or (self.even and held > 0 and held + self.weights[piece] > part):
                return None
            self._next = next(self._order, None)
            self._held[process] += self.weights[piece]
            return piece

    def finished(self, process: int, piece: int) -> None:
        """A process has done a piece that it took."""
        with self._guard:
            self._held[process] -= self.weights[piece]
            self._unfinished -= self.weights[piece]


class Hand:
    """A process's side: an iterator over the numbers of the pieces that it is dealt.

    With an even deal it may end and later go on, when more was finished. ``share``: about how many pieces
    come to each process. ``ask(name, ...)``: what the main process answers.
    """

    def __init__(self, count: int, processes: int, ask: Callable[..., Any]) -> None:
        self.share, self.ask = -(-count // processes), ask

    def __iter__(self) -> Hand:
        return self

    def __next__(self) -> int:
        piece = self.ask("take")
        if piece is None:
            raise StopIteration
        return piece


def dealt(
    weights: Sequence[float],
    work: Work[R],
    answers: Answers | None = None,
    stop: Stop | None = None,
    even: bool = False,
) -> Iterator[tuple[int, R]]:
    """Let all processes of the current group do the work, each piece once; all of them must call this.

    Args:
        weights: of the pieces; the same on every process.
        work: does the pieces whose numbers it is handed, and yields (number, what came of it).
        answers: what the main process does for all, by name; called from several threads. A UserError that
            one raises is raised where it was asked for.
        stop: of each process. Set on one, it is soon set on all, and what is under way is finished.
        even: see :class:`Deal`.

    Yields:
        On the main process what came of every piece, as it comes; on the others nothing.

    Raises:
        PeerLost: a process has ended before the work was done.
    """
    group, stop = current(), stop or Stop()
    deal = Deal(weights, group.world, even)
    if group.world == 1:
        own = {"take": lambda: deal.take(0), **(answers or {})}
        for piece, outcome in work(Hand(len(weights), 1, lambda name, *given: own[name](*given))):
            deal.finished(0, piece)
            yield piece, outcome
    elif group.main:
        yield from _Desk(group, deal, answers or {}, stop).run(work)
    else:
        line = _Line(group, *from_main(lambda: None), stop)
        try:
            for piece, outcome in work(Hand(len(weights), group.world, line.ask)):
                line.ask("done", piece, outcome)
            line.ask("end" if stop.number is None else "leave")
        except KeyboardInterrupt:
            with suppress(PeerLost):
                line.ask("leave")
            raise
        finally:
            line.close()


class _Desk:
    """The main process's side."""

    def __init__(self, group: Group, deal: Deal, answers: Answers, stop: Stop) -> None:
        self.group, self.deal, self.answers, self.stop = group, deal, answers, stop
        # what came of pieces; None when one process fewer is to be waited for
        self.come: queue.SimpleQueue[tuple[int, Any] | None] = queue.SimpleQueue()
        self.ended: set[int] = set()
        # of those, the ones that a signal ended; and processes that are gone without a word
        self.left: set[int] = set()
        self.lost: set[int] = set()

    def run(self, work: Work[R]) -> Iterator[tuple[int, R]]:
        """As :func:`dealt`; results of others come between the own ones."""
        key, alone = secrets.token_bytes(32), self.group.local_world == self.group.world
        listener = Listener(("127.0.0.1" if alone else "", 0), backlog=self.group.world)
        host = "127.0.0.1" if alone else os.environ["MASTER_ADDR"]
        try:
            from_main(lambda: ((host, listener.address[1]), key))
            threading.Thread(target=self._receive, args=(listener, key), daemon=True).start()
            yield from self._all(work)
        except KeyboardInterrupt:
            if self.lost:  # torchrun ends all when one is lost: that is the reason
                raise self._loss() from None
            raise
        finally:
            listener.close()

    def _all(self, work: Work[R]) -> Iterator[tuple[int, R]]:
        own = {"take": lambda: self._take(0), **self.answers}
        for piece, outcome in work(
            Hand(len(self.deal.weights), self.group.world, lambda name, *given: own[name](*given))
        ):
            self.deal.finished(0, piece)
            yield piece, outcome
            yield from self._arrived()
        latest = None
        while len(self.ended | self.lost) < self.group.world - 1:
            with suppress(queue.Empty):
                arrived = self.come.get(timeout=0.1)
                if arrived is not None:
                    yield arrived
            if self.stop.is_set():
                latest = latest or time.monotonic() + _FAREWELL
                if time.monotonic() > latest:
                    self.lost |= set(range(1, self.group.world)) - self.ended
        yield from self._arrived()
        if self.lost or self.left:
            # torchrun's signal had better not come in the middle of the report
            latest = time.monotonic() + _TORCHRUN_NOTICES
            while self.stop.number is None and time.monotonic() < latest:
                time.sleep(0.02)
            if self.lost or self.stop.number is None:
                raise self._loss()

    def _arrived(self) -> Iterator[tuple[int, Any]]:
        with suppress(queue.Empty):
            while True:
                arrived = self.come.get_nowait()
                if arrived is not None:
                    yield arrived

    def _take(self, process: int) -> int | None:
        return None if self.stop.is_set() else self.deal.take(process)

    def _loss(self) -> PeerLost:
        gone = sorted(self.lost or self.left)
        name = f"process {gone[0]}" if len(gone) == 1 else f"processes {', '.join(map(str, gone))}"
        return PeerLost(f"{name} of this job ended before the work was done")

    def _receive(self, listener: Listener, key: bytes) -> None:
        while True:  # strangers may come as well, and must keep nobody waiting
            try:
                connection = listener.accept()
            except ConnectionError:
                continue
            except OSError:
                return  # closed
            threading.Thread(target=self._serve, args=(connection, key), daemon=True).start()

    def _serve(self, connection: Connection, key: bytes) -> None:
        try:  # as a listener with a key does it, but there one silent stranger would hold up all
            deliver_challenge(connection, key)
            answer_challenge(connection, key)
        except (AuthenticationError, EOFError, OSError, AssertionError, ValueError):
            connection.close()
            return
        process = -1
        try:
            _send_at_once(connection)
            process = _receive(connection)
            while process not in self.ended:
                name, *given = _receive(connection)
                good, answer = self._answer(process, name, given)
                _send(connection, (good, answer, self.stop.is_set()))
        except (EOFError, OSError, pickle.PickleError):
            if process not in self.ended:
                self.lost.add(process)
                self.stop.set()
        finally:
            connection.close()
            self.come.put(None)

    def _answer(self, process: int, name: str, given: list[Any]) -> tuple[bool, Any]:
        """(True, the answer) or (False, the error)."""
        try:
            if name == "take":
                return True, self._take(process)
            if name == "done":
                self.deal.finished(process, given[0])
                self.come.put((given[0], given[1]))
            elif name == "end":
                self.ended.add(process)
            elif name == "leave":
                self.left.add(process)
                self.ended.add(process)
                self.stop.set()
            else:
                return True, self.answers[name](*given)
        except (UserError, OSError) as error:
            return False, error
        except Exception as error:  # a bug must not look like a process that is gone
            return False, UserError(f"unexpected {type(error).__name__}: {one_line(error)}")
        return True, None


class _Line:
    """Another process's connection to the main one; may be used from several threads."""

    def __init__(self, group: Group, address: tuple[str, int], key: bytes, stop: Stop) -> None:
        self._stop, self._guard = stop, threading.Lock()
        with _gone():
            self._connection = Client(address, authkey=key)
            _send_at_once(self._connection)
            _send(self._connection, group.rank)

    def ask(self, name: str, *given: Any) -> Any:
        """What the main process answers.

        Raises:
            PeerLost: it does not any more; UserError: of the answer.
        """
        with self._guard, _gone():
            _send(self._connection, (name, *given))
            good, answer, stopped = _receive(self._connection)
        if stopped:
            self._stop.set()
        if not good:
            raise answer
        return answer

    def close(self) -> None:
        """End the connection; without an "end" before, the main process takes this one for lost."""
        self._connection.close()


class _gone:
    """A connection that breaks, as one line."""

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, (OSError, EOFError, AuthenticationError)):
            raise PeerLost("the main process of this job has ended or does not answer") from error


# Not the connection's own send() and recv(): torch has them lend tensors' memory instead of sending it.


def _send(connection: Connection, message: Any) -> None:
    connection.send_bytes(pickle.dumps(message, pickle.HIGHEST_PROTOCOL))


def _receive(connection: Connection) -> Any:
    return pickle.loads(connection.recv_bytes())


def _send_at_once(connection: Connection) -> None:
    """Long messages go in two parts; without this the second may wait 40 ms for the first to be confirmed."""
    with suppress(OSError), socket.socket(fileno=os.dup(connection.fileno())) as shared:
        shared.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
