"""A frame on its way from the source to the result, and what is known of a film as a whole."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...data.image_io import Photo

if TYPE_CHECKING:
    from torch import Tensor

    from ..predictor import Seen
    from .motion import Motion
    from .smoothing import Memory


@dataclass
class Frame:
    """One picture of a film; the fields below ``read`` are filled in on its way.

    index:    position in the film, from 0. pts, duration: in the film's time base.
    read:     gives the upright pixels, or raises a UserError; None once that was done.
    path:     of the file that it is, if it is one.
    photo:    as it was read; of a film's frames only that of the first is kept.
    link:     motion from the frame whose colours it goes on with; None at the beginning of a shot.
    kind:     "follows", "cut" (the first of a shot) or "flash" (a flaw between two frames of one shot).
    settled:  the frame after it is compared with this one, whatever it will be.
    spoken:   (Q, h, w) log-probabilities, or (2, h, w) ab, as the network said them; then smoothed.
    alone:    the same before it was smoothed, where that is to be measured.
    memory:   what the smoothing knows after this frame, where a segment ends with it.
    rgb8:     (H, W, 3) uint8 or uint16, the result; None of one that is a file.
    size:     (width, height). mark: :func:`mark_of` a film's frame. notes: what its file could not hold.
    """

    index: int
    pts: int
    duration: int
    read: Callable[[], Photo] | None
    path: Path | None = None
    photo: Photo | None = None
    lightness: np.ndarray | None = None
    seen: Seen | None = None
    size: tuple[int, int] = (0, 0)
    mark: int | None = None
    notes: list[str] = field(default_factory=list)
    error: str | None = None
    motion: Motion | None = None
    link: Motion | None = None
    kind: str = "follows"
    settled: bool = True
    ends_segment: bool = False
    spoken: Tensor | None = None
    alone: Tensor | None = None
    memory: Memory | None = None
    rgb8: np.ndarray | None = None
    small: tuple[np.ndarray, np.ndarray] | None = None


def mark_of(photo: Photo) -> int:
    """A number by which a decoded frame is known again."""
    return zlib.crc32(np.ascontiguousarray(photo.pixels))


@dataclass(frozen=True)
class Facts:
    """What a film says beside its pixels, and its copy must say as well.

    size:      (width, height), upright. rate: frames a second, on average.
    frames:    how many, as far as the file says; 0 when it does not.
    bits:      of a channel, 8 to 16. pixel_aspect: width of a pixel over its height, or None.
    matrix, primaries, transfer: code points of ITU-T H.273. full_range: luma is 0..255, not 16..235.
    """

    size: tuple[int, int]
    time_base: Fraction
    rate: Fraction
    frames: int = 0
    bits: int = 8
    pixel_aspect: Fraction | None = None
    matrix: int = 1
    primaries: int = 1
    transfer: int = 1
    full_range: bool = False
    metadata: dict[str, str] = field(default_factory=dict)
