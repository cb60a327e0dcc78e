"""One core at a time for work that comes in pieces as small as a cache."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Runs torch's CPU operations on the calling thread alone; also a decorator.

    An operation on a cache-sized band takes microseconds. Shared among threads, it waits longer at their
    barrier than it saves: twice the CPU time on a quiet machine, ten times beside another busy process.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
