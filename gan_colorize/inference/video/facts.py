"""What a film's container says of its pictures, and what is taken for granted where it says nothing."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Any

from .frame import Facts

# H.273's number for "nobody knows"; 3 is reserved and 0 means RGB.
_UNKNOWN = (0, 2, 3)
# Pictures of this many rows or more come without a word in the colours of BT.709, smaller ones in BT.601's.
_HIGH_DEFINITION = 720


def colorspace(matrix: int) -> str:
    """The name by which FFmpeg's converter knows a matrix of H.273."""
    return {1: "ITU709", 4: "FCC", 5: "ITU601", 6: "ITU601", 7: "SMPTE240M", 9: "BT2020"}.get(
        matrix, "ITU709"
    )


def facts_of(container: Any, stream: Any, rotation: int) -> Facts:
    """Of a stream of pictures, whose frames are to be turned by ``rotation`` degrees."""
    context = stream.codec_context
    size = context.width, context.height
    turned = rotation // 90 % 2 == 1
    rate = stream.average_rate or stream.guessed_rate or Fraction(25)
    time_base = stream.time_base or 1 / rate
    seconds = float(stream.duration * time_base) if stream.duration else (container.duration or 0) / 1e6
    aspect = stream.sample_aspect_ratio
    if aspect and turned:
        aspect = 1 / aspect
    usual = (1, 1, 1) if min(size) >= _HIGH_DEFINITION else (5, 5, 6) if size[1] in (288, 576) else (6, 6, 6)
    tags = (context.colorspace, context.color_primaries, context.color_trc)
    pairs = zip(tags, usual, strict=True)
    matrix, primaries, transfer = (other if tag in _UNKNOWN else int(tag) for tag, other in pairs)
    known = context.format is not None
    return Facts(
        size=size[::-1] if turned else size,
        time_base=time_base,
        rate=rate,
        frames=stream.frames or round(seconds * rate),
        bits=max(part.bits for part in context.format.components) if known else 8,
        pixel_aspect=aspect if aspect and aspect != 1 else None,
        matrix=matrix,
        primaries=primaries,
        transfer=transfer,
        full_range=context.color_range == 2 or (known and context.format.name.startswith("yuvj")),
        metadata=dict(container.metadata),
    )


def end_of(stream: Any) -> float | None:
    """When the pictures end, in seconds, as far as the file says it of them and not of all its streams."""
    if stream.duration:
        return float(((stream.start_time or 0) + stream.duration) * stream.time_base)
    # Matroska's statistics, as hours:minutes:seconds
    words = {key.upper(): value for key, value in stream.metadata.items()}
    found = re.fullmatch(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)", words.get("DURATION", "").strip())
    return None if found is None else 3600 * int(found[1]) + 60 * int(found[2]) + float(found[3])
