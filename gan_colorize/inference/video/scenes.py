"""Where one shot ends and another begins; flashes and faults that last a few frames end none."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import islice

import numpy as np

from .frame import Frame
from .motion import Motion

# A shot goes on if it is back after at most this many frames of something else: a flash, a splice, dirt.
LONGEST_FLASH = 3

Compare = Callable[[np.ndarray, np.ndarray], Motion]


def link(
    frames: Iterable[Frame], compare: Compare, segment: int, last: np.ndarray | None = None
) -> Iterator[Frame]:
    """Say of every frame which earlier one it goes on from: ``kind``, ``link`` and ``ends_segment``.

    frames:  in order; ``motion`` is that from the frame just before, or None where sizes differ.
    compare: :func:`~gan_colorize.inference.video.motion.motion_between`, for frames that are further apart.
    segment: how many frames a segment has at least. It ends only where nothing but the plane of its last
        frame need be known to go on: so a run that was killed finds the same cuts as one that was not.
    last:    that plane, of the segment before.
    """
    waiting: deque[Frame] = deque()
    source = iter(frames)
    count, previous = 0, True  # whether ``motion`` of the next frame is from the plane ``last``
    while True:
        waiting.extend(islice(source, LONGEST_FLASH + 1 - len(waiting)))
        if not waiting:
            return
        frame = waiting.popleft()
        plane = frame.seen.plane
        frame.link = None
        if last is not None and last.shape == plane.shape:
            frame.link = frame.motion if previous else compare(plane, last)
        if frame.link is not None and frame.link.same_shot:
            frame.kind = "follows"
        elif last is not None and _comes_back(waiting, last, compare):
            frame.kind, frame.link = "flash", None
        else:
            frame.kind, frame.link = ("first" if last is None else "cut"), None
        previous = frame.kind != "flash"
        if previous:
            last = plane
        count += 1
        if previous and count >= segment:
            frame.ends_segment, count = True, 0
        yield frame


def _comes_back(waiting: Iterable[Frame], last: np.ndarray, compare: Compare) -> bool:
    planes = [frame.seen.plane for frame in islice(waiting, LONGEST_FLASH)]
    return any(plane.shape == last.shape and compare(plane, last).same_shot for plane in planes)
