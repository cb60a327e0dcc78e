"""Where every pixel of a frame was in the frame before, and how far that can be believed.

Dense inverse search (Kroeger et al. 2016, arXiv:1603.03590) as OpenCV has it, both ways; what does not come
back to where it began is occluded (Sundaram, Brox, Keutzer 2010, section 5).
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...errors import UserError

# OpenCV's search needs some room for its patches; smaller frames are taken as standing still.
_SMALLEST = 16

# Sundaram et al.: squared way there and back, as a share of the squared flows, and in pixels.
_SHARE, _PIXELS = 0.01, 0.5

# Trust falls more slowly than that: where there is nothing but sky and grain, flows miss by some pixels and
# do no harm. (With a sharp border there is a sixth more flicker, and not a bit less error of colour.)
_NEAR, _NEAR_PIXELS = 0.05, 8.0

# A difference of this many L between a pixel and where it came from leaves 1/e of the trust. Grain and lamp
# are taken out before: differences are blurred over this many pixels, and the frame's median is no motion.
_LIGHT, _BLUR = 8.0, 3.0

# The share of a frame about which the flows agree, times the correlation of the frame with its moved
# predecessor, for the two to belong to one shot. Of 230 pairs of grainy frames of one photograph under a
# flickering lamp, one to thirty pixels apart, the least had 0.33 and 0.70; different photographs had at most
# 0.12 or 0.85, and smooth pictures drawn at random 0.23 and 0.44.
_ONE_SHOT = 0.16

# Deviation of L below which a frame is empty (black, white, a cloud), and the mean difference from its
# predecessor up to which it goes on: flows tell nothing there.
_EMPTY, _GOES_ON = 1.5, 2.0


@dataclass(frozen=True)
class Motion:
    """From a frame to an earlier one.

    flow:  (h, w, 2) float32: a pixel (x, y) was at (x, y) + flow, in pixels.
    trust: (h, w) float32 0..1: how far that can be believed; 0 where it was hidden or out of the picture.
    same_shot: whether the two frames show one thing, moved.
    """

    flow: np.ndarray
    trust: np.ndarray
    same_shot: bool


class _Search(threading.local):
    """A thread's own search: it is slow to make, and not made for two threads at once."""

    def __init__(self) -> None:
        cv2 = opencv()
        self.dense = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)


_search: _Search | None = None
_lock = threading.Lock()


def opencv() -> Any:
    """The module cv2, one thread a call: frames are shared among threads, not their rows.

    Raises:
        UserError: it is not installed.
    """
    try:
        import cv2
    except ImportError as error:
        raise UserError(
            "following motion needs OpenCV: pip install 'gan_colorize[video]', or use --smooth 0 to colour "
            "every frame by itself"
        ) from error
    cv2.setNumThreads(1)
    return cv2


def flow_between(frame: np.ndarray, earlier: np.ndarray) -> np.ndarray:
    """(h, w, 2) float32, where every pixel of ``frame`` was in ``earlier``; both (h, w) L, 0..100."""
    global _search
    if min(frame.shape) < _SMALLEST:
        return np.zeros((*frame.shape, 2), np.float32)
    with _lock:
        if _search is None:
            _search = _Search()
    return _search.dense.calc(_levels(frame), _levels(earlier), None)


def move(plane: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """``plane`` (h, w) or (h, w, channels) of the earlier frame as the later one sees it; bilinear."""
    cv2 = opencv()
    rows, columns = np.mgrid[: flow.shape[0], : flow.shape[1]].astype(np.float32)
    return cv2.remap(
        plane, columns + flow[..., 0], rows + flow[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )


def visible(flow: np.ndarray, back: np.ndarray) -> np.ndarray:
    """(h, w) bool: pixels that were in the earlier frame too. ``back`` is the flow the other way."""
    inside, missed, travelled = _there_and_back(flow, back)
    return inside & (missed <= _SHARE * travelled + _PIXELS)


def _there_and_back(flow: np.ndarray, back: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(h, w) each: whether a pixel comes from within the frame; by how much going there and back misses it,
    squared; and the squared lengths of both ways."""
    height, width = flow.shape[:2]
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    column, row = columns + flow[..., 0], rows + flow[..., 1]
    inside = (column >= -0.5) & (column <= width - 0.5) & (row >= -0.5) & (row <= height - 0.5)
    returned = move(back, flow)
    missed = np.square(flow + returned).sum(-1)
    return inside, missed, np.square(flow).sum(-1) + np.square(returned).sum(-1)


def motion_between(frame: np.ndarray, earlier: np.ndarray) -> Motion:
    """How ``frame`` follows from ``earlier``; both (h, w) float32 L, 0..100."""
    cv2 = opencv()
    flow, back = flow_between(frame, earlier), flow_between(earlier, frame)
    inside, missed, travelled = _there_and_back(flow, back)
    agree = float((inside & (missed <= _SHARE * travelled + _PIXELS)).mean())
    moved = move(earlier, flow)
    now, then = (cv2.GaussianBlur(plane, (0, 0), _BLUR) for plane in (frame, moved))
    difference = now - then
    difference -= np.median(difference)  # the lamp of the projector, not the picture
    trust = np.exp(-np.square(difference / _LIGHT) - missed / (_NEAR * travelled + _NEAR_PIXELS)) * inside
    return Motion(flow, trust.astype(np.float32), _same_shot(now, then, agree))


def _same_shot(now: np.ndarray, then: np.ndarray, agree: float) -> bool:
    """Of a frame and its moved predecessor, blurred, and the share of it where the flows agree."""
    now, then = now - now.mean(), then - then.mean()
    deviations = float(now.std()), float(then.std())
    if min(deviations) < _EMPTY:
        return float(np.abs(now - then).mean()) < _GOES_ON
    return agree * float((now * then).mean()) >= _ONE_SHOT * deviations[0] * deviations[1]


def _levels(plane: np.ndarray) -> np.ndarray:
    return np.rint(plane * 2.55).astype(np.uint8)
