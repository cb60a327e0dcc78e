"""Flicker: how far colours change between neighbouring frames where the film itself does not.

The colours of each frame are compared with those of the frame before, moved along the optical flow of the
lightness; places that were hidden there do not count. (Lai et al. 2018, "Learning blind video temporal
consistency", section 4, measure the same of RGB as a warping error; here it is the distance in ab, so that
the flicker of the film's own lamp does not count.)
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from ..inference.video.motion import flow_between, move, visible

Sums = dict[str, float]


def flicker(ab: np.ndarray, earlier: np.ndarray, flow: np.ndarray, counts: np.ndarray) -> float:
    """Mean distance in ab between a frame and the one before, moved; 0 when nothing counts.

    Args:
        ab, earlier: (2, h, w).
        flow: (h, w, 2), where each pixel was in the earlier frame, in pixels.
        counts: (h, w) bool, pixels that were visible there.
    """
    moved = move(np.ascontiguousarray(earlier.transpose(1, 2, 0)), flow).transpose(2, 0, 1)
    distance = np.linalg.norm(ab - moved, axis=0)
    return float(distance[counts].mean()) if counts.any() else 0.0


class FlickerMeter:
    """Flicker and strength of colour of two colourings of one film: smoothed, and frame by frame."""

    def __init__(self) -> None:
        self._before: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None
        self._sums: Sums = dict.fromkeys(("pairs", "frames", *_MEASURED), 0.0)

    def add(self, plane: np.ndarray, ab: np.ndarray, alone: np.ndarray, follows: bool) -> None:
        """The next frame.

        Args:
            plane: (H, W) L. ab, alone: (2, h, w), smoothed and not, of any smaller size.
            follows: the frame belongs to the shot of the one before.
        """
        import cv2

        sums, size = self._sums, ab.shape[:0:-1]
        if follows and self._before is not None and self._before[0].shape == plane.shape:
            earlier, ab_before, alone_before = self._before
            flow, back = flow_between(plane, earlier), flow_between(earlier, plane)
            counts = (
                cv2.resize(visible(flow, back).astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
            )
            scale = np.float32([size[0] / plane.shape[1], size[1] / plane.shape[0]])
            small = cv2.resize(flow, size, interpolation=cv2.INTER_AREA) * scale
            sums["pairs"] += 1
            sums["flicker"] += flicker(ab, ab_before, small, counts)
            sums["flicker_frame_by_frame"] += flicker(alone, alone_before, small, counts)
        sums["frames"] += 1
        sums["chroma"] += float(np.linalg.norm(ab, axis=0).mean())
        sums["chroma_frame_by_frame"] += float(np.linalg.norm(alone, axis=0).mean())
        self._before = plane, ab, alone

    def sums(self) -> Sums:
        """What was added up, for :meth:`joined`."""
        return dict(self._sums)

    @staticmethod
    def joined(sums: Iterable[Sums]) -> dict[str, Any]:
        """Means over all of several meters: flicker in units of ab a frame, chroma in units of ab."""
        sums = list(sums)
        total = {key: sum(one[key] for one in sums) for key in sums[0]}
        told: dict[str, Any] = {"pairs": int(total["pairs"])}
        for name, of in _MEASURED.items():
            told[name] = round(total[name] / total[of], 4) if total[of] else None
        return told


# What is told, and what it is a mean over.
_MEASURED = {
    "flicker": "pairs",
    "flicker_frame_by_frame": "pairs",
    "chroma": "frames",
    "chroma_frame_by_frame": "frames",
}
