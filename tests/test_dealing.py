"""Who gets which piece, and what the main process does for the others: over sockets, without processes."""

import errno
import threading
from multiprocessing.connection import Client

import pytest

from gan_colorize import dealing
from gan_colorize.dealing import Deal, Hand, dealt
from gan_colorize.distributed import Group, PeerLost
from gan_colorize.errors import UserError
from gan_colorize.signals import Stop


def simulate(weights, speeds, ahead, even):
    """Processes that hold up to ``ahead`` pieces and work on them one by one -> (seconds until each is idle
    for good, pieces in the order in which they were dealt)."""
    deal, order = Deal(weights, len(speeds), even), []
    clock = [0.0] * len(speeds)
    held = [[] for _ in speeds]
    while True:
        for process, pieces in enumerate(held):
            while len(pieces) < ahead and (piece := deal.take(process)) is not None:
                pieces.append(piece)
                order.append(piece)
        busy = [process for process, pieces in enumerate(held) if pieces]
        if not busy:
            return clock, order
        soonest = min(busy, key=lambda process: clock[process] + weights[held[process][0]] / speeds[process])
        piece = held[soonest].pop(0)
        clock[soonest] += weights[piece] / speeds[soonest]
        deal.finished(soonest, piece)


@pytest.mark.parametrize("even", [False, True])
@pytest.mark.parametrize("speeds", [[1.0], [1.0, 1.0], [1.0, 3.0], [1.0, 1.0, 1.0, 1.0]])
def test_every_piece_is_dealt_once(speeds, even):
    weights = [5.0, 1, 1, 9, 2, 2, 2, 7, 1, 1, 1]
    _, order = simulate(weights, speeds, ahead=4, even=even)
    assert sorted(order) == list(range(len(weights)))
    if len(speeds) > 1:
        assert [weights[piece] for piece in order] == sorted(weights, reverse=True)
    else:
        assert order == sorted(order)


def test_an_even_deal_leaves_nobody_idle_for_long():
    """With 10 pieces ahead each, the first would take most of 12 and the second hardly any."""
    clock, _ = simulate([1.0] * 12, [1.0, 1.0], ahead=10, even=True)
    assert clock == [6.0, 6.0]
    greedy, _ = simulate([1.0] * 12, [1.0, 1.0], ahead=10, even=False)
    assert greedy == [10.0, 2.0]
    # a tenfold one among small ones: who has it gets fewer of the others
    clock, _ = simulate([1.0] * 30 + [10.0], [1.0, 1.0], ahead=10, even=True)
    assert clock == [20.0, 20.0]
    # and a machine three times as fast does three times as much, but for what is held ahead at the end
    clock, _ = simulate([1.0] * 400, [1.0, 3.0], ahead=10, even=True)
    assert 100 <= max(clock) <= 110


def test_one_process_asks_nobody():
    def work(hand):
        for piece in hand:
            yield piece, hand.ask("double", piece)

    assert list(dealt([1.0] * 3, work, {"double": lambda n: 2 * n})) == [(0, 0), (1, 2), (2, 4)]


@pytest.fixture
def job(monkeypatch):
    """``start(weights, work, answers, stop)`` is what the main process of two yields; the other's connection
    is made by ``join(stop)``."""
    told = threading.Event()
    box = []

    def from_main(make):
        box.append(make())
        told.set()
        return box[0]

    monkeypatch.setattr(dealing, "from_main", from_main)
    monkeypatch.setattr(dealing, "_TORCHRUN_NOTICES", 0.05)
    main, other = Group(0, 2, 0, 2), Group(1, 2, 1, 2)

    class Job:
        def start(self, weights, work, answers=None, stop=None):
            monkeypatch.setattr(dealing, "current", lambda: main)
            return dealt(weights, work, answers, stop)

        def join(self, stop=None):
            assert told.wait(10)
            return dealing._Line(other, *box[0], stop or Stop())

        def address(self):
            assert told.wait(10)
            return box[0][0]

    return Job()


