"""Work for the pool's tests; processes are spawned, so it has to be importable by name."""

import os
import signal
import time


def squares(context: int, chunk: list[int]) -> list[int]:
    return [context + item * item for item in chunk]


def die_at_context(context: int, chunk: list[int]) -> list[int]:
    """A decoder that crashes the process on one item."""
    if context in chunk:
        os._exit(1)
    return list(chunk)


def killed_once(context: str, chunk: list[int]) -> list[int]:
    """As if the system had killed the process, the first time only; ``context`` is a file that remembers."""
    if 3 in chunk and not os.path.exists(context):  # noqa: PTH110
        with open(context, "w"):  # noqa: PTH123
            pass
        os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))
    return list(chunk)


def slow_and_known(context: str, chunk: list[int]) -> list[int]:
    """As ``slow``; the folder ``context`` shows who has begun."""
    with open(f"{context}/{os.getpid()}", "w"):  # noqa: PTH123
        pass
    return slow(None, chunk)


def slow(context: None, chunk: list[int]) -> list[int]:
    time.sleep(60)
    return chunk
