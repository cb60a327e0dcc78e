"""Distributions over colour carried along the motion, so that colours do not flicker.

Every pixel keeps a running mean of what the network said of the thing that it shows: of log-probabilities
(a geometric mean of the distributions, as over views) or, for networks without, of ab. What was hidden, moved
too fast to be followed, or changed its lightness starts anew; so does every shot.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ...color.threads import one_thread
from .frame import Frame
from .motion import Motion, opencv

# A mean that never forgets would keep what slow changes of light have made wrong.
_MOST = 0.98

# The first frame of a shot would decide alone for the next ones: it is settled with this many after it.
AHEAD = 6

Compare = Callable[[np.ndarray, np.ndarray], Motion]


@dataclass(frozen=True)
class Memory:
    """What is carried from frame to frame.

    mean:  (1, C, h, w) float32. count: (1, 1, h, w) float32, of how many frames, 1 or more.
    """

    mean: Tensor
    count: Tensor


class Smoother:
    """The mean of the frames so far.

    strength: 0..1, the share that all earlier frames together have at most in a frame's colours.
    stride:   pixels of the network's input for one of its output.
    compare:  :func:`~gan_colorize.inference.video.motion.motion_between`.
    """

    def __init__(self, strength: float, stride: int, compare: Compare, memory: Memory | None = None) -> None:
        self.most, self.stride, self.compare = min(strength, _MOST), stride, compare
        self.memory = memory

    def run(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """Frames with ``spoken`` smoothed, and ``memory`` where a segment ends."""
        waiting: deque[Frame] = deque()
        source = iter(frames)
        while True:
            waiting.extend(islice(source, AHEAD + 1 - len(waiting)))
            if not waiting:
                return
            frame = waiting.popleft()
            if self.most > 0.0:
                self._smooth(frame, waiting)
            yield frame

    @torch.inference_mode()
    @one_thread()
    def _smooth(self, frame: Frame, following: Iterable[Frame]) -> None:
        said = frame.spoken[None]
        if frame.kind == "flash":  # neither to be believed nor to be remembered
            return
        if frame.link is not None and self.memory is not None:
            memory = _step(self.memory, said, frame.link, self.stride, self.most)
        else:
            memory = self._settled(frame, following)
        frame.spoken, self.memory = memory.mean[0], memory
        if frame.ends_segment:
            frame.memory = memory

    def _settled(self, frame: Frame, following: Iterable[Frame]) -> Memory:
        """The mean of the first frame of a shot and those after it, followed backwards in time."""
        shot = [frame]
        for other in following:
            if other.kind in ("cut", "first"):
                break
            if other.kind == "follows":
                shot.append(other)
        memory = _begin(shot[-1].spoken[None])
        for other, later in zip(shot[-2::-1], shot[:0:-1], strict=True):
            motion = self.compare(other.seen.plane, later.seen.plane)
            memory = _step(memory, other.spoken[None], motion, self.stride, self.most)
        return memory


def _begin(said: Tensor) -> Memory:
    return Memory(said, said.new_ones(1, 1, *said.shape[2:]))


def _step(memory: Memory, said: Tensor, motion: Motion, stride: int, most: float) -> Memory:
    """The mean after one more frame; where the motion is not to be trusted it is that frame's alone."""
    height, width = said.shape[2:]
    grid, trust = (part.to(said.device) for part in _on_grid(motion, (height, width), stride))
    count, before = memory.count.to(said.device), memory.mean.to(said.device)  # memory may have run out
    known = trust * _warp(count, grid)  # of how many frames' worth the mean is here
    share = (known / (known + 1.0)).clamp_(max=most)
    mean = torch.lerp(said, _warp(before, grid), share)
    return Memory(mean, 1.0 + known)


def _warp(planes: Tensor, grid: Tensor) -> Tensor:
    return F.grid_sample(planes, grid, mode="bilinear", padding_mode="border", align_corners=False)


def _on_grid(motion: Motion, shape: tuple[int, int], stride: int) -> tuple[Tensor, Tensor]:
    """(1, h, w, 2) places to look at, -1..1 as ``grid_sample`` wants them, and (1, 1, h, w) trust."""
    cv2, (height, width) = opencv(), shape
    flow = cv2.resize(motion.flow, (width, height), interpolation=cv2.INTER_AREA) / stride
    trust = cv2.resize(motion.trust, (width, height), interpolation=cv2.INTER_AREA)
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    places = np.stack([columns + flow[..., 0], rows + flow[..., 1]], -1)
    places = (places + 0.5) * (2.0 / np.float32([width, height])) - 1.0
    return torch.from_numpy(places)[None], torch.from_numpy(trust)[None, None]
