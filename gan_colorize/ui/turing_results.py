"""The results file of a Turing test: whole after every answer, and what a session is resumed from."""

from __future__ import annotations

import json
import secrets
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import UserError
from ..evaluation.forced_choice import PRACTICE, TEST, Answer, summarise
from ..files import exists, save_bytes
from .turing_file import answer_of, now, to_text, trial_of
from .turing_plan import Round, plan_rounds

_FORMAT, _VERSION = "gan_colorize-turing", 1


class NotSaved(UserError):
    """The results file could not be written: what was to be in it did not happen."""


@dataclass(frozen=True)
class Settings:
    """How the test is held: seconds a picture is shown, its longer side in pixels, rounds, practice, seed."""

    seconds: float = 1.0
    side: int = 256
    rounds: int = 40
    practice: int = 10
    seed: int = 0


class Results:
    """Participants, their rounds and answers; every change is on the disk before the method returns.

    Safe for threads. Two servers must not share a file: the second one to write finds it changed.

    Args:
        path: the file; continued when it is there.
        names: of all pairs.
        fingerprint: of the pairs; a file about other pictures is refused.

    Raises:
        UserError: the file is not one of these, is about other pictures, or was begun with other settings.
    """

    def __init__(
        self, path: Path, names: Sequence[str], fingerprint: str, settings: Settings, about: dict[str, Any]
    ) -> None:
        self.path, self.settings, self._names = path, settings, list(names)
        self._lock = threading.RLock()
        self._about = about
        self._sessions: dict[str, dict[str, Any]] = {}
        self._rounds: dict[str, list[Round]] = {}
        self._answers: list[Answer] = []
        self._trials: list[dict[str, Any]] = []
        self._told: tuple[int, dict[str, Any]] | None = None
        # What defines the measure; numbers of rounds may differ between the people of one file.
        self._measure = {
            "pictures": fingerprint,
            "seconds": settings.seconds,
            "longer_side": settings.side,
        }
        self.name = secrets.token_urlsafe(6)
        self._state: tuple[int, int] | None = None
        if exists(path):
            self._read()
        else:
            self._save()  # a folder that cannot be written is better known before the first answer

    def begin(self) -> str:
        """Plan a new participant's session and return the participant's name, which cannot be guessed."""
        with self._lock:
            number = len(self._sessions)
            rng = np.random.default_rng([self.settings.seed, number])
            shown = Counter(one.pair for plan in self._rounds.values() for one in plan if one.kind == TEST)
            plan = plan_rounds(self._names, shown, self.settings.rounds, self.settings.practice, rng)
            name = secrets.token_urlsafe(9)
            self._sessions[name] = {"number": number, "seed": self.settings.seed, "started": now()}
            self._rounds[name] = plan
            self._save()
            return name

    def knows(self, participant: str | None) -> bool:
        return participant in self._sessions

    def current(self, participant: str) -> tuple[int, Round] | None:
        """The round that waits for an answer and its index, or None at the end of the session."""
        return next(iter(self.waiting(participant)), None)

    def waiting(self, participant: str) -> list[tuple[int, Round]]:
        """All rounds that wait for an answer."""
        with self._lock:
            plan = enumerate(self._rounds[participant])
            return [(index, one) for index, one in plan if not one.answered and one.void is None]

    def place(self, participant: str, index: int) -> tuple[int, int]:
        """(k, n): a round is the k-th of n, practice and the rest counted apart; n is 0 without any."""
        with self._lock:
            plan = self._rounds[participant]
            practice = plan[index].kind == PRACTICE
            alike = [i for i, one in enumerate(plan) if (one.kind == PRACTICE) == practice and not one.void]
            return sum(i <= index for i in alike), len(alike)

    def look(self, participant: str, index: int) -> None:
        """The pictures of a round are handed out."""
        with self._lock:
            self._rounds[participant][index].looks += 1
            self._save()

    def void(self, participant: str, index: int, why: str) -> None:
        """A round cannot be played."""
        with self._lock:
            self._rounds[participant][index].void = why
            self._save()

    def answer(
        self, participant: str, index: int, choice: int, shown_ms: tuple[float, float], response_ms: float
    ) -> Answer | None:
        """Take an answer; None when this is not the round that waits for one (another tab answered it)."""
        with self._lock:
            waiting = self.current(participant)
            if waiting is None or waiting[0] != index or not waiting[1].looks:
                return None
            one = waiting[1]
            given = Answer(
                participant, one.pair, one.kind, one.coloured, choice, shown_ms, response_ms, one.looks
            )
            trial = trial_of(given, index, one.other)
            self._answers.append(given)
            self._trials.append(trial)
            one.answered = True
            try:
                self._save()
            except NotSaved:  # not told as taken: the page asks again
                self._answers.pop()
                self._trials.pop()
                one.answered, self._told = False, None
                raise
            return given

    def summary(self, participant: str | None = None) -> dict[str, Any]:
        """The statistics of all answers, or of one participant's."""
        with self._lock:
            if participant is None:
                return self._summary()
            chosen = [one for one in self._answers if one.participant == participant]
        return summarise(chosen, self.settings.seconds)

    def people(self) -> dict[str, int]:
        """{"started": how many sessions were begun, "finished": and played to their end}."""
        with self._lock:
            finished = sum(self.current(name) is None for name in self._sessions)
            return {"started": len(self._sessions), "finished": finished}

    def _summary(self) -> dict[str, Any]:
        """Of all answers; made anew only when there are more: with thousands it takes a while."""
        if self._told is None or self._told[0] != len(self._answers):
            self._told = len(self._answers), summarise(self._answers, self.settings.seconds)
        return self._told[1]

    def _save(self) -> None:
        if self._state != _state(self.path):
            raise NotSaved(f"{self.path} was changed by another program; stop this one and start it again")
        sessions = [
            {"participant": name, **told, "rounds": [vars(one) for one in self._rounds[name]]}
            for name, told in self._sessions.items()
        ]
        content = {
            "format": _FORMAT,
            "version": _VERSION,
            "name": self.name,
            "measure": self._measure,
            **self._about,
            "participants": self.people(),
            "summary": self._summary(),
            "trials": self._trials,
            "sessions": sessions,
        }
        try:
            save_bytes(self.path, to_text(content).encode())
        except UserError as error:
            raise NotSaved(str(error)) from error
        self._state = _state(self.path)

    def _read(self) -> None:
        self._state = _state(self.path)
        try:
            content = json.loads(self.path.read_bytes())
            if content["format"] != _FORMAT or content["version"] != _VERSION:
                raise ValueError
            self.name, begun = str(content["name"]), dict(content["measure"])
            for session in content["sessions"]:
                name = str(session.pop("participant"))
                self._rounds[name] = [Round(**one) for one in session.pop("rounds")]
                self._sessions[name] = session
            self._trials = list(content["trials"])
            self._answers = [answer_of(trial) for trial in self._trials]
        except OSError as error:
            raise UserError(f"--output {self.path}: {error.strerror or error}") from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise UserError(
                f"--output {self.path}: is no results file of a Turing test, or damaged; name another"
            ) from error
        for what, value in self._measure.items():
            if begun.get(what) != value:
                told = "is about other pictures" if what == "pictures" else f"has {what} {begun.get(what)}"
                raise UserError(f"--output {self.path}: {told}; name another file for this test")


def _state(path: Path) -> tuple[int, int] | None:
    """Changes when the file is written; None when it is not there."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns
