"""The statistics of the forced choice against published intervals, scipy and closed forms."""

import numpy as np
import pytest

from gan_colorize.evaluation.forced_choice import Answer, bootstrap_interval, summarise, wilson_interval


def answer(participant="p", pair="a", kind="test", fooled=False, shown=(1000.0, 1000.0), looks=1, coloured=0):
    choice = 1 - coloured if fooled else coloured
    return Answer(participant, pair, kind, coloured, choice, shown, 700.0, looks)


# Newcombe, Two-sided confidence intervals for the single proportion, 1998, table I, method 3.
@pytest.mark.parametrize(
    "successes, trials, low, high",
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_as_published(successes, trials, low, high):
    assert wilson_interval(successes, trials) == pytest.approx((low, high), abs=5e-5)


def test_wilson_as_scipy_has_it():
    stats = pytest.importorskip("scipy.stats")
    for successes, trials, confidence in ((0, 1, 0.95), (7, 7, 0.9), (13, 40, 0.99), (517, 1600, 0.95)):
        theirs = stats.binomtest(successes, trials).proportion_ci(confidence, method="wilson")
        assert wilson_interval(successes, trials, confidence) == pytest.approx(tuple(theirs), abs=1e-12)


@pytest.mark.parametrize("successes, trials", [(0, 0), (3, 2), (-1, 4)])
def test_wilson_refuses_what_is_no_proportion(successes, trials):
    with pytest.raises(ValueError, match="no proportion"):
        wilson_interval(successes, trials)


def test_bootstrap_of_single_answers_has_the_binomial_width():
    outcomes = [i < 120 for i in range(400)]
    low, high = bootstrap_interval(outcomes, [str(i) for i in range(400)], draws=20000)
    deviation = (0.3 * 0.7 / 400) ** 0.5
    assert (low, high) == pytest.approx((0.3 - 1.96 * deviation, 0.3 + 1.96 * deviation), abs=0.003)


def test_bootstrap_counts_people_and_not_their_answers():
    """People who always answer alike are worth one answer each, however many they gave."""
    people = [f"p{i // 50}" for i in range(400 * 5)]
    outcomes = [int(name[1:]) < 12 for name in people]  # 12 of 40 are always fooled
    low, high = bootstrap_interval(outcomes, people, draws=20000)
    deviation = (0.3 * 0.7 / 40) ** 0.5
    assert (low, high) == pytest.approx((0.3 - 1.96 * deviation, 0.3 + 1.96 * deviation), abs=0.03)


def test_bootstrap_over_both_adds_their_variances():
    rng = np.random.default_rng(0)
    easy, gullible = rng.normal(0, 0.2, 60), rng.normal(0, 0.2, 60)
    people, pairs = (index.ravel() for index in np.meshgrid(range(60), range(60), indexing="ij"))
    outcomes = rng.random(3600) < np.clip(0.5 + gullible[people] + easy[pairs], 0, 1)
    intervals = [bootstrap_interval(list(outcomes), group) for group in (people, pairs)]
    widths = [high - low for low, high in intervals]
    low, high = bootstrap_interval(list(outcomes), people, pairs)
    assert high - low == pytest.approx(float(np.hypot(*widths)), rel=0.12)


def test_bootstrap_is_repeatable_and_refuses_what_does_not_fit():
    outcomes, people = [True, False, True, False], ["a", "a", "b", "c"]
    assert bootstrap_interval(outcomes, people, seed=4) == bootstrap_interval(outcomes, people, seed=4)
    for groups in ((), (people[:2],), (people, people, people)):
        with pytest.raises(ValueError, match="groupings"):
            bootstrap_interval(outcomes, *groups)
    with pytest.raises(ValueError, match="groupings"):
        bootstrap_interval([], [])


def test_summary_counts_tests_alone():
    answers = [
        answer(pair="a", fooled=True),
        answer(pair="b", fooled=True, coloured=1),
        answer(pair="c"),
        answer(pair="d"),
        answer(pair="e", kind="practice", fooled=True),
        answer(pair="f", kind="check"),
        answer(pair="g", kind="check", fooled=True),
        answer(pair="h", fooled=True, looks=2),
        answer(pair="i", fooled=True, shown=(1000.0, 1300.0)),
        answer(pair="j", fooled=False, shown=(760.0, 1240.0)),
    ]
    told = summarise(answers, seconds=1.0)
    assert (told["trials"], told["fooled"], told["rate"]) == (5, 2, 0.4)
    assert told["irregular"] == 2
    assert (told["checks"]["trials"], told["checks"]["right"]) == (2, 1)
    assert told["wilson95"] == pytest.approx([0.117621, 0.769276], abs=1e-6)  # scipy's, of 2 in 5
    assert told["answered_first"] == 4 / 5  # all but that of "a"
    assert told["shown_ms"] == {"median": 1000.0, "least": 760.0, "most": 1300.0}
    assert {row["pair"]: row["rate"] for row in told["per_image"]} == {"a": 1, "b": 1, "c": 0, "d": 0, "j": 0}
    assert [row["pair"] for row in told["per_image"]][:2] == ["a", "b"]
    assert [(row["participant"], row["trials"]) for row in told["per_participant"]] == [("p", 5)]
    assert list(told["bootstrap95"]) == ["images"]


@pytest.mark.parametrize(
    "fooled, words", [(5, "tell the two apart"), (20, "do not rule that out"), (38, "prefer the coloured")]
)
def test_reading(fooled, words):
    answers = [answer(pair=str(i), fooled=i < fooled) for i in range(40)]
    told = summarise(answers, 1.0)
    assert words in told["reading"]
    assert f"in {fooled} of 40 rounds" in told["reading"]


def test_several_people_get_every_interval():
    answers = [
        answer(f"p{person}", f"i{pair}", fooled=(person + pair) % 3 == 0)
        for person in range(4)
        for pair in range(6)
    ]
    told = summarise(answers, 1.0)
    assert set(told["bootstrap95"]) == {"participants", "images", "participants and images"}
    for low, high in told["bootstrap95"].values():
        assert 0 <= low <= told["rate"] <= high <= 1


def test_nothing_answered_yet():
    told = summarise([answer(kind="practice")], 1.0)
    assert told["trials"] == 0 and told["rate"] is None and told["wilson95"] is None
    assert told["reading"] == "No answer counts yet."
