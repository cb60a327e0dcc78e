"""What packing does with one photograph: read, judge, make smaller, encode."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from ..data.folder import ImageSource
from ..data.image_io import read_rgb8
from ..data.opening import opened
from ..data.scan_worker import SMALLEST_SIDE, colourfulness
from ..data.shard_index import judge
from ..errors import UserError
from .likeness import Likeness, likeness

FORMATS = ("webp", "jpg", "keep")


@dataclass(frozen=True)
class PackTask:
    """What every worker gets once; see :class:`~gan_colorize.packing.pack.PackOptions`."""

    source: ImageSource
    short_side: int
    format: str
    quality: int
    min_colourfulness: float
    min_side: int


@dataclass
class Packed:
    """A photograph as it goes into a shard. number: in the source; width, height: of what is packed."""

    number: int
    data: bytes
    suffix: str
    width: int
    height: int
    colourfulness: float
    histogram: np.ndarray
    likeness: Likeness


@dataclass
class LeftOut:
    """kind: ``unreadable``, ``small`` or ``grey``; reason: in words."""

    number: int
    kind: str
    reason: str


def pack_chunk(task: PackTask, chunk: list[int]) -> list[Packed | LeftOut]:
    """Photographs ``chunk`` of the source, in this order."""
    return [_pack(task, number) for number in chunk]


def _pack(task: PackTask, number: int) -> Packed | LeftOut:
    try:
        data = task.source.read(number)
        with opened(data) as image:
            width, height = image.size
        if min(width, height) < max(task.min_side, SMALLEST_SIDE):
            return LeftOut(number, "small", f"{width}x{height} pixels")
        rgb8 = read_rgb8(data, task.short_side)
        vivid = colourfulness(rgb8)
        if vivid < task.min_colourfulness:
            return LeftOut(number, "grey", f"colourfulness {vivid:.1f}")
        suffix = f".{task.format}"
        if task.format == "keep":
            suffix = Path(task.source.name(number)).suffix.lower()
        else:
            data = _encode(rgb8, task)
        judged = judge(data)  # as packed: compression takes some of the colour
    except (UserError, MemoryError) as error:
        return LeftOut(number, "unreadable", str(error) or "does not fit into memory")
    return Packed(number, data, suffix, *judged, likeness(rgb8))


def _encode(rgb8: np.ndarray, task: PackTask) -> bytes:
    buffer = io.BytesIO()
    if task.format == "webp":
        Image.fromarray(rgb8).save(buffer, "WEBP", quality=task.quality, method=4)
    else:  # colour is what is learnt: no subsampling
        Image.fromarray(rgb8).save(buffer, "JPEG", quality=task.quality, subsampling=0, optimize=True)
    return buffer.getvalue()
