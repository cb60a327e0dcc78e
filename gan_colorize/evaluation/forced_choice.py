"""Statistics of the two-alternative forced choice: how often a coloured photograph was called the real one.

The test is that of Zhang, Isola and Efros (Colorful Image Colorization, 2016, section 3.1). Answers to one
pair are not independent, nor are those of one person; Wilson's interval takes them as if they were, and the
bootstraps over people and photographs do not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np

from .resampling import times_drawn

PRACTICE, TEST, CHECK = KINDS = ("practice", "test", "check")
INDISTINGUISHABLE = 0.5  # a coloured photograph that equals the truth is called real half of the time

# What an answer may have seen of a picture and still count: this far from the time that was asked for.
SHOWN_TOLERANCE = 0.25
_DRAWS = 2000


@dataclass(frozen=True)
class Answer:
    """One round: which of two pictures a person took for the one with a computer's colours.

    kind:         "practice" (told whether it was right), "test", or "check" (the truth against itself with
                  another photograph's colours: who looks sees that).
    coloured:     which came with the computer's colours, 0 the first or 1 the second.
    choice:       which was called so, 0 or 1.
    shown_ms:     how long each picture was on the screen.
    response_ms:  from the question to the answer.
    looks:        how often the pair was handed out; 2 where the page was loaded anew in between.
    """

    participant: str
    pair: str
    kind: str
    coloured: int
    choice: int
    shown_ms: tuple[float, float]
    response_ms: float
    looks: int = 1

    @property
    def correct(self) -> bool:
        return self.choice == self.coloured

    def regular(self, seconds: float) -> bool:
        """Whether both pictures were seen once, and for the time they should have been."""
        wanted = 1000.0 * seconds
        return self.looks == 1 and all(
            abs(shown - wanted) <= SHOWN_TOLERANCE * wanted for shown in self.shown_ms
        )


def wilson_interval(successes: int, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval of a proportion (Wilson 1927; method 3 of Newcombe 1998), within 0..1.

    Raises:
        ValueError: no trials, or more successes than trials.
    """
    if trials < 1 or not 0 <= successes <= trials:
        raise ValueError(f"{successes} of {trials} is no proportion")
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    rate, pull = successes / trials, z * z / trials
    middle = (rate + pull / 2) / (1 + pull)
    half = z / (1 + pull) * np.sqrt(rate * (1 - rate) / trials + pull / (4 * trials))
    # The ends are 0 and 1 exactly where all answers agree; rounding would leave 1e-17.
    low = 0.0 if successes == 0 else float(middle - half)
    high = 1.0 if successes == trials else float(middle + half)
    return low, high


def bootstrap_interval(
    outcomes: Sequence[bool],
    *groups: Sequence[str],
    confidence: float = 0.95,
    draws: int = _DRAWS,
    seed: int = 0,
) -> tuple[float, float]:
    """Percentile interval of the share of true outcomes when whole groups are drawn anew.

    With one grouping, say people, people are drawn with replacement and bring all their answers. With two,
    people and photographs are drawn independently and an answer counts as often as both of its were drawn
    (the pigeonhole bootstrap, Owen 2007), which is never too narrow where both vary.

    Args:
        outcomes: (n,) of the answers.
        groups: one or two of (n,) names of the group that an answer is in.

    Raises:
        ValueError: no outcomes, lengths that differ, or another number of groupings.
    """
    if not outcomes or len(groups) not in (1, 2) or any(len(group) != len(outcomes) for group in groups):
        raise ValueError("a bootstrap needs outcomes and one or two groupings of the same length")
    hits = np.asarray(outcomes, dtype=np.float64)
    levels = [np.unique(np.asarray(group, dtype=str), return_inverse=True)[1].ravel() for group in groups]
    if len(levels) == 1:
        levels.append(np.zeros(len(hits), dtype=np.intp))
    shape = (levels[0].max() + 1, levels[1].max() + 1)
    fooled, asked = np.zeros(shape), np.zeros(shape)
    np.add.at(fooled, tuple(levels), hits)
    np.add.at(asked, tuple(levels), 1.0)
    rng = np.random.default_rng(seed)
    first, second = (times_drawn(size, draws, rng) for size in shape)
    total = np.einsum("di,di->d", first @ asked, second)
    share = np.einsum("di,di->d", first @ fooled, second)[total > 0] / total[total > 0]
    tail = 50.0 * (1 - confidence)
    low, high = np.percentile(share, [tail, 100 - tail])
    return float(low), float(high)


def summarise(answers: Sequence[Answer], seconds: float) -> dict[str, Any]:
    """What a results file says of its answers; the rates are shares 0..1, times are in milliseconds.

    Practice does not count, nor do rounds that were not seen as they should have been ("irregular").
    """
    asked = [answer for answer in answers if answer.kind != PRACTICE]
    counted = [answer for answer in asked if answer.regular(seconds)]
    test = [answer for answer in counted if answer.kind == TEST]
    checks = [answer for answer in counted if answer.kind == CHECK]
    summary: dict[str, Any] = {
        **_rate("fooled", [not answer.correct for answer in test]),
        "indistinguishable_at": INDISTINGUISHABLE,
        "bootstrap95": _bootstraps(test),
        "reading": "",
        "checks": _rate("right", [answer.correct for answer in checks]),
        "irregular": len(asked) - len(counted),
        "answered_first": _share([answer.choice == 0 for answer in test]),
        "shown_ms": _spread([shown for answer in asked for shown in answer.shown_ms]),
        "response_ms": _spread([answer.response_ms for answer in test]),
        "per_image": _by(test, "pair"),
        "per_participant": _by(test, "participant"),
    }
    summary["reading"] = reading(summary)
    return summary


def reading(summary: dict[str, Any]) -> str:
    """The summary in a sentence or two."""
    if not summary["trials"]:
        return "No answer counts yet."
    # The widest of them: the one that knows of people and photographs, where there are several.
    told = summary["bootstrap95"].get("participants and images") or summary["wilson95"]
    low, high = (min(told[0], summary["wilson95"][0]), max(told[1], summary["wilson95"][1]))
    text = (
        f"The coloured photograph was called real in {summary['fooled']} of {summary['trials']} rounds: "
        f"{100 * summary['rate']:.1f} %, 95 % interval {100 * low:.1f} to {100 * high:.1f} %. "
    )
    if low <= INDISTINGUISHABLE <= high:
        return text + "50 % would be indistinguishable, and these answers do not rule that out."
    if high < INDISTINGUISHABLE:
        return text + "50 % would be indistinguishable: people tell the two apart."
    return text + "50 % would be indistinguishable: people prefer the coloured one to the truth."


def _rate(name: str, outcomes: list[bool]) -> dict[str, Any]:
    """{"trials", ``name``, "rate", "wilson95"}; without trials the last two are None."""
    hits, trials = sum(outcomes), len(outcomes)
    interval = list(wilson_interval(hits, trials)) if trials else None
    return {"trials": trials, name: hits, "rate": _share(outcomes), "wilson95": interval}


def _share(outcomes: list[bool]) -> float | None:
    return sum(outcomes) / len(outcomes) if outcomes else None


def _spread(values: list[float]) -> dict[str, float] | None:
    if not values:
        return None
    return {"median": float(np.median(values)), "least": min(values), "most": max(values)}


def _by(answers: list[Answer], key: str) -> list[dict[str, Any]]:
    """A row for each pair or person, those most fooled first."""
    groups: dict[str, list[bool]] = {}
    for answer in answers:
        groups.setdefault(getattr(answer, key), []).append(not answer.correct)
    rows = [{key: name, **_rate("fooled", outcomes)} for name, outcomes in sorted(groups.items())]
    return sorted(rows, key=lambda row: -row["rate"])


def _bootstraps(answers: list[Answer]) -> dict[str, list[float]]:
    """Intervals over what there are several of."""
    outcomes = [not answer.correct for answer in answers]
    groups = {
        "participants": [answer.participant for answer in answers],
        "images": [answer.pair for answer in answers],
    }
    several = {name: group for name, group in groups.items() if len(set(group)) > 1}
    intervals = {name: list(bootstrap_interval(outcomes, group)) for name, group in several.items()}
    if len(several) == 2:
        intervals["participants and images"] = list(bootstrap_interval(outcomes, *several.values()))
    return intervals
