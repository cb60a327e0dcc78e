"""The line of work: order, overtaking, dropping, limits. Its thread is held at a gate: nothing is timed."""

import threading
from concurrent.futures import CancelledError

import pytest

from gan_colorize.ui.work import Busy, Stale, Urgency, Work

LONG = 30  # seconds after which a test has failed; nothing takes as long


@pytest.fixture
def work():
    line = Work(most_waiting=8)
    yield line
    line.close(LONG)


class Gate:
    """Work that goes on until it is opened, so that what comes after it waits."""

    def __init__(self, work, **options):
        self.entered, self._open = threading.Event(), threading.Event()
        self.ticket = work.submit("gate", Urgency.SUGGEST, self._wait, **options)
        assert self.entered.wait(LONG)

    def _wait(self):
        self.entered.set()
        assert self._open.wait(LONG)
        return "through"

    def open(self):
        self._open.set()
        return self.ticket.future.result(LONG)


def test_outcomes_and_errors_come_back(work):
    assert work.submit("sum", Urgency.OPEN, lambda: 2 + 3).future.result(LONG) == 5

    def fail():
        raise ZeroDivisionError("by nothing")

    with pytest.raises(ZeroDivisionError, match="by nothing"):
        work.submit("fail", Urgency.OPEN, fail).future.result(LONG)
    assert work.submit("next", Urgency.OPEN, lambda: "alive").future.result(LONG) == "alive"


def test_one_thread_does_everything(work):
    tickets = [work.submit("who", Urgency.OPEN, threading.get_ident) for _ in range(5)]
    assert len({ticket.future.result(LONG) for ticket in tickets}) == 1


def test_the_urgent_go_first_and_equals_in_their_order(work):
    gate, done = Gate(work), []
    order = [
        Urgency.VARIANT,
        Urgency.PREVIEW,
        Urgency.EXPORT,
        Urgency.SUGGEST,
        Urgency.PREVIEW,
        Urgency.VARIANT,
    ]
    tickets = [
        work.submit("note", urgency, lambda number=number: done.append(number))
        for number, urgency in enumerate(order)
    ]
    gate.open()
    for ticket in tickets:
        ticket.future.result(LONG)
    assert done == [3, 1, 4, 2, 0, 5]


def test_a_later_request_overtakes_those_that_wait(work):
    gate, begun = Gate(work), []
    first = work.submit("one", Urgency.PREVIEW, lambda: begun.append(1), ("tab", "main"), 1)
    variant = work.submit("other kind", Urgency.VARIANT, lambda: "variant", ("tab", "variant-0"), 1)
    other = work.submit("other tab", Urgency.PREVIEW, lambda: "other", ("tab2", "main"), 1)
    second = work.submit("two", Urgency.PREVIEW, lambda: "second", ("tab", "main"), 2)
    with pytest.raises(Stale):
        first.future.result(LONG)
    gate.open()
    assert second.future.result(LONG) == "second"
    assert other.future.result(LONG) == "other"
    assert variant.future.result(LONG) == "variant"
    assert begun == []


def test_what_has_begun_is_not_overtaken(work):
    gate = Gate(work, key=("tab", "main"), sequence=1)
    later = work.submit("two", Urgency.PREVIEW, lambda: "second", ("tab", "main"), 2)
    assert gate.open() == "through"
    assert later.future.result(LONG) == "second"


def test_a_request_that_arrives_after_its_successor_is_stale(work):
    gate = Gate(work, key=("tab", "main"), sequence=7)
    with pytest.raises(Stale):
        work.submit("six", Urgency.PREVIEW, lambda: None, ("tab", "main"), 6)
    waiting = work.submit("eight", Urgency.PREVIEW, lambda: "eight", ("tab", "main"), 8)
    with pytest.raises(Stale):
        work.submit("seven", Urgency.PREVIEW, lambda: None, ("tab", "main"), 7)
    gate.open()
    assert waiting.future.result(LONG) == "eight"


def test_a_page_that_was_reloaded_may_count_from_the_start(work):
    gate = Gate(work, key=("tab", "main"), sequence=500)
    work.drop(gate.ticket)  # the reload closed its connection
    first = work.submit("one", Urgency.PREVIEW, lambda: "first", ("tab", "main"), 1)
    gate._open.set()
    assert first.future.result(LONG) == "first"


def test_dropped_work_is_never_begun(work):
    gate, begun = Gate(work), []
    dropped = work.submit("dropped", Urgency.PREVIEW, lambda: begun.append(1))
    kept = work.submit("kept", Urgency.PREVIEW, lambda: "kept")
    work.drop(dropped)
    assert work.state()["queued"] == 1
    gate.open()
    assert kept.future.result(LONG) == "kept"
    assert begun == []
    with pytest.raises(CancelledError):
        dropped.future.result(LONG)


def test_dropping_what_has_begun_does_no_harm(work):
    gate = Gate(work)
    work.drop(gate.ticket)
    gate._open.set()
    assert work.submit("next", Urgency.OPEN, lambda: "alive").future.result(LONG) == "alive"


def test_the_line_is_bounded_and_overtaking_makes_room(work):
    gate = Gate(work)
    tickets = [
        work.submit("wait", Urgency.PREVIEW, lambda: None, ("tab", f"variant-{i}"), 1) for i in range(8)
    ]
    with pytest.raises(Busy, match="8 requests are waiting already"):
        work.submit("one more", Urgency.SUGGEST, lambda: None)
    newer = work.submit("newer", Urgency.PREVIEW, lambda: "newer", ("tab", "variant-3"), 2)
    with pytest.raises(Stale):
        tickets[3].future.result(LONG)
    gate.open()
    assert newer.future.result(LONG) == "newer"


def test_state_tells_what_is_done_and_since_when():
    now = [100.0]
    work = Work(clock=lambda: now[0])
    assert work.state() == {"queued": 0, "doing": None, "seconds": 0.0}
    gate = Gate(work)
    work.submit("wait", Urgency.OPEN, lambda: None)
    now[0] = 103.14
    assert work.state() == {"queued": 1, "doing": "gate", "seconds": 3.1}
    gate.open()
    work.close(LONG)


def test_closing_drops_what_waits():
    work = Work()
    gate, begun = Gate(work), []
    waiting = work.submit("wait", Urgency.OPEN, lambda: begun.append(1))
    work.close(0.0)
    assert waiting.future.cancelled()
    with pytest.raises(Busy, match="ending"):
        work.submit("late", Urgency.OPEN, lambda: None)
    gate.open()
    work.close(LONG)
    assert begun == []
