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
from ..predictor import Predictor, Settings
from ..ready import is_out_of_memory
from ..upsample import Rendering
from .frame import Frame
from .motion import Motion, motion_between
from .scenes import link
from .smoothing import Memory, Smoother

Item, Made = TypeVar("Item"), TypeVar("Made")

# Pixels of frames that one stage may hold: about 12 bytes each, and there are four stages.
_PIXELS_AHEAD = 24_000_000


class Pipeline:
    """Colours one film.

    strength: of the smoothing, 0..1. segment: frames of a segment, at least.
    plane, memory: what :meth:`~gan_colorize.inference.video.parts.Parts.last` says, to go on with a film.
    conditions: what the network is told of every frame, of batch size 1, or None.
    measure: keep the small chroma of every frame, smoothed and not, in ``Frame.small``.
    finish: what else is done with a frame that has its colours; it may run in any thread.
    say: told, in a line, of frames that cannot be read and of a batch that had to be made smaller.
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
        finish: Callable[[Frame], Frame] = lambda frame: frame,
        say: Callable[[str], None] = lambda line: None,
    ) -> None:
        self.predictor, self.settings, self.conditions = predictor, settings, conditions
        self.segment, self.plane, self.measure = segment, plane, measure
        self.finish, self.say = finish, say
        self.strength = strength
        self.compare = motion_between if strength > 0.0 else _standing_still
        self.smoother = Smoother(strength, predictor.contract.output_stride, self.compare, memory)
        on_cpu = predictor.device.type == "cpu"
        self.batch_size = batch_size or (1 if on_cpu else 8)
        workers = max(1, torch.get_num_threads() if on_cpu else min(8, torch.get_num_threads()))
        self.pool = ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,))
        self.network: Executor = self.pool if on_cpu else ThreadPoolExecutor(1)
        self.ahead = max(2, min(workers + 2, _PIXELS_AHEAD // max(1, pixels)))

    def run(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """The frames with their colours; those that cannot be read come back with ``error``."""
        try:
            seen = self._ahead(self.pool, self._see, frames)
            pairs = self._ahead(self.pool, self._pair, self._neighbours(seen))
            linked = link(pairs, self.compare, self.segment, self.plane)
            answers = self._ahead(self.network, self._predict, self._batches(linked))
            smoothed = self.smoother.run(chain.from_iterable(answers))
            yield from self._ahead(self.pool, self._render, smoothed)
        finally:
            self.network.shutdown(wait=True, cancel_futures=True)
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
            frame.bits, frame.read = frame.photo.bits, None
            if frame.path is None and frame.index > 0:  # nothing but pixels, and nobody looks at them again
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
            if len(batch) >= self.batch_size or frame.ends_segment:
                yield batch
                batch = []
        if batch:
            yield batch

    def _predict(self, batch: list[Frame]) -> list[Frame]:
        conditions = None if self.conditions is None else self.conditions.repeat(len(batch))
        try:
            answer = self.predictor.predict([frame.seen for frame in batch], conditions)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            answer = None
        if answer is None:  # outside the except clause, so that the failed pass's tensors are free
            if len(batch) == 1:
                raise UserError("not enough memory for the network, even for one frame; try --device cpu")
            half = len(batch) // 2
            self.batch_size = max(1, min(self.batch_size, half))
            self.say(f"out of memory with {len(batch)} frames at once; going on with {self.batch_size}")
            if self.predictor.device.type == "cuda":
                torch.cuda.empty_cache()
            return self._predict(batch[:half]) + self._predict(batch[half:])
        for frame, said in zip(batch, _spoken(answer), strict=True):
            frame.spoken = said
            frame.alone = said if self.measure else None
        return batch

    def _render(self, frame: Frame) -> Frame:
        chroma = self._chroma(frame.spoken, frame)
        if frame.alone is not None:
            before = chroma if frame.alone is frame.spoken else self._chroma(frame.alone, frame)
            frame.small = chroma.ab[0], before.ab[0]
        device = self.predictor.device
        frame.rgb8 = Rendering(
            frame.lightness,
            chroma.ab[0],
            chroma.extent,
            seen=chroma.seen,
            bits=16 if frame.bits > 8 else 8,
            device=device if device.type == "cuda" else "cpu",
        ).whole()
        frame.spoken = frame.alone = frame.lightness = None  # of these there is one a frame
        return self.finish(frame)

    def _chroma(self, spoken: Tensor, frame: Frame):
        distribution = self.predictor.contract.returns == "distribution"
        answer = Prediction(logits=spoken[None]) if distribution else Prediction(ab=spoken[None])
        return self.predictor.decode(answer, [frame.seen], self.settings)[0]


@torch.inference_mode()
def _spoken(answer: Prediction) -> Tensor:
    """What may be averaged over frames, float32: log-probabilities (a geometric mean), or ab."""
    if answer.ab is not None:
        return answer.ab.float()
    return answer.logits.float().log_softmax(1).contiguous(memory_format=torch.channels_last)


def _standing_still(frame: np.ndarray, earlier: np.ndarray) -> Motion:
    """For frames that are coloured one by one: no shots are told apart, and OpenCV is not needed."""
    return Motion(np.zeros((*frame.shape, 2), np.float32), np.zeros(frame.shape, np.float32), same_shot=True)
