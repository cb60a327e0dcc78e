"""Pieces of a film put together, with the original's sound, subtitles and words; nothing is encoded anew."""

from __future__ import annotations

import heapq
import io
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from fractions import Fraction
from pathlib import Path
from typing import Any

from ...errors import UserError, one_line
from ...files import atomic_path
from .frame import Facts
from .video_file import opened_film, picture_stream, pyav

# What a container is called, by the suffix of the result.
CONTAINERS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska"}

# What a container says of itself.
_OF_CONTAINER = ("encoder", "major_brand", "minor_version", "compatible_brands")

Say = Callable[[str], None]


def join(
    pieces: list[Path],
    source: Path | None,
    output: Path,
    facts: Facts,
    comment: str,
    say: Say,
    last: int,
) -> None:
    """Write the film: pictures of ``pieces``, everything else of ``source``; whole or absent.

    source: None for a film of single images. facts: of the source. comment: is added to its own comment.
    say: told of streams that the container cannot hold. last: how long the last frame is shown, in the film's
    time base.

    Raises:
        UserError: it cannot be written.
    """
    av = pyav()
    kind = CONTAINERS[output.suffix.lower()]
    opened = nullcontext() if source is None else opened_film(source)
    with atomic_path(output) as temporary, opened as original:
        # 1: the beginning of the pictures is kept to the last tick, not to a millisecond
        options = {} if kind == "matroska" else {"movie_timescale": str(facts.time_base.denominator)}
        try:
            with av.open(str(temporary), "w", format=kind, options=options) as result:
                _join(pieces, original, source, result, facts, comment, say, last)
        except av.FFmpegError as error:
            if isinstance(error, OSError) and error.errno:
                raise UserError(f"cannot write {output}: {error.strerror or error}") from error
            raise UserError(f"cannot write {output}: {one_line(error)}") from error


def _join(
    pieces: list[Path],
    original: Any,
    path: Path | None,
    result: Any,
    facts: Facts,
    comment: str,
    say: Say,
    last: int,
) -> None:
    with pyav().open(str(pieces[0])) as first:
        video = result.add_stream_from_template(first.streams.video[0])
    video.time_base = facts.time_base
    video.codec_context.framerate = facts.rate  # a timecode counts in it
    sources = [_of_pieces(pieces, video, last * facts.time_base)]
    words: dict[str, str] = {}
    if original is not None:
        pictures = picture_stream(original, path)
        _describe(video, pictures)
        others = _others(original, pictures)
        copies = {one.index: _copy_stream(result, one, path, say) for one in others}
        kept = [stream for stream in original.streams if copies.get(stream.index) is not None]
        if kept:
            sources.append(_of_original(original, kept, copies, path, say))
        words = {key: value for key, value in original.metadata.items() if key not in _OF_CONTAINER}
        if original.chapters():
            result.set_chapters(original.chapters())
    words["comment"] = "; ".join(text for text in (words.get("comment"), comment) if text)
    result.metadata.update(words)
    for packet in heapq.merge(*sources, key=_time):
        result.mux(packet)


def misfits(source: Path, output: Path) -> list[str]:
    """A line about each stream of ``source`` that the container of ``output`` cannot hold.

    Raises:
        UserError: the source cannot be opened.
    """
    with opened_film(source) as original:
        kind, pictures = CONTAINERS[output.suffix.lower()], picture_stream(original, source)
        return [line for one in _others(original, pictures) if (line := _misfit(one, kind, source))]


def _others(original: Any, pictures: Any) -> list[Any]:
    """The streams that are copied as they are."""
    return [
        one for one in original.streams if one.index != pictures.index and not _is_said_anyway(one, pictures)
    ]


def _misfit(stream: Any, kind: str, path: Path) -> str | None:
    av = pyav()
    left_out = f"{path}: stream {stream.index} ({stream.type}) is left out"
    if kind == "mov" and _is_cover(stream):
        return f"{left_out}: .mov has no cover, .mp4 has"
    try:
        # some that may be added are refused when the file begins, and then with everything else
        with av.open(io.BytesIO(), "w", format=kind) as trial:
            trial.add_stream_from_template(stream)
            trial.start_encoding()
    except (av.FFmpegError, ValueError, AttributeError, TypeError, NotImplementedError, OSError) as error:
        return f"{left_out}: {one_line(error)}"
    return None


def _copy_stream(result: Any, stream: Any, path: Path, say: Say) -> Any:
    """The stream of the result that takes this one's packets; None where it cannot."""
    line = _misfit(stream, result.format.name, path)
    if line is not None:
        say(line)
        return None
    copy = result.add_stream_from_template(stream)
    _describe(copy, stream)
    return copy


def _is_said_anyway(stream: Any, pictures: Any) -> bool:
    """Whether a stream holds nothing but the titles of chapters, with which the demuxer is done, or where the
    clock of the pictures begins, which they say as well: the container makes such streams anew."""
    if stream.type != "data":
        return False
    timecode = stream.metadata.get("timecode")
    used_up = stream.discard == pyav().stream.Discard.all
    return used_up or (timecode is not None and timecode == pictures.metadata.get("timecode"))


def _is_cover(stream: Any) -> bool:
    return bool(stream.disposition & pyav().stream.Disposition.attached_pic)


def _describe(copy: Any, stream: Any) -> None:
    copy.metadata.update({key: value for key, value in stream.metadata.items() if key != "encoder"})
    copy.disposition = stream.disposition


def _of_pieces(pieces: list[Path], video: Any, last: Fraction) -> Iterator[Any]:
    """All packets of the pictures, each until the next one and the last for so many seconds: pieces do not
    keep how long a frame is shown."""
    before = None
    for piece in pieces:
        with pyav().open(str(piece)) as container:
            for packet in container.demux(video=0):
                if packet.dts is None:
                    continue
                packet.stream = video
                if before is not None:
                    before.duration = packet.pts - before.pts
                    yield before
                before = packet
    if before is not None:
        before.duration = round(last / before.time_base)
        yield before


def _of_original(
    original: Any, kept: list[Any], others: dict[int, Any], path: Path, say: Say
) -> Iterator[Any]:
    av, packets = pyav(), original.demux(kept)
    while True:
        try:
            packet = next(packets, None)
        except (av.FFmpegError, OSError) as error:
            say(f"{path}: sound and subtitles end early ({one_line(error)})")
            return
        if packet is None:
            return
        if packet.dts is None and packet.size and _is_cover(packet.stream):
            packet.pts = packet.dts = 0  # a cover has no time
        if packet.dts is not None:
            packet.stream = others[packet.stream.index]
            yield packet


def _time(packet: Any) -> float:
    return float(packet.dts * packet.time_base)
