"""What the network says of frames, with what memory there is: never grey, and every step said aloud."""

from __future__ import annotations

import threading
from collections.abc import Callable

import torch
from torch import Tensor

from ...errors import UserError
from ...models.contract import Conditions, Prediction
from ..predictor import Predictor
from ..ready import SMALLER, attempt
from ..views import resample
from .frame import Frame


class Network:
    """Where memory runs out: half as many frames at once, then frames seen smaller, then the CPU.

    A film stays where it got to, for colours that change with the memory of the moment would flicker; and
    whatever the network saw, its answer is on the grid of frames seen at their whole working size, so motion
    and smoothing need not know.

    batch_size: frames at once. warn: told, in a line and from any thread, of each step.
    """

    def __init__(
        self,
        predictor: Predictor,
        conditions: Conditions | None,
        batch_size: int,
        warn: Callable[[str], None],
    ) -> None:
        self.predictor, self.conditions, self.batch_size, self.warn = predictor, conditions, batch_size, warn
        self._step, self._on_cpu = 0, None
        self._lock = threading.Lock()

    def say_of(self, batch: list[Frame]) -> list[Tensor]:
        """Of each frame (Q, h, w) log-probabilities or (2, h, w) ab, float32.

        Raises:
            UserError: there is no memory even for one frame.
        """
        while True:
            step = self._step
            if step and len(batch) > 1:  # of one size, and perhaps not of one when they are seen smaller
                return [said for frame in batch for said in self.say_of([frame])]
            said = attempt(lambda step=step: self._said(batch, step), self.predictor.device)
            if said is not None:
                return said
            if len(batch) > 1:
                half = len(batch) // 2
                with self._lock:
                    if half < self.batch_size:
                        self.batch_size = half
                        self.warn(f"out of memory with {len(batch)} frames at once; going on with {half}")
                return self.say_of(batch[:half]) + self.say_of(batch[half:])
            self._go_down(step)

    def _go_down(self, step: int) -> None:
        """The next step, unless another thread has taken it in the meantime."""
        with self._lock:
            if self._step > step:
                return
            device = self.predictor.device
            if step < len(SMALLER):
                size = round(self.predictor.size * SMALLER[step])
                self.warn(f"out of memory with one frame; going on with a working size of {size}")
            elif step == len(SMALLER) and device.type != "cpu":
                self.warn(f"out of memory on {device} with one frame; going on with the CPU")
                self._on_cpu = self.predictor.on_cpu()
            else:
                raise UserError("not enough memory for the network, even for one frame seen at half size")
            self._step += 1

    @torch.inference_mode()
    def _said(self, batch: list[Frame], step: int) -> list[Tensor]:
        conditions = None if self.conditions is None else self.conditions.repeat(len(batch))
        if not 1 <= step <= len(SMALLER):
            predictor = self._on_cpu or self.predictor
            return list(_spoken(predictor.predict([frame.seen for frame in batch], conditions)))
        stride = self.predictor.contract.output_stride
        (frame,) = batch
        small = self.predictor.see(frame.lightness, SMALLER[step - 1])
        spoken = _spoken(self.predictor.predict([small], conditions))
        height, width = frame.seen.plane.shape
        like = torch.empty(1, 1, height // stride, width // stride, device="meta")
        return list(resample(spoken, small.extent(stride), like, frame.seen.extent(stride)))


def _spoken(answer: Prediction) -> Tensor:
    """What may be averaged over frames, float32: log-probabilities (a geometric mean), or ab."""
    if answer.ab is not None:
        return answer.ab.float()
    return answer.logits.float().log_softmax(1).contiguous(memory_format=torch.channels_last)
