"""Hints on the small plane that the network sees."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from .wishes import Hint


def paint(
    hints: Sequence[Hint], photo: tuple[int, int], seen: tuple[int, int], plane: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Brush strokes as planes; where two overlap, the later one wins.

    A brush finer than a pixel of the plane still colours the pixels it runs through.

    Args:
        photo: (height, width) of the photograph, in whose pixels the hints are.
        seen: (height, width) of the photograph as the network sees it, from the plane's top left corner.
        plane: (height, width) of the plane, padding included.

    Returns:
        hints (2, h, w) float32 ab, zero where nothing is painted; mask (1, h, w) float32, 1 where it is.
    """
    told = np.zeros((3, *plane), np.float32)
    down, across = seen[0] / photo[0], seen[1] / photo[1]
    for hint in hints:
        path = np.array(hint.points, np.float64) * (across, down) - 0.5  # pixel centres at whole numbers
        radius = hint.radius * math.sqrt(down * across)
        for start, end in pairwise(path if len(path) > 1 else [path[0], path[0]]):
            _segment(told, start, end, radius, hint.ab, seen)
    return told[:2], told[2:]


def _segment(
    told: np.ndarray,
    start: np.ndarray,
    end: np.ndarray,
    radius: float,
    ab: tuple[float, float],
    seen: tuple[int, int],
) -> None:
    """Paint every pixel within ``radius`` of the line from start to end, both (x, y)."""
    along = end - start
    length = float(along @ along)
    last = np.array((seen[1] - 1, seen[0] - 1))
    if radius < 1 and not length:
        _point(told, start, ab, last)
        return
    # cut before they are whole numbers: what a brush as wide as a thousand photographs reaches are none
    left, top = np.clip(np.floor(np.minimum(start, end) - radius), 0, last + 1).astype(int)
    right, bottom = np.clip(np.ceil(np.maximum(start, end) + radius), -1, last).astype(int)
    if left > right or top > bottom:
        return
    y, x = np.mgrid[top : bottom + 1, left : right + 1].astype(np.float64)
    share = (
        0.0 if not length else np.clip(((x - start[0]) * along[0] + (y - start[1]) * along[1]) / length, 0, 1)
    )
    # A hair more than half a pixel's diagonal reaches a pixel wherever in it the line runs.
    reach = max(radius, math.sqrt(0.5) + 1e-6) if radius < 1 else radius
    distance = np.hypot(x - start[0] - share * along[0], y - start[1] - share * along[1])
    region = told[:, top : bottom + 1, left : right + 1]
    region[:, distance <= reach] = np.array([[ab[0]], [ab[1]], [1.0]], np.float32)


def _point(told: np.ndarray, place: np.ndarray, ab: tuple[float, float], last: np.ndarray) -> None:
    """Paint the one pixel in which a fine point lies; the far border belongs to the last."""
    column, row = np.floor(place + 0.5)
    column, row = (end if at == end + 1 else at for at, end in zip((column, row), last, strict=True))
    if 0 <= column <= last[0] and 0 <= row <= last[1]:
        told[:, int(row), int(column)] = (*ab, 1.0)
