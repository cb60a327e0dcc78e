"""A video file's pictures, decoded one by one: upright, at their own depth, each with its own time."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ...data.image_io import Photo
from ...errors import UserError, one_line
from .facts import colorspace, end_of, facts_of
from .frame import Frame, mark_of
from .luma import to_rgb16
from .source import Tail, file_identity

# What FFmpeg opens that is no film: lists that lead to other files, text drawn as pictures, single pictures.
_NO_FILMS = ("hls", "dash", "concat", "concatf", "tty", "image2", "sdp", "rtsp", "lavfi")
# Seconds: a decoder that begins so long before a frame has what the frame is made of, as a rule.
_RUN_UP = 2
# Pictures that end so many seconds, and this share of all, before the file says so were cut off.
_SHORT, _SHORT_SHARE = 0.5, 0.01
_TRANSFERS_OF_HDR = {16: "PQ", 18: "HLG"}


def pyav() -> Any:
    """The module av.

    Raises:
        UserError: it is not installed.
    """
    try:
        import av
    except ImportError as error:
        raise UserError(
            "video files need PyAV: pip install 'gan_colorize[video]', or name a folder of frames"
        ) from error
    return av


@contextmanager
def opened_film(path: Path) -> Iterator[Any]:
    """A film's container, of which nothing leads to the network or to other files.

    Raises:
        UserError: it cannot be opened or is no film.
    """
    av = pyav()
    try:
        container = av.open(str(path), options={"protocol_whitelist": "file"}, metadata_errors="replace")
    except (av.FFmpegError, OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read as a video ({_reason(error)})") from error
    with container:
        names = container.format.name.split(",")
        if any(name in _NO_FILMS or name.endswith("_pipe") for name in names):
            raise UserError(f"{path}: is no video ({container.format.long_name}); see gan-colorize colorize")
        yield container


def picture_stream(container: Any, path: Path) -> Any:
    """The first stream of moving pictures; a cover is none.

    Raises:
        UserError: there is none, or nothing can decode it.
    """
    av = pyav()
    for stream in container.streams.video:
        if stream.disposition & av.stream.Disposition.attached_pic:
            continue
        if stream.codec_context is None or not stream.codec_context.width:
            raise UserError(f"{path}: its pictures cannot be decoded (unknown codec or damaged header)")
        return stream
    raise UserError(f"{path}: has no moving pictures")


class VideoFile:
    """A film in a container that FFmpeg reads."""

    def __init__(self, path: Path) -> None:
        self.path, self.problems, self.notes = path, [], []
        with opened_film(path) as container:
            stream = picture_stream(container, path)
            self.facts = facts_of(container, stream, self._rotation(container, stream))
            self.end = end_of(stream)
        if self.facts.transfer in _TRANSFERS_OF_HDR:
            name = _TRANSFERS_OF_HDR[self.facts.transfer]
            told = (
                f"its brightness is {name} (HDR): kept as it is, and coloured as if it were the ordinary one"
            )
            self.notes.append(f"{path}: {told}")

    def identity(self) -> str:
        return file_identity(self.path)

    def frames(self, first: int = 0, tail: Tail = ()) -> Iterator[Frame]:
        behind = self._behind(tail) if first else None
        if behind is not None:
            yield from self._timed(behind, first, tail[-1][0])
            return
        known = len(self.problems)
        for frame in self._timed(self._decoded(), 0, None):
            if frame.index >= first:
                yield frame
            else:  # whoever saw it before was told
                del self.problems[known:]

    def _behind(self, tail: Tail) -> Iterator[Any] | None:
        """What is decoded behind the frames of ``tail``, from a key frame some way before them on. None where
        that leads to other frames than decoding all of the film did: not every container can be entered
        anywhere, and not every key frame is all that later ones are made of."""
        if not tail:
            return None
        known, awaited = (len(self.problems), len(self.notes)), deque(tail)
        frames = self._decoded(tail[0][0] - round(_RUN_UP / self.facts.time_base))
        for frame in frames:
            if frame.pts is None or frame.pts > awaited[0][0]:
                break
            if frame.pts == awaited[0][0]:
                if frame.is_corrupt or self._mark(frame) != awaited.popleft()[1]:
                    break
                if not awaited:
                    del self.problems[known[0] :]
                    return frames
        frames.close()
        del self.problems[known[0] :], self.notes[known[1] :]
        return None

    def _mark(self, frame: Any) -> int | None:
        try:
            return mark_of(self._photo(frame))
        except UserError:
            return None

    def _timed(self, frames: Iterator[Any], first: int, last: int | None) -> Iterator[Frame]:
        """Decoded frames with their numbers, from ``first`` on, and times, all later than ``last``."""
        facts, interlaced, duration = self.facts, False, 0
        step = max(1, round(1 / (facts.rate * facts.time_base)))
        for index, frame in enumerate(frames, first):
            if frame.interlaced_frame and not interlaced:
                interlaced = True
                told = "each frame holds two moments and is coloured as one; better to deinterlace it before"
                self.notes.append(f"{self.path}: is interlaced: {told}")
            pts, duration = frame.pts, frame.duration or step
            if pts is None or (last is not None and pts <= last):
                if pts is not None:
                    self.problems.append(
                        f"{self.path}: frame {index} is not later than the one before; moved"
                    )
                pts = 0 if last is None else last + step
            last = pts
            if frame.is_corrupt:
                at = float(pts * facts.time_base)
                self.problems.append(f"{self.path}: frame {index} at {at:.2f} s is damaged")
            yield Frame(index, pts, duration, lambda frame=frame: self._photo(frame))
        if last is None or self.end is None:
            return
        end = float((last + max(duration, step)) * facts.time_base)
        if end < self.end - _SHORT - _SHORT_SHARE * self.end:
            self.problems.append(f"{self.path}: ends early, at {end:.2f} s of {self.end:.2f} s")

    def _decoded(self, start: int | None = None) -> Iterator[Any]:
        """All frames that can be decoded, or those from a key frame before the pts ``start`` on, if that can
        be found; what cannot is one line in ``problems``."""
        av = pyav()
        with opened_film(self.path) as container:
            stream = picture_stream(container, self.path)
            stream.thread_type = "AUTO"
            if start is not None:
                if start <= (stream.start_time or 0):
                    return
                try:
                    container.seek(start, stream=stream)
                except (av.FFmpegError, OSError, ValueError, OverflowError):
                    return
            packets = container.demux(stream)
            while True:
                try:
                    packet = next(packets, None)
                except (av.FFmpegError, OSError) as error:
                    self.problems.append(f"{self.path}: ends early ({_reason(error)})")
                    return
                if packet is None:
                    return
                try:
                    yield from packet.decode()
                except av.FFmpegError as error:
                    # decoders work ahead: it may have been some frames before
                    at = "" if packet.pts is None else f" near {float(packet.pts * packet.time_base):.2f} s"
                    self.problems.append(f"{self.path}: a frame{at} cannot be decoded ({_reason(error)})")

    def _rotation(self, container: Any, stream: Any) -> int:
        av = pyav()
        try:
            return next(container.decode(stream)).rotation
        except StopIteration:
            raise UserError(f"{self.path}: has no frame that can be decoded") from None
        except (av.FFmpegError, OSError):
            return 0  # the first frame alone may be damaged

    def _photo(self, frame: Any) -> Photo:
        """The upright picture; every frame at the size of the first, for a file has one."""
        facts, turns = self.facts, frame.rotation // 90 % 4
        wide = facts.bits > 8
        width, height = facts.size if turns % 2 == 0 else facts.size[::-1]
        given = {"src_colorspace": colorspace(facts.matrix), "interpolation": "BICUBIC", "threads": 1}
        given["src_color_range"] = "JPEG" if facts.full_range else "MPEG"
        try:
            if wide:  # the converter only makes it 16 bits of each, what they mean is for luma.py
                same = {
                    "dst_colorspace": given["src_colorspace"],
                    "dst_color_range": given["src_color_range"],
                }
                yuv = frame.reformat(width, height, "yuv444p16le", **given, **same).to_ndarray(
                    channel_last=True
                )
                pixels = to_rgb16(yuv, facts.matrix, facts.full_range)
            else:
                pixels = frame.reformat(width, height, "rgb24", **given, dst_color_range="JPEG").to_ndarray()
        except (pyav().FFmpegError, ValueError) as error:
            raise UserError(f"{self.path}: frame at {frame.time} s: {_reason(error)}") from error
        upright = np.ascontiguousarray(np.rot90(pixels, turns))
        return Photo(upright, bits=facts.bits)


def _reason(error: BaseException) -> str:
    return getattr(error, "strerror", None) or one_line(error)
