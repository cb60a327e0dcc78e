"""Colour frames out: a piece of a film that is encoded by itself, or one image a frame."""

from __future__ import annotations

import os
from collections import deque
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import UserError, one_line
from ...files import atomic_path
from .facts import colorspace
from .frame import Facts, Frame
from .luma import from_rgb16
from .video_file import pyav

CODECS = {"h264": "libx264", "ffv1": "ffv1"}
# Pixel formats by codec, chroma and whether there are more than 8 bits. FFV1 keeps RGB as it is.
_FORMATS = {
    ("h264", "420", False): "yuv420p",
    ("h264", "444", False): "yuv444p",
    ("h264", "420", True): "yuv420p10le",
    ("h264", "444", True): "yuv444p10le",
    ("ffv1", "444", False): "bgr0",
    ("ffv1", "444", True): "gbrp16le",
}


@dataclass(frozen=True)
class Encoding:
    """How pictures are compressed.

    codec: a key of :data:`CODECS`; chroma: "420" or "444"; crf: 0 (lossless) to 51, of h264.
    preset: x264's trade of time against size.
    """

    codec: str = "h264"
    chroma: str = "420"
    crf: int = 16
    preset: str = "medium"

    def pixel_format(self, facts: Facts) -> str:
        """FFmpeg's name. Half the chroma needs an even number of pixels each way."""
        odd = facts.size[0] % 2 or facts.size[1] % 2
        chroma = "444" if odd or self.codec == "ffv1" else self.chroma
        return _FORMATS[self.codec, chroma, facts.bits > 8]

    def options(self) -> dict[str, str]:
        """The encoder's own. Without B-frames the order of packets is that of frames, so pieces can be put
        together with nothing but their times."""
        if self.codec == "ffv1":
            return {"level": "3", "slicecrc": "1", "g": "1"}
        # With x264's look-ahead one in twelve of 120 encodings of the same frames came out a little otherwise
        # (one thread or many), none of 112 without: a film that is gone on with must be the same.
        return {"crf": str(self.crf), "preset": self.preset, "bf": "0", "rc-lookahead": "0"}


class PieceWriter:
    """A piece of a film, in a container of its own that keeps every time exactly; whole or absent.

    Raises, from every method:
        UserError: it cannot be encoded or written.
    """

    def __init__(self, path: Path, facts: Facts, encoding: Encoding) -> None:
        self.path, self.facts, self.encoding = path, facts, encoding
        self.format = encoding.pixel_format(facts)
        self._durations: deque[tuple[int, int]] = deque()
        self._open = atomic_path(path)
        self._temporary = self._open.__enter__()
        try:
            self.container = pyav().open(str(self._temporary), "w", format="nut")
            self.stream = self._add_stream()
        except BaseException as error:
            self._leave(error)
            raise self._told(error) from error

    def picture(self, frame: Frame) -> Any:
        """A finished frame in the form that is encoded; may be called from any thread."""
        facts, is_rgb = self.facts, self.encoding.codec == "ffv1"
        wide = frame.rgb8.dtype == np.uint16
        to = {"dst_colorspace": colorspace(facts.matrix)}
        to["dst_color_range"] = "JPEG" if facts.full_range else "MPEG"
        if wide and not is_rgb:
            yuv = from_rgb16(frame.rgb8, facts.matrix, facts.full_range)
            picture = pyav().VideoFrame.from_ndarray(yuv, "yuv444p16le", channel_last=True)
            options = {"src_colorspace": to["dst_colorspace"], "src_color_range": to["dst_color_range"], **to}
        else:
            picture = pyav().VideoFrame.from_ndarray(frame.rgb8, "rgb48le" if wide else "rgb24")
            options = {} if is_rgb else {"src_color_range": "JPEG", **to}
        picture = picture.reformat(format=self.format, interpolation="BICUBIC", threads=1, **options)
        picture.pts, picture.time_base = frame.pts, facts.time_base
        return picture

    def add(self, picture: Any, pts: int, duration: int) -> None:
        """Encode what :meth:`picture` made; in the order of time."""
        self._durations.append((pts, duration))
        self._encode(picture)

    def close(self) -> None:
        """Finish the piece and give it its name."""
        self._encode(None)
        try:
            self.container.close()
            with self._temporary.open("rb") as file:  # what a line is written about must outlive a power cut
                os.fsync(file.fileno())
        except (pyav().FFmpegError, OSError) as error:
            self._leave(error)
            raise self._told(error) from error
        self._leave(None)

    def abandon(self) -> None:
        """Leave nothing behind."""
        try:
            self.container.close()
        except (pyav().FFmpegError, OSError):
            pass  # what was begun is removed in any case
        self._leave(InterruptedError())

    def _encode(self, picture: Any) -> None:
        try:
            for packet in self.stream.encode(picture):
                pts, duration = self._durations.popleft()
                assert packet.pts == pts, "the encoder changed the order of frames"
                packet.duration = duration
                self.container.mux(packet)
        except (pyav().FFmpegError, OSError, ValueError) as error:
            self.abandon()
            raise self._told(error) from error

    def _add_stream(self) -> Any:
        facts = self.facts
        name, options = CODECS[self.encoding.codec], self.encoding.options()
        stream = self.container.add_stream(name, rate=facts.rate, options=options)
        stream.width, stream.height = facts.size
        stream.pix_fmt = self.format
        context = stream.codec_context
        context.time_base = stream.time_base = facts.time_base
        context.thread_type = "AUTO"
        context.color_primaries, context.color_trc = facts.primaries, facts.transfer
        if self.encoding.codec != "ffv1":
            context.colorspace, context.color_range = facts.matrix, 2 if facts.full_range else 1
        if facts.pixel_aspect:
            context.sample_aspect_ratio = Fraction(facts.pixel_aspect)
        return stream

    def _leave(self, error: BaseException | None) -> None:
        try:
            self._open.__exit__(type(error) if error else None, error, None)
        except BaseException as left:
            if left is not error and not isinstance(left, UserError):
                raise
            if error is None:
                raise

    def _told(self, error: BaseException) -> UserError:
        if isinstance(error, UserError):
            return error
        return UserError(f"cannot write {self.path}: {getattr(error, 'strerror', None) or one_line(error)}")
