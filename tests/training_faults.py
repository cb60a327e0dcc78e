"""Faults for :mod:`training_runs`: each is called once in the run's process, before training begins."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


def _hold(gate: Path) -> None:
    """Say that the place is reached by making ``gate``, and stay there until somebody removes it."""
    gate.touch()
    while gate.exists():
        time.sleep(0.005)


def _around_steps(before: Callable[[int], None]) -> None:
    """Call ``before(number)`` before each training step, the first being number 1."""
    from gan_colorize.training.gan_step import GanStep

    original, count = GanStep.__call__, [0]

    def step(self: GanStep, *arguments: Any, **options: Any) -> Any:
        count[0] += 1
        before(count[0])
        return original(self, *arguments, **options)

    GanStep.__call__ = step


@dataclass(frozen=True)
class SlowSteps:
    """Every step takes ``seconds`` longer, so that what comes at random comes in the midst of training."""

    seconds: float

    def __call__(self) -> None:
        _around_steps(lambda number: time.sleep(self.seconds))


@dataclass(frozen=True)
class HoldAtStep:
    """The run stands before its step ``number`` as long as ``gate`` is there."""

    number: int
    gate: Path

    def __call__(self) -> None:
        _around_steps(lambda number: _hold(self.gate) if number == self.number else None)


@dataclass(frozen=True)
class HoldInCheckpoint:
    """The run stands in the midst of its checkpoint ``number`` as long as ``gate`` is there.

    place: "before" the state is written, when the weights beside it are newer than it; "writing", when its
    temporary file is there but may not be on the disk; "renaming", when the older state has its second name
    and the new one not yet its own.
    """

    number: int
    place: str
    gate: Path

    def __call__(self) -> None:
        from gan_colorize import files
        from gan_colorize.training import state

        count, inside = [0], [False]
        save, sync, name_also = state.save_bytes, os.fsync, files._name_also

        def saved(*arguments: Any) -> None:
            count[0] += 1
            inside[0] = count[0] == self.number
            if inside[0] and self.place == "before":
                _hold(self.gate)
            save(*arguments)
            inside[0] = False

        def synced(handle: int) -> None:
            if inside[0] and self.place == "writing":
                _hold(self.gate)
            sync(handle)

        def named(*arguments: Any) -> None:
            name_also(*arguments)
            if inside[0] and self.place == "renaming":
                _hold(self.gate)

        state.save_bytes, os.fsync, files._name_also = saved, synced, named


@dataclass(frozen=True)
class NoWritingFrom:
    """From its operation ``number`` on every making, syncing, linking or renaming of a file fails."""

    number: int
    error: int = errno.ENOSPC

    def __call__(self) -> None:
        from gan_colorize.training import loop

        begin = loop.save_config  # the first thing that training writes

        def begun(*arguments: Any) -> None:
            fail_from(self.number, self.error)
            begin(*arguments)

        loop.save_config = begun


def fail_from(number: int, error: int = errno.ENOSPC) -> None:
    """Let operation ``number`` on files and all after it fail as the system would."""
    count = [0]

    def failing(original: Callable[..., Any]) -> Callable[..., Any]:
        def operation(*arguments: Any, **options: Any) -> Any:
            count[0] += 1
            if count[0] >= number:
                raise OSError(error, os.strerror(error))
            return original(*arguments, **options)

        return operation

    Path.replace = failing(Path.replace)
    os.fsync, os.link = failing(os.fsync), failing(os.link)
    make = os.open

    def open_(path: Any, flags: int, *arguments: Any, **options: Any) -> int:
        return (failing_open if flags & os.O_CREAT else make)(path, flags, *arguments, **options)

    failing_open = failing(make)
    os.open = open_


@dataclass(frozen=True)
class NotANumber:
    """The classification loss is not a number in the steps ``first`` to ``last``."""

    first: int
    last: int

    def __call__(self) -> None:
        from gan_colorize.training import gan_step

        original, count = gan_step.reconstruction_terms, [0]

        def terms(*arguments: Any, **options: Any) -> Any:
            result = original(*arguments, **options)
            count[0] += 1
            if self.first <= count[0] <= self.last:
                result["classification"] = result["classification"] * float("nan")
            return result

        gan_step.reconstruction_terms = terms


class ClockJumps:
    """The wall clock goes ten years forward, then back to ten years ago, and so on at every look."""

    def __call__(self) -> None:
        seconds, nanoseconds, looks = time.time, time.time_ns, [0]

        def jump() -> int:
            looks[0] += 1
            return (1 if looks[0] % 2 else -1) * 10 * 365 * 86_400

        time.time = lambda: seconds() + jump()
        time.time_ns = lambda: nanoseconds() + jump() * 10**9
