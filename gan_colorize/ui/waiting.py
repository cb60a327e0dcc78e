"""Between the event loop and a line of work: wait for an outcome, as long as the one who asked does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from starlette.requests import Request

from ..errors import UserError, one_line
from .work import Busy, Stale, Urgency, Work


class Failure(UserError):
    """The program or the machine has failed, not the request."""


class Gone(Exception):
    """Who asked has closed the connection."""


async def outcome(
    work: Work,
    request: Request,
    label: str,
    urgency: Urgency,
    function: Callable[[], Any],
    key: tuple[str, ...] | None = None,
    sequence: int = 0,
) -> Any:
    """What ``function`` returns, from the thread of ``work``. The request's body must have been read.

    Raises:
        Gone: the client closed the connection; its work has left the line.
        Stale, Busy: by :meth:`.Work.submit`, at once or while it waits.
        UserError, OSError: as ``function`` raises them. Failure: it raised something else.
    """
    ticket = work.submit(label, urgency, function, key, sequence)
    future = asyncio.wrap_future(ticket.future)
    gone = asyncio.create_task(_disconnected(request))
    try:
        await asyncio.wait({future, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not future.done():
            raise Gone
        if future.cancelled():
            raise Busy("the server is ending")
        return future.result()
    except (UserError, OSError, Stale, Gone):
        raise
    except Exception as error:
        raise Failure(_what_failed(error)) from error
    finally:
        gone.cancel()
        future.cancel()  # an outcome that comes from now on is nobody's
        work.drop(ticket)


async def _disconnected(request: Request) -> None:
    """Return when the client has closed the connection: after a body nothing else can come."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _what_failed(error: Exception) -> str:
    from ..inference.ready import is_out_of_memory

    if is_out_of_memory(error):
        return "not enough memory for this photograph"
    return f"unexpected {type(error).__name__}: {one_line(error)}"
