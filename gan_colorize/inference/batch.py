"""Many files through one model: reading, the network and writing overlap, and memory stays bounded."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import torch
from PIL import Image

from ..data.image_io import Photo, read_photo, write_photo
from ..errors import UserError, one_line
from ..files import no_more_room, save_image
from . import steering
from .plan import Job
from .predictor import Chroma, Predictor, Seen, Settings
from .ready import is_out_of_memory
from .result import confidence_map, notices
from .upsample import render

# Photographs being worked on hold about 12 bytes a pixel: together some 800 MB, or one huge scan alone.
_PIXELS_IN_FLIGHT = 64_000_000


@dataclass
class FileResult:
    """What became of one file.

    status: "coloured" (or what else was done), "failed" or "not tried"; size and seen are (width, height).
    hints: the file of hints that was followed. drawn: temperature, saturation and seed (of the first sample,
    or None) of the colourings; None where they are those of the run.
    """

    source: Path
    status: str = "coloured"
    outputs: list[Path] = field(default_factory=list)
    seconds: float = 0.0
    size: tuple[int, int] | None = None
    seen: tuple[int, int] | None = None
    warnings: list[str] = field(default_factory=list)
    error: str | None = None
    hints: Path | None = None
    drawn: dict[str, float | int | None] | None = None


@dataclass
class _Item:
    """A photograph on its way; ``pixels`` is what it counts for in the memory budget. ``key``: photographs of
    one key may share a pass of the network; ``told`` and ``settings`` are then the same for all. One that is
    ``alone`` shares its pass with none."""

    job: Job
    pixels: int
    result: FileResult
    photo: Photo | None = None
    lightness: np.ndarray | None = None
    seen: Seen | None = None
    told: steering.Told = steering.NOTHING
    settings: Settings | None = None
    key: tuple[Any, ...] = ()
    alone: bool = False


def colour_files(
    predictor: Predictor,
    jobs: Sequence[Job],
    settings: Settings,
    *,
    batch_size: int | None = None,
    quality: int = 95,
    say: Callable[[str], None] = lambda line: None,
    stop: Event | None = None,
) -> Iterator[FileResult]:
    """Colour files; yields one result a file in the order in which they are finished.

    When the disk is full, one file fails with that line and those that are left are "not tried".

    On a CPU every core takes whole photographs, each with a single-threaded network: no thread waits
    for another within a layer. On an accelerator one thread feeds it batches of photographs of one
    padded size while the others read and write.

    jobs: what is wished of a photograph stands in its job; settings that are not given are taken from there.
    batch_size: photographs in one pass of the network; None is 1 or 2 on a CPU and 16 elsewhere.
    say: receives one line when the batch is halved because memory ran out.
    stop: when it is set, photographs that are being written are finished and told, and nothing else. (An
        exception in whoever takes the results could not tell them any more.)
    """
    return _Pipeline(predictor, jobs, settings, batch_size, quality, say, stop or Event()).run()


class _Pipeline:
    def __init__(
        self,
        predictor: Predictor,
        jobs: Sequence[Job],
        settings: Settings,
        batch_size: int | None,
        quality: int,
        say: Callable[[str], None],
        stop: Event,
    ) -> None:
        on_cpu = self.on_cpu = predictor.device.type == "cpu"
        self.predictor, self.settings, self.quality, self.say = predictor, settings, quality, say
        self.stop = stop
        self.todo = iter(jobs)
        cores = torch.get_num_threads()
        workers = self.workers = max(1, min(cores, len(jobs)))
        # A pass brings the weights into the layout of the CPU's matrix units: a seventh of the time of a
        # photograph, which two share where there are enough to keep every core busy.
        # Not of samples: who shares a pass depends on chance, and with it the last bit in float32.
        pair_or_one = 2 if len(jobs) >= 4 * workers and not settings.samples else 1
        self.batch_size = batch_size or (pair_or_one if on_cpu else 16)
        self.samples_alone = on_cpu and not batch_size
        # One thread each even for a single photograph: a second one costs a fifth more CPU time in waiting.
        self.pool = ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,))
        self.network = self.pool if on_cpu else ThreadPoolExecutor(1)
        self.most = 2 * workers + 2 * self.batch_size
        self.in_flight: list[_Item] = []
        # every running future, with what to do with its outcome
        self.running: dict[Future, tuple[Callable[[Any, Any], Iterator[FileResult]], Any]] = {}
        self.reading = 0
        self.disk_full = False
        self.buckets: dict[tuple[Any, ...], list[_Item]] = defaultdict(list)

    def run(self) -> Iterator[FileResult]:
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

    def _finish_writes(self) -> Iterator[FileResult]:
        """What was being written when the user stopped is whole, so it is told as coloured."""
        self._shut_down()
        for future, (follow_up, subject) in list(self.running.items()):
            if follow_up == self._after_write and not future.cancelled():
                yield from follow_up(subject, future)

    def _not_tried(self) -> Iterator[FileResult]:
        for job in [*(item.job for item in self.in_flight), *self.todo]:
            yield FileResult(job.source, "not tried")

    def _shut_down(self) -> None:
        for pool in {self.pool, self.network}:
            pool.shutdown(wait=True, cancel_futures=True)

    def _room(self) -> bool:
        pixels = sum(item.pixels for item in self.in_flight)
        return not self.in_flight or (len(self.in_flight) < self.most and pixels < _PIXELS_IN_FLIGHT)

    def _submit_reads(self) -> bool:
        """Start reading while there is room; whether files are left."""
        while self._room():
            job = next(self.todo, None)
            if job is None:
                return False
            item = _Item(job, _pixels(job.source), FileResult(job.source))
            self.in_flight.append(item)
            self.reading += 1
            self.running[self.pool.submit(self._read, item)] = (self._after_read, item)
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
        self.running[self.network.submit(self._predict, items)] = (self._after_predict, items)

    def _after_read(self, item: _Item, future: Future) -> Iterator[FileResult]:
        self.reading -= 1
        if future.exception():
            yield self._failed(item, future.exception())
            return
        self.buckets[item.key].append(item)
        if item.alone or len(self.buckets[item.key]) >= self.batch_size:
            self._submit_predict(item.key)

    def _after_predict(self, items: list[_Item], future: Future) -> Iterator[FileResult]:
        outcomes = [future.exception()] * len(items) if future.exception() else future.result()
        for item, outcome in zip(items, outcomes, strict=True):
            if isinstance(outcome, Chroma):
                self.running[self.pool.submit(self._write, item, outcome)] = (self._after_write, item)
            else:
                yield self._failed(item, outcome)

    def _after_write(self, item: _Item, future: Future) -> Iterator[FileResult]:
        if future.exception():
            yield self._failed(item, future.exception())
        else:
            self.in_flight.remove(item)
            yield item.result

    def _failed(self, item: _Item, error: BaseException) -> FileResult:
        self.in_flight.remove(item)
        item.result.status, item.result.error = "failed", line_for(item.job.source, error)
        if no_more_room(error):
            if self.disk_full:  # one line is enough
                return FileResult(item.job.source, "not tried", item.result.outputs)
            self.disk_full = True
            item.result.error += "; stopped"
        return item.result

    # The three stages, each in a thread of a pool.

    def _read(self, item: _Item) -> None:
        started = time.perf_counter()
        item.photo = read_photo(item.job.source)
        item.lightness = item.photo.lightness()
        item.seen = self.predictor.see(item.lightness)
        self._tell(item)
        item.result.size = item.lightness.shape[::-1]
        item.result.seen = item.seen.shape[::-1]
        item.result.seconds += time.perf_counter() - started

    def _tell(self, item: _Item) -> None:
        """What is wished of the photograph, now that its size is known."""
        wishes, (height, width) = item.job.wishes, item.lightness.shape
        item.settings, item.key = self.settings, (item.seen.plane.shape, wishes and wishes.without_hints())
        if wishes is None:
            return
        wishes = wishes.fitted(width, height, str(item.job.hints_file or item.job.source))
        item.settings = steering.settings_of(wishes, self.settings)
        item.told = steering.tell(wishes, (height, width), item.seen, self.predictor.contract)
        # One with hints of its own has no companions; nor has one of which a sample is wished.
        item.alone = item.told.hints is not None or (self.samples_alone and item.settings.samples > 0)
        if item.alone:
            item.key = (*item.key, id(item))
        item.result.hints = item.job.hints_file
        if item.job.hints_file is not None:
            settings, predictor = item.settings, self.predictor
            item.result.drawn = {
                "temperature": predictor.temperature_of(settings),
                "saturation": predictor.saturation_of(settings),
                "seed": settings.first_seed if settings.samples else None,
            }

    def _predict(self, items: list[_Item]) -> list[Chroma | BaseException]:
        started = time.perf_counter()
        seen, told, settings = [item.seen for item in items], items[0].told, items[0].settings
        try:
            answer = steering.predict(self.predictor, seen, told)
            outcomes = steering.decode(self.predictor, answer, seen, told, settings)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            if len(items) == 1:
                return [UserError("not enough memory for the network, even for one photograph")]
            outcomes = None
        if outcomes is None:  # outside the except clause, so that the failed pass's tensors are free
            half = len(items) // 2
            self.batch_size = max(1, min(self.batch_size, half))
            self.say(f"out of memory with {len(items)} photographs at once; going on with {self.batch_size}")
            if self.predictor.device.type == "cuda":
                torch.cuda.empty_cache()
            return self._predict(items[:half]) + self._predict(items[half:])
        for item in items:
            item.result.seconds += (time.perf_counter() - started) / len(items)
        return outcomes

    def _write(self, item: _Item, chroma: Chroma) -> None:
        started = time.perf_counter()
        photo, result = item.photo, item.result
        for path, ab in zip(item.job.outputs, chroma.ab, strict=True):
            rgb8 = render(item.lightness, ab, chroma.extent, seen=chroma.seen)
            write_photo(path, rgb8, photo, quality=self.quality)
            result.outputs.append(path)
        if item.job.confidence is not None and chroma.confidence is not None:
            write_confidence(item.job.confidence, confidence_map(chroma, item.lightness.shape))
            result.outputs.append(item.job.confidence)
        result.warnings = notices(photo, chroma, item.seen.shape, self.predictor.size)
        result.seconds += time.perf_counter() - started
        item.photo = item.lightness = None


def write_confidence(path: Path, confidence: np.ndarray) -> None:
    """A map (H, W) in 0..1 as an 8-bit grey PNG: white is sure, black is any colour."""
    save_image(path, Image.fromarray(np.rint(confidence * 255.0).astype(np.uint8)), "PNG")


def _pixels(path: Path) -> int:
    """Pixels by the file's header; 0 when it cannot be told (reading it will say why)."""
    with suppress(Exception), Image.open(path) as image:
        return image.width * image.height
    return 0


def line_for(source: Path, error: BaseException) -> str:
    """An error in one line that names its file. A bug in one file must not stop the other ten thousand."""
    text = one_line(error)
    if is_out_of_memory(error):
        text = "not enough memory for this photograph"
    elif not isinstance(error, UserError):
        text = f"unexpected {type(error).__name__}: {text}"
    return text if str(source) in text else f"{source}: {text}"
