"""Which pairs a participant sees, in which order, and which picture comes first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..evaluation.forced_choice import CHECK, PRACTICE, TEST

# Section 3.1 of Zhang et al. 2016: a tenth of the trials show who looks (the truth against random colours).
_CHECKS = 0.1
# With few pairs, at most this share of them is practised on: practice gives a pair's answer away.
_PRACTICE = 0.2


@dataclass
class Round:
    """One round of a participant's session.

    kind, pair, coloured: as :class:`~gan_colorize.evaluation.forced_choice.Answer` has them.
    other: of a check, the pair whose truth lends the colours.
    looks: how often the pictures were handed out so far.
    answered: whether the answer is in the results.
    void:  why there will be no answer, where a picture could not be shown.
    """

    kind: str
    pair: str
    coloured: int
    other: str | None = None
    looks: int = 0
    answered: bool = False
    void: str | None = None


def plan_rounds(
    names: Sequence[str], shown: Counter[str], rounds: int, practice: int, rng: np.random.Generator
) -> list[Round]:
    """A session: practice, then tests and checks mixed. No pair comes twice: its answer would be remembered.

    Args:
        names: of all pairs.
        shown: how often each was planned as a test so far; the rarest come first.
        rounds: tests and checks together; fewer where there are not as many pairs.
        practice: rounds of practice; fewer where there are not as many pairs.
    """
    practice = min(practice, max(len(names) - rounds, int(_PRACTICE * len(names))))
    rounds = min(rounds, len(names) - practice)
    checks = round(_CHECKS * rounds) if len(names) > 1 else 0
    chance = rng.permutation(len(names))
    order = [names[i] for i in sorted(range(len(names)), key=lambda i: (shown[names[i]], chance[i]))]
    tests = rounds - checks
    measured = _of_kind(TEST, order[:tests], rng) + [
        Round(CHECK, one.pair, one.coloured, _another(names, one.pair, rng))
        for one in _of_kind(CHECK, order[tests:rounds], rng)
    ]
    mixed = [measured[i] for i in rng.permutation(len(measured))]
    return _of_kind(PRACTICE, order[rounds : rounds + practice], rng) + mixed


def _of_kind(kind: str, pairs: Sequence[str], rng: np.random.Generator) -> list[Round]:
    """Rounds of which half have the coloured picture first, in random order."""
    sides = (np.arange(len(pairs)) + rng.integers(2)) % 2  # the odd one goes to either side
    return [Round(kind, pair, int(side)) for pair, side in zip(pairs, rng.permutation(sides), strict=True)]


def _another(names: Sequence[str], than: str, rng: np.random.Generator) -> str:
    return names[(names.index(than) + int(rng.integers(1, len(names)))) % len(names)]
