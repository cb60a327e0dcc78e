"""Chunks of work in processes that may die: a broken decoder costs one image, not the scan."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any

# Work that is handed out but not done; bounds the memory that finished chunks hold while they wait.
_AHEAD = 3

_context: Any = None


def run_chunks(
    function: Callable[[Any, list[int]], Any],
    context: Any,
    chunks: Sequence[list[int]],
    workers: int,
) -> Iterator[tuple[list[int], Any]]:
    """Yield (chunk, ``function(context, chunk)``) for every chunk, in the order they finish.

    Args:
        function: importable by name, for processes are spawned.
        context: pickled once for each process.
        chunks: lists of item numbers.
        workers: processes; 0 runs everything here.

    When a process dies (a crash in a decoder, out of memory, a kill), the chunks that were under way run
    again, each alone; one that dies again is split into its items, and an item that dies alone is yielded as
    ``([item], None)``. Leaving the generator early, as Ctrl-C does, ends the processes.
    """
    if workers <= 0:
        for chunk in chunks:
            yield chunk, function(context, chunk)
        return
    todo = deque(chunks)
    while todo:
        suspects: list[list[int]] = []
        with _pool(workers, context) as pool:
            yield from _run_until_death(pool, function, todo, workers * _AHEAD, suspects)
        yield from _run_alone(function, context, suspects)


def _run_until_death(
    pool: ProcessPoolExecutor,
    function: Callable,
    todo: deque[list[int]],
    ahead: int,
    suspects: list[list[int]],
) -> Iterator[tuple[list[int], Any]]:
    """Work ``todo`` off; when a process dies, leave what was under way in ``suspects``."""
    running: dict[Future, list[int]] = {}
    while todo or running:
        while todo and len(running) < ahead and not suspects:
            chunk = todo.popleft()
            try:
                running[pool.submit(_call, function, chunk)] = chunk
            except BrokenProcessPool:
                suspects.append(chunk)
        if not running:
            return
        for future in wait(running, return_when=FIRST_COMPLETED).done:
            chunk = running.pop(future)
            try:
                result = future.result()
            except BrokenProcessPool:
                suspects.append(chunk)
            else:
                yield chunk, result


def _run_alone(
    function: Callable, context: Any, suspects: list[list[int]]
) -> Iterator[tuple[list[int], Any]]:
    todo = deque(suspects)
    while todo:
        with _pool(1, context) as pool:
            while todo:
                chunk = todo.popleft()
                try:
                    result = pool.submit(_call, function, chunk).result()
                except BrokenProcessPool:
                    if len(chunk) == 1:
                        yield chunk, None
                    else:
                        todo.extendleft([[item] for item in reversed(chunk)])
                    break
                yield chunk, result


@contextmanager
def _pool(workers: int, context: Any) -> Iterator[ProcessPoolExecutor]:
    # Spawned on every system: a fork would copy the parent's threads' locks, torch's among them.
    pool = ProcessPoolExecutor(
        workers, multiprocessing.get_context("spawn"), initializer=_begin, initargs=(context,)
    )
    try:
        yield pool
    except BaseException:
        processes = list((pool._processes or {}).values())  # the public API cannot stop a running call
        pool.shutdown(wait=False, cancel_futures=True)
        for process in processes:
            process.terminate()
        raise
    pool.shutdown()


def _begin(context: Any) -> None:
    global _context
    _context = context
    # Ctrl-C reaches the whole group; the parent decides, and children stay quiet.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A parent that is killed ends nobody, and its children would wait for work for ever."""
    multiprocessing.parent_process().join()
    os._exit(1)


def _call(function: Callable, chunk: list[int]) -> Any:
    return function(_context, chunk)
