"""Between the event loop and a line of work: who leaves takes the work along, and the end is an answer."""

import asyncio
import threading

import pytest

pytest.importorskip("fastapi", reason="the editor's server needs fastapi: the extra ui")

from gan_colorize.errors import UserError
from gan_colorize.ui.waiting import Failure, Gone, outcome
from gan_colorize.ui.work import Busy, Stale, Urgency, Work

LONG = 30


class Client:
    """A request whose body was read; its client stays until it leaves."""

    def __init__(self):
        self.left = asyncio.Event()

    async def receive(self):
        await self.left.wait()
        return {"type": "http.disconnect"}


@pytest.fixture
def held():
    """A line whose thread is held until the event is set -> (line, event)."""
    line, entered, go_on = Work(), threading.Event(), threading.Event()
    line.submit("hold", Urgency.SUGGEST, lambda: (entered.set(), go_on.wait(LONG)))
    assert entered.wait(LONG)
    yield line, go_on
    go_on.set()
    line.close(LONG)


def test_outcomes_and_errors(held):
    line, go_on = held
    go_on.set()

    def fail(error):
        raise error

    async def ask(function):
        return await outcome(line, Client(), "x", Urgency.OPEN, function)

    assert asyncio.run(ask(lambda: 7)) == 7
    for error in (UserError("a line"), FileNotFoundError("gone")):
        with pytest.raises(type(error), match=str(error)):
            asyncio.run(ask(lambda error=error: fail(error)))
    with pytest.raises(Failure, match=r"^unexpected KeyError: 'no such'$"):
        asyncio.run(ask(lambda: fail(KeyError("no such"))))


def test_work_of_a_client_that_leaves_is_never_begun(held):
    line, go_on = held
    begun = []

    async def ask_and_leave():
        client = Client()
        asking = asyncio.create_task(outcome(line, client, "x", Urgency.OPEN, lambda: begun.append(1)))
        await asyncio.sleep(0)
        assert line.state()["queued"] == 1
        client.left.set()
        with pytest.raises(Gone):
            await asking

    asyncio.run(ask_and_leave())
    assert line.state()["queued"] == 0
    go_on.set()
    assert line.submit("next", Urgency.OPEN, lambda: "alive").future.result(LONG) == "alive"
    assert begun == []


def test_a_request_that_is_cancelled_leaves_the_line(held):
    line, _ = held

    async def ask_and_cancel():
        asking = asyncio.create_task(outcome(line, Client(), "x", Urgency.OPEN, lambda: None))
        await asyncio.sleep(0)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking

    asyncio.run(ask_and_cancel())
    assert line.state()["queued"] == 0


def test_an_overtaken_request_and_the_end_of_the_server(held):
    line, _ = held

    async def ask_twice_and_close():
        first, second = (
            asyncio.create_task(outcome(line, Client(), "x", Urgency.OPEN, lambda: None, ("tab",), number))
            for number in (1, 2)
        )
        with pytest.raises(Stale):
            await first
        line.close(0.0)
        with pytest.raises(Busy, match="ending"):
            await second

    asyncio.run(ask_twice_and_close())
