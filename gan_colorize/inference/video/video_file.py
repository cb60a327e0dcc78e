"""A video file's pictures, decoded one by one: upright, at their own depth, each with its own time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from ...data.image_io import Photo
from ...errors import UserError, one_line
from .frame import Facts, Frame
from .luma import to_rgb16
from .source import file_identity

# H.273's number for "nobody knows"; 3 is reserved and 0 means RGB.
_UNKNOWN = (0, 2, 3)
# Pictures of this many rows or more come without a word in the colours of BT.709, smaller ones in BT.601's.
_HIGH_DEFINITION = 720
# What FFmpeg opens that is no film: lists that lead to other files, text drawn as pictures, single pictures.
_NO_FILMS = ("hls", "dash", "concat", "concatf", "tty", "image2", "sdp", "rtsp", "lavfi")
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
        self.path, self.problems = path, []
        with opened_film(path) as container:
            stream = picture_stream(container, path)
            self.facts = _facts(container, stream, self._rotation(container, stream))
        if self.facts.transfer in _TRANSFERS_OF_HDR:
            name = _TRANSFERS_OF_HDR[self.facts.transfer]
            self.problems.append(f"{path}: its brightness is {name} (HDR), and is taken for the ordinary one")

    def identity(self) -> str:
        return file_identity(self.path)

    def frames(self) -> Iterator[Frame]:
        facts, last = self.facts, None
        step = max(1, round(1 / (facts.rate * facts.time_base)))
        for index, frame in enumerate(self._decoded()):
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

    def _decoded(self) -> Iterator[Any]:
        """All frames that can be decoded; what cannot is one line in ``problems``."""
        av = pyav()
        with opened_film(self.path) as container:
            stream = picture_stream(container, self.path)
            stream.thread_type = "AUTO"
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


def colorspace(matrix: int) -> str:
    """The name by which FFmpeg's converter knows a matrix of H.273."""
    return {1: "ITU709", 4: "FCC", 5: "ITU601", 6: "ITU601", 7: "SMPTE240M", 9: "BT2020"}.get(
        matrix, "ITU709"
    )


def _facts(container: Any, stream: Any, rotation: int) -> Facts:
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


def _reason(error: BaseException) -> str:
    return getattr(error, "strerror", None) or one_line(error)
