"""How answers stand in the results file of a Turing test."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from ..evaluation.forced_choice import KINDS, Answer

_ORDER = ("first", "second")


def to_text(content: dict[str, Any]) -> str:
    """JSON with a line for each thing and each item of a list: readable, and quick where there are thousands
    (Python's own indentation takes ten times as long, and this is done after every answer)."""
    return (
        "{\n" + ",\n".join(f"{json.dumps(key)}: {_lines(value)}" for key, value in content.items()) + "\n}\n"
    )


def _lines(value: Any) -> str:
    if isinstance(value, list) and value:
        return "[\n " + ",\n ".join(map(json.dumps, value)) + "\n]"
    if isinstance(value, dict) and value:
        return "{\n " + ",\n ".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in value.items()) + "\n}"
    return json.dumps(value)


def trial_of(given: Answer, index: int, other: str | None) -> dict[str, Any]:
    """An answer as the file tells it."""
    return {
        "participant": given.participant,
        "round": index,
        "kind": given.kind,
        "pair": given.pair,
        "colours_of": other,
        "coloured": _ORDER[given.coloured],
        "called_coloured": _ORDER[given.choice],
        "correct": given.correct,
        "shown_ms": list(given.shown_ms),
        "response_ms": given.response_ms,
        "looks": given.looks,
        "time": now(),
    }


def answer_of(trial: dict[str, Any]) -> Answer:
    """The inverse of :func:`trial_of`."""
    if trial["kind"] not in KINDS:
        raise ValueError
    first, second = trial["shown_ms"]
    return Answer(
        str(trial["participant"]),
        str(trial["pair"]),
        trial["kind"],
        _ORDER.index(trial["coloured"]),
        _ORDER.index(trial["called_coloured"]),
        (float(first), float(second)),
        float(trial["response_ms"]),
        int(trial["looks"]),
    )


def now() -> str:
    """UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
