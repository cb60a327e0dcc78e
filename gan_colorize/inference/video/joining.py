"""Pieces of a film put together, with the original's sound, subtitles and words; nothing is encoded anew."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from contextlib import nullcontext
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


def join(pieces: list[Path], source: Path | None, output: Path, facts: Facts, comment: str, say: Say) -> None:
    """Write the film: pictures of ``pieces``, everything else of ``source``; whole or absent.

    source: None for a film of single images. facts: of the source. comment: is added to its own comment.
    say: told of streams that the container cannot hold.

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
                _join(pieces, original, source, result, facts, comment, say)
        except av.FFmpegError as error:
            if isinstance(error, OSError) and error.errno:
                raise UserError(f"cannot write {output}: {error.strerror or error}") from error
            raise UserError(f"cannot write {output}: {one_line(error)}") from error


def _join(
    pieces: list[Path], original: Any, path: Path | None, result: Any, facts: Facts, comment: str, say: Say
) -> None:
    with pyav().open(str(pieces[0])) as first:
        video = result.add_stream_from_template(first.streams.video[0])
    video.time_base = facts.time_base
    sources = [_of_pieces(pieces, video)]
    words: dict[str, str] = {}
    if original is not None:
        pictures = picture_stream(original, path)
        _describe(video, pictures)
        copies = {}
        for stream in original.streams:
            if stream.index != pictures.index:
                copies[stream.index] = _copy_stream(result, stream, path, say)
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


def _copy_stream(result: Any, stream: Any, path: Path, say: Say) -> Any:
    """The stream of the result that takes this one's packets; None where it cannot."""
    av = pyav()
    try:
        copy = result.add_stream_from_template(stream)
        if stream.type == "video":  # a cover
            copy.disposition = stream.disposition
    except (av.FFmpegError, ValueError, AttributeError, TypeError, NotImplementedError) as error:
        say(f"{path}: stream {stream.index} ({stream.type}) is left out: {one_line(error)}")
        return None
    _describe(copy, stream)
    return copy


def _describe(copy: Any, stream: Any) -> None:
    copy.metadata.update({key: value for key, value in stream.metadata.items() if key != "encoder"})
    copy.disposition = stream.disposition


def _of_pieces(pieces: list[Path], video: Any) -> Iterator[Any]:
    for piece in pieces:
        with pyav().open(str(piece)) as container:
            for packet in container.demux(video=0):
                if packet.dts is not None:
                    packet.stream = video
                    yield packet


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
        if packet.dts is not None:
            packet.stream = others[packet.stream.index]
            yield packet


def _time(packet: Any) -> float:
    return float(packet.dts * packet.time_base)
