"""Many files through one model: reading, the network and writing overlap, and memory stays bounded."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from pathlib import Path
from threading import Event
from typing import Any

import torch

from ..data.opening import opened
from ..errors import UserError, one_line
from ..files import no_more_room
from .plan import Job
from .predictor import Chroma, Predictor, Settings
from .ready import is_out_of_memory
from .stages import FileResult, Item, Stages, Writing, write_confidence

__all__ = ["FileResult", "Writing", "colour_files", "line_for", "write_confidence"]

# Photographs being worked on hold about 12 bytes a pixel: together some 800 MB, or one huge scan alone.
_PIXELS_IN_FLIGHT = 64_000_000
# Photographs in one pass of the network on a CPU; more bring little.
_MOST_IN_PASS = 8
# Seconds for which one thread may keep the others from Python.
_LONGEST_TURN = 5e-4


def colour_files(
    predictor: Predictor,
    jobs: Sequence[Job],
    settings: Settings,
    *,
    batch_size: int | None = None,
    writing: Writing | None = None,
    say: Callable[[str], None] = lambda line: None,
    stop: Event | None = None,
) -> Iterator[FileResult]:
    """Colour files; yields one result a file in the order in which they are finished.

    When the disk is full, one file fails with that line and those that are left are "not tried".

    On a CPU every core takes whole photographs, each with a single-threaded network: no thread waits
    for another within a layer. On an accelerator one thread feeds it batches of photographs of one
    padded size while the others read and write.

    jobs: what is wished of a photograph stands in its job; settings that are not given are taken from there.
    batch_size: photographs in one pass of the network; None is up to 8 on a CPU and 16 elsewhere.
    say: receives a line whenever memory ran out and what was done about it.
    stop: when it is set, photographs that are being written are finished and told, and nothing else. (An
        exception in whoever takes the results could not tell them any more.)
    """
    return _Pipeline(predictor, jobs, settings, batch_size, writing or Writing(), say, stop or Event()).run()


class _Pipeline:
    def __init__(
        self,
        predictor: Predictor,
        jobs: Sequence[Job],
        settings: Settings,
        batch_size: int | None,
        writing: Writing,
        say: Callable[[str], None],
        stop: Event,
    ) -> None:
        on_cpu = self.on_cpu = predictor.device.type == "cpu"
        self.say, self.stop = say, stop
        self.todo = iter(jobs)
        cores = torch.get_num_threads()
        workers = self.workers = max(1, min(cores, len(jobs)))
        # The fixed cost of a pass is shared by those in it: 8 take 0.6 of the time of as many alone. Where
        # there are few photographs all cores should have some.
        # Not of samples: who shares a pass depends on chance, and with it the last bit in float32.
        several = 1 if settings.samples else min(_MOST_IN_PASS, max(1, len(jobs) // (2 * workers)))
        self.batch_size = batch_size or (several if on_cpu else 16)
        # One thread each even for a single photograph: a second one costs a fifth more CPU time in waiting.
        # One more than there is work for: it goes on while another waits for the disk.
        threads = workers + (len(jobs) > workers)
        self.pool = ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,))
        self.network = self.pool if on_cpu else ThreadPoolExecutor(1)
        samples_alone = on_cpu and not batch_size
        self.stages = Stages(predictor, settings, writing, samples_alone, self._on_network, say)
        self.most = 2 * workers + (1 if on_cpu else 2) * self.batch_size
        self.in_flight: list[Item] = []
        self.again: list[Job] = []  # those for which there was no memory beside others
        self.retried: set[Path] = set()
        # every running future, with what to do with its outcome
        self.running: dict[Future, tuple[Callable[[Any, Any], Iterator[FileResult]], Any]] = {}
        self.reading = 0
        self.disk_full = False
        self.buckets: dict[tuple[Any, ...], list[Item]] = defaultdict(list)

    def run(self) -> Iterator[FileResult]:
        # A thread that comes back from the network or a decoder waits that long for Python's lock at most;
        # with the usual 5 ms, a third of what a photograph takes, cores stand still.
        before = sys.getswitchinterval()
        sys.setswitchinterval(min(before, _LONGEST_TURN))
        try:
            more = self._submit_reads()
            while self.running or self.buckets:
                self._flush(more)
                done, _ = wait(self.running, return_when=FIRST_COMPLETED)
                for future in done:
                    follow_up, subject = self.running.pop(future)
                    yield from follow_up(subject, future)
                if self.stop.is_set() or self.disk_full:
                    yield from self._finish_writes()
                    if self.disk_full:
                        yield from self._not_tried()
                    return
                more = self._submit_reads()
        except KeyboardInterrupt:
            yield from self._finish_writes()
            raise
        finally:
            self._shut_down()
            sys.setswitchinterval(before)

    def _finish_writes(self) -> Iterator[FileResult]:
        """What was being written when the user stopped is whole, so it is told as coloured."""
        self._shut_down()
        for future, (follow_up, subject) in list(self.running.items()):
            if follow_up == self._after_write and not future.cancelled():
                yield from follow_up(subject, future)

    def _not_tried(self) -> Iterator[FileResult]:
        for job in [*(item.job for item in self.in_flight), *self.again, *self.todo]:
            yield FileResult(job.source, "not tried")

    def _shut_down(self) -> None:
        for pool in {self.pool, self.network}:
            pool.shutdown(wait=True, cancel_futures=True)

    def _room(self) -> bool:
        pixels = sum(item.pixels for item in self.in_flight)
        return not self.in_flight or (len(self.in_flight) < self.most and pixels < _PIXELS_IN_FLIGHT)

    def _on_network(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Run where the network runs, and wait for it."""
        if self.network is self.pool:
            return function(*arguments)
        return self.network.submit(function, *arguments).result()

    def _submit_reads(self) -> bool:
        """Start reading while there is room; whether files are left."""
        while self._room():
            job = next(self.todo, None)
            if job is None and self.again and not self.in_flight:
                job = self.again.pop()
            if job is None:
                return bool(self.again)
            item = Item(job, _pixels(job.source), FileResult(job.source))
            self.in_flight.append(item)
            self.reading += 1
            self.running[self.pool.submit(self.stages.read, item)] = (self._after_read, item)
        return True

    def _flush(self, more: bool) -> None:
        """Predict buckets that need not wait until they are full: on a CPU as soon as a core is idle;
        elsewhere one when all wait for it, and all of them at the end. ``more``: files are left to read."""
        stuck = not self.reading and not (more and self._room())
        while self.buckets and (
            (stuck and not more)
            or (stuck and not self.running)
            or (self.on_cpu and len(self.running) < self.workers)
        ):
            self._submit_predict(max(self.buckets, key=lambda key: len(self.buckets[key])))

    def _submit_predict(self, key: tuple[Any, ...]) -> None:
        items = self.buckets.pop(key)
        self.running[self.network.submit(self.stages.predict, items)] = (self._after_predict, items)

    def _after_read(self, item: Item, future: Future) -> Iterator[FileResult]:
        self.reading -= 1
        if future.exception():
            yield from self._failed(item, future.exception())
            return
        if item.result.status == "left out":
            self.in_flight.remove(item)
            yield item.result
            return
        self.buckets[item.key].append(item)
        if item.alone or len(self.buckets[item.key]) >= self.batch_size:
            self._submit_predict(item.key)

    def _after_predict(self, items: list[Item], future: Future) -> Iterator[FileResult]:
        if self.stages.most is not None:
            self.batch_size = min(self.batch_size, self.stages.most)
        outcomes = [future.exception()] * len(items) if future.exception() else future.result()
        for item, outcome in zip(items, outcomes, strict=True):
            if isinstance(outcome, Chroma):
                self.running[self.pool.submit(self.stages.write, item, outcome)] = (self._after_write, item)
            else:
                yield from self._failed(item, outcome)

    def _after_write(self, item: Item, future: Future) -> Iterator[FileResult]:
        if future.exception():
            yield from self._failed(item, future.exception())
        else:
            self.in_flight.remove(item)
            yield item.result

    def _failed(self, item: Item, error: BaseException) -> Iterator[FileResult]:
        self.in_flight.remove(item)
        source = item.job.source
        if is_out_of_memory(error) and self.in_flight and source not in self.retried:
            self.retried.add(source)
            self.again.append(item.job)
            self.say(f"{source}: not enough memory beside other photographs; trying again alone")
            return
        item.result.status, item.result.error = "failed", line_for(source, error)
        if no_more_room(error):
            if self.disk_full:  # one line is enough
                yield FileResult(source, "not tried", item.result.outputs)
                return
            self.disk_full = True
            item.result.error += "; stopped"
        yield item.result


def _pixels(path: Path) -> int:
    """Pixels by the file's header; by its size when it cannot be told (reading it will say why)."""
    with suppress(Exception), opened(path) as image:
        return image.width * image.height
    with suppress(OSError):
        return path.stat().st_size // 2
    return 0


def line_for(source: Path, error: BaseException) -> str:
    """An error in one line that names its file. A bug in one file must not stop the other ten thousand."""
    text = one_line(error)
    if is_out_of_memory(error):
        text = "not enough memory for this photograph"
    elif not isinstance(error, UserError):
        text = f"unexpected {type(error).__name__}: {text}"
    return text if str(source) in text else f"{source}: {text}"