def other_process(function):
    """Run in a thread; what it raises is raised by ``result()``."""
    outcome = []

    def run():
        try:
            outcome.append((True, function()))
        except BaseException as error:
            outcome.append((False, error))

    thread = threading.Thread(target=run)
    thread.start()

    def result():
        thread.join(20)
        good, value = outcome[0]
        if not good:
            raise value
        return value

    return result


def do_nothing(hand):
    return iter(())


def test_the_other_process_works_and_the_main_one_is_told(job):
    def work():
        line = job.join()
        done = []
        for piece in Hand(5, 2, line.ask):
            line.ask("done", piece, f"piece {piece}")
            done.append(piece)
        line.ask("end")
        line.close()
        return done

    result = other_process(work)
    outcomes = list(job.start([1.0, 2, 3, 4, 5], do_nothing))
    assert result() == [4, 3, 2, 1, 0]
    assert outcomes == [(piece, f"piece {piece}") for piece in (4, 3, 2, 1, 0)]


def test_errors_of_answers_are_raised_where_it_was_asked(job):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    def refuse(name):
        raise UserError(f"cannot write {name}")

    def work():
        line, met = job.join(), []
        for name, given in (("full", ()), ("refuse", ("a.png",)), ("bug", ()), ("sum", (2, 3))):
            try:
                met.append(line.ask(name, *given))
            except (OSError, UserError) as error:
                met.append(error)
        line.ask("end")
        line.close()
        return met

    result = other_process(work)
    answers = {"full": full, "refuse": refuse, "bug": lambda: 1 / 0, "sum": lambda a, b: a + b}
    assert list(job.start([], do_nothing, answers)) == []
    disk, refused, bug, total = result()
    assert isinstance(disk, OSError) and disk.errno == errno.ENOSPC
    assert isinstance(refused, UserError) and str(refused) == "cannot write a.png"
    assert isinstance(bug, UserError) and "unexpected ZeroDivisionError" in str(bug)
    assert total == 5


def test_a_process_that_is_gone_stops_all_and_what_it_had_told_is_kept(job):
    def work():
        line = job.join()
        line.ask("done", line.ask("take"), "first")
        line.close()  # as the system does for one that is killed

    result = other_process(work)
    stop, got = Stop(), []
    with pytest.raises(PeerLost, match="process 1 of this job ended before the work was done"):
        for outcome in job.start([1.0] * 4, do_nothing, stop=stop):
            got.append(outcome)
    result()
    assert got == [(0, "first")]
    assert stop.is_set()


def test_a_stop_of_one_is_a_stop_of_all(job):
    stop_of_main, stop_of_other = Stop(), Stop()

    def work():
        line = job.join(stop_of_other)
        first = line.ask("take")
        stop_of_main.set()
        line.ask("done", first, "finished all the same")
        nothing = line.ask("take")
        line.ask("end")
        line.close()
        return nothing

    result = other_process(work)
    assert list(job.start([1.0] * 4, do_nothing, stop=stop_of_main)) == [(0, "finished all the same")]
    assert result() is None
    assert stop_of_other.is_set()


def test_the_main_process_gone_is_one_line(job):
    outcomes = job.start([1.0] * 4, lambda hand: ((piece, None) for piece in hand))

    def work():
        line = job.join()
        line._connection.close()
        line.ask("take")

    result = other_process(work)
    with pytest.raises(PeerLost):
        list(outcomes)
    with pytest.raises(PeerLost, match="the main process of this job has ended"):
        result()


def test_a_stranger_gets_no_work(job):
    def work():
        with pytest.raises(Exception, match="digest sent was rejected"):
            Client(job.address(), authkey=b"guessed")
        line = job.join()
        line.ask("end")
        line.close()

    result = other_process(work)
    assert sorted(job.start([1.0] * 2, lambda hand: ((piece, None) for piece in hand))) == [
        (0, None),
        (1, None),
    ]
    result()
