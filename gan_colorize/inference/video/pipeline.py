"""From frames to coloured frames, in order: every stage works ahead of the next one, a bounded way.

Reading, motion, network and full-size colours share the cores, a frame a core; only the smoothing, which
needs one frame after the other, and the linking of shots run in between. On an accelerator one thread feeds
the network batches.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from itertools import chain
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from ...errors import UserError
from ...models.contract import Conditions, Prediction
from ..predictor import Chroma, Predictor, Settings
from ..ready import attempt
from ..upsample import Rendering
from .frame import Frame, mark_of
from .motion import Motion, motion_between
from .network import Network
from .scenes import link
from .smoothing import Memory, Smoother

Item, Made = TypeVar("Item"), TypeVar("Made")

# Pixels of frames that one stage may hold: about 12 bytes each, and there are four stages.
_PIXELS_AHEAD = 24_000_000


def whole(frame: Frame, rendering: Rendering) -> Frame:
    """A frame with all of its pixels."""
    frame.rgb8 = rendering.whole()
    return frame


class Pipeline:
    """Colours one film.

    strength: of the smoothing, 0..1. segment: frames of a segment, at least.
    plane, memory: what :meth:`~gan_colorize.inference.video.parts.Parts.last` says, to go on with a film.
    conditions: what the network is told of every frame, of batch size 1, or None.
    measure: keep the small chroma of every frame, smoothed and not, in ``Frame.small``.
    form: bits and ICC profile of a frame's result; None is sRGB.
    finish: what is done with a frame whose colours can be made; it may run in any thread, and again where
        memory ran out.
    say: told, in a line, of frames that cannot be read. warn: what was done where memory ran out, any thread.
    """

    def __init__(
        self,
        predictor: Predictor,
        settings: Settings,
        *,
        strength: float,
        segment: int,
        pixels: int,
        plane: np.ndarray | None = None,
        memory: Memory | None = None,
        conditions: Conditions | None = None,
        batch_size: int | None = None,
        measure: bool = False,
        form: Callable[[Frame], tuple[int, bytes | None]] = lambda frame: (8, None),
        finish: Callable[[Frame, Rendering], Frame] = whole,
        say: Callable[[str], None] = lambda line: None,
        warn: Callable[[str], None] = lambda line: None,
    ) -> None:
        self.predictor, self.settings = predictor, settings
        self.segment, self.plane, self.measure = segment, plane, measure
        self.form, self.finish, self.say, self.warn = form, finish, say, warn
        self.render_device = predictor.render_device
        self.strength = strength
        self.compare = motion_between if strength > 0.0 else _standing_still
        self.smoother = Smoother(strength, predictor.contract.output_stride, self.compare, memory)
        on_cpu = predictor.device.type == "cpu"
        self.network = Network(predictor, conditions, batch_size or (1 if on_cpu else 8), warn)
        workers = max(1, torch.get_num_threads() if on_cpu else min(8, torch.get_num_threads()))
        self.pool = ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,))
        self.feeder: Executor = self.pool if on_cpu else ThreadPoolExecutor(1)
        self.ahead = max(2, min(workers + 2, _PIXELS_AHEAD // max(1, pixels)))

    def run(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """The frames with their colours; those that cannot be read come back with ``error``."""
        try:
            seen = self._ahead(self.pool, self._see, frames)
            pairs = self._ahead(self.pool, self._pair, self._neighbours(seen))
            linked = link(pairs, self.compare, self.segment, self.plane)
            answers = self._ahead(self.feeder, self._predict, self._batches(linked))
            smoothed = self.smoother.run(chain.from_iterable(answers))
            yield from self._ahead(self.pool, self._render, smoothed)
        finally:
            self.feeder.shutdown(wait=True, cancel_futures=True)
            self.pool.shutdown(wait=True, cancel_futures=True)

    def _ahead(self, pool: Executor, work: Callable[[Item], Made], items: Iterable[Item]) -> Iterator[Made]:
        waiting = deque()
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) > self.ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()

    def _see(self, frame: Frame) -> Frame:
        try:
            frame.photo = frame.read()
            frame.lightness = frame.photo.lightness()
            frame.seen = self.predictor.see(frame.lightness)
            frame.size, frame.read = frame.photo.size, None
            if frame.path is None:
                frame.mark = mark_of(frame.photo)
                if frame.index > 0:  # nothing but pixels, and nobody looks at them again
                    frame.photo = None
        except UserError as error:
            frame.error = str(error)
        return frame

    def _neighbours(self, frames: Iterable[Frame]) -> Iterator[tuple[Frame, np.ndarray | None]]:
        """Frames that can be read, each with what the network sees of the one before."""
        before = self.plane
        for frame in frames:
            if frame.error is not None:
                self.say(frame.error)
                continue
            yield frame, before
            before = frame.seen.plane

    def _pair(self, pair: tuple[Frame, np.ndarray | None]) -> Frame:
        frame, before = pair
        if before is not None and before.shape == frame.seen.plane.shape:
            frame.motion = self.compare(frame.seen.plane, before)
        return frame

    def _batches(self, frames: Iterable[Frame]) -> Iterator[list[Frame]]:
        """Neighbours of one size; a segment begins with a batch, so that a repeated one has the same."""
        batch: list[Frame] = []
        for frame in frames:
            if batch and batch[0].seen.plane.shape != frame.seen.plane.shape:
                yield batch
                batch = []
            batch.append(frame)
            if len(batch) >= self.network.batch_size or frame.ends_segment:
                yield batch
                batch = []
        if batch:
            yield batch

    def _predict(self, batch: list[Frame]) -> list[Frame]:
        for frame, said in zip(batch, self.network.say_of(batch), strict=True):
            frame.spoken = said
            frame.alone = said if self.measure else None
        return batch

    def _render(self, frame: Frame) -> Frame:
        chroma = self._chroma(frame.spoken, frame)
        if frame.alone is not None:
            before = chroma if frame.alone is frame.spoken else self._chroma(frame.alone, frame)
            frame.small = chroma.ab[0], before.ab[0]
        device = self.render_device
        done = attempt(lambda: self._finished(frame, chroma, device), device)
        if done is None and device.type != "cpu":
            self.warn(f"out of memory on {device} for a frame's full size; made on the CPU")
            self.render_device = device = torch.device("cpu")
            done = attempt(lambda: self._finished(frame, chroma, device), device)
        if done is None:
            raise UserError(f"not enough memory for a frame of {frame.size[0]}x{frame.size[1]} pixels")
        frame.spoken = frame.alone = frame.lightness = None  # of these there is one a frame
        return done

    def _finished(self, frame: Frame, chroma: Chroma, device: torch.device) -> Frame:
        bits, profile = self.form(frame)
        how = {"seen": chroma.seen, "bits": bits, "profile": profile, "device": device}
        return self.finish(frame, Rendering(frame.lightness, chroma.ab[0], chroma.extent, **how))

    def _chroma(self, spoken: Tensor, frame: Frame) -> Chroma:
        distribution = self.predictor.contract.returns == "distribution"
        answer = Prediction(logits=spoken[None]) if distribution else Prediction(ab=spoken[None])
        return self.predictor.decode(answer, [frame.seen], self.settings)[0]


def _standing_still(frame: np.ndarray, earlier: np.ndarray) -> Motion:
    """For frames that are coloured one by one: no shots are told apart, and OpenCV is not needed."""
    return Motion(np.zeros((*frame.shape, 2), np.float32), np.zeros(frame.shape, np.float32), same_shot=True)
