"""A whole film: from the source through the pipeline to pieces, and from those to the result."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any, Protocol

from ...data.image_io import Photo
from ...data.image_write import holds_16_bits, write_photo
from ...data.provenance import SOURCE_TYPE, Provenance
from ...errors import UserError
from ...files import PART, journalled
from ...models.contract import Conditions
from ..notices import input_notices
from ..predictor import Predictor, Settings
from ..upsample import Rendering
from .frame import Frame
from .joining import join, misfits
from .parts import Parts
from .pipeline import Pipeline, whole
from .result import numbered, parts_folder, result_name
from .source import FrameFolder, Source
from .writing import Encoding, PieceWriter

# Frames by which the place where a run goes on is known again: decoders look back 16 at most.
_TAIL = 17
# In the names of temporary files, by which those of a killed run are known.
_NAME = "video"


class Progress(Protocol):
    """Who is told how far the film is."""

    total: int
    done: int

    def start(self) -> None: ...
    def step(self, megapixels: float) -> None: ...
    def say(self, line: str) -> None: ...


@dataclass(frozen=True)
class Making:
    """How a film is made.

    smooth:  0 (every frame by itself) to 1.
    files:   write a folder of images, with this ``suffix`` (None: each its own) and ``quality``; else a film.
    meter:   what measures flicker, :class:`~gan_colorize.evaluation.flicker.FlickerMeter`, or None.
    segment: frames of a piece, at least: what a crash costs, against a key frame and 4 MB of writing each.
    """

    drawn: Settings = field(default_factory=Settings)
    smooth: float = 0.8
    encoding: Encoding = field(default_factory=Encoding)
    files: bool = False
    suffix: str | None = None
    quality: int = 95
    meter: type | None = None
    conditions: Conditions | None = None
    batch_size: int | None = None
    segment: int = 120


class Film:
    """One film on its way to ``output``: a file, or a folder of images."""

    def __init__(
        self,
        predictor: Predictor,
        source: Source,
        output: Path,
        making: Making,
        provenance: Provenance,
        progress: Progress,
    ) -> None:
        self.predictor, self.source, self.output, self.making = predictor, source, output, making
        self.provenance, self.progress, self.say = provenance, progress, progress.say
        folder = parts_folder(output, making.files)
        self.parts = Parts(folder, output if making.files else folder)
        self.told = 0
        self.warned: list[str] = []  # added to from any thread
        self.noted: set[str] = set()
        self.tail: deque[tuple[int, int]] = deque(maxlen=_TAIL)
        self.writer: PieceWriter | None = None
        self._begin_entry()

    def make(self, about: dict[str, Any], resume: bool, overwrite: bool, stop: Event) -> bool:
        """Make the film, or what is left of it; False when ``stop`` was set before it was whole. What is
        needed to go on with it is still there behind it: see :meth:`end`.

        about: what the film is made of and how, in JSON's types; a run that is gone on must have the same.

        Raises:
            UserError: it cannot be read or written, or there is no memory for it.
        """
        self.parts.begin(about, resume, overwrite, self.say)
        try:
            self._remove_temporary()
            with journalled(_NAME, lambda temporary, path: None):
                self._foretell()
                if not self._colour(stop):
                    return False
                if not self.making.files:
                    self._join()
        finally:
            if self.writer is not None:
                self.writer.abandon()
            if self.parts.done:
                self.parts.close()
            else:  # nothing that could be gone on with
                self.parts.remove()
        return True

    def end(self) -> None:
        """All is done, and what was told of it is written: nothing is needed to go on any more."""
        self.parts.remove()

    def results(self) -> dict[str, Any]:
        """What the report says of the film so far."""
        done = self.parts.done
        told: dict[str, Any] = {"frames": sum(entry["frames"] for entry in done)}
        for key in ("cuts", "flashes"):
            told[key] = [one for entry in done for one in entry[key]]
        # reading runs ahead: what it found just before a crash is found once more
        entries = [*done, self.entry]
        told["problems"] = list(dict.fromkeys(one for entry in entries for one in entry["problems"]))
        warned = [*(one for entry in done for one in entry["warnings"]), *self.warned]
        told["warnings"] = list(dict.fromkeys(warned))
        meters = [entry["flicker"] for entry in done if entry.get("flicker")]
        if meters:
            told["flicker"] = self.making.meter.joined(meters)
        return told

    def _colour(self, stop: Event) -> bool:
        done = self.parts.done
        plane, memory = self.parts.last(self.predictor.device)
        first = done[-1]["next"] if done else 0
        self.tail.extend(done[-1]["tail"] if done else ())
        facts, making = self.source.facts, self.making
        self.progress.total = facts.frames - first
        self.progress.start()
        pipeline = Pipeline(
            self.predictor,
            making.drawn,
            strength=making.smooth,
            segment=making.segment,
            pixels=facts.size[0] * facts.size[1],
            plane=plane,
            memory=memory,
            conditions=making.conditions,
            batch_size=making.batch_size,
            measure=making.meter is not None,
            form=self._form,
            finish=self._finish,
            say=self._problem,
            warn=lambda line: self._warn(f"{self.source.path}: {line}"),
        )
        frames = pipeline.run(self._frames(first))
        last = None
        for frame in frames:
            if stop.is_set():
                frames.close()
                return False
            self._write(frame)
            # what a file says of its length need not be true
            self.progress.total = max(self.progress.total, self.progress.done + 1)
            self.progress.step(frame.size[0] * frame.size[1] / 1e6)
            last = frame
        if last is not None and not last.ends_segment:
            self._end_piece(last)
        if not self.parts.done:
            raise UserError(f"{self.source.path}: has no frame that can be read")
        return True

    def _frames(self, first: int) -> Iterator[Frame]:
        """From frame ``first`` on, with what the source says meanwhile."""
        for frame in self.source.frames(first, list(self.tail)):
            self._tell()
            yield frame
        self._tell()

    def _tell(self) -> None:
        new, self.told = self.source.problems[self.told :], len(self.source.problems)
        for line in new:
            self._problem(line)
        for line in self.source.notes:
            self._warn(line)

    def _warn(self, line: str) -> None:
        """Something that costs no frame; once."""
        if line not in self.warned:
            self.warned.append(line)
            self.say(f"Warning: {line}")

    def _problem(self, line: str) -> None:
        self.entry["problems"].append(line)
        self.say(f"Error: {line}")

    def _form(self, frame: Frame) -> tuple[int, bytes | None]:
        if not self.making.files:
            return (16 if self.source.facts.bits > 8 else 8), None
        bits = self.source.facts.bits if frame.photo is None else frame.photo.bits
        wide = bits > 8 and holds_16_bits(self._path(frame))
        if bits > 8 and not wide:
            frame.notes = ["written with 8 bits a channel, as its format has no more (.png and .tif have 16)"]
        return (16 if wide else 8), None if frame.photo is None else frame.photo.profile

    def _finish(self, frame: Frame, rendering: Rendering) -> Frame:
        """In a thread of the pipeline: what can be done of a frame's writing before its turn."""
        if frame.path is not None:
            frame.notes += _notes_on(frame.photo)
        if not self.making.files:
            return whole(frame, rendering)
        try:
            how = {"quality": self.making.quality, "provenance": self.provenance}
            frame.notes += write_photo(self._path(frame), rendering, frame.photo, **how)
        except UserError as error:
            frame.error = str(error)
        return frame

    def targets(self) -> list[Path]:
        """The results, or of a film that becomes images the first one."""
        if not self.making.files:
            return [self.output]
        files = self.source.files if isinstance(self.source, FrameFolder) else [numbered(0)]
        return [self.output / result_name(file, self.making.suffix) for file in files]

    def _path(self, frame: Frame) -> Path:
        return self.output / result_name(frame.path or numbered(frame.index), self.making.suffix)

    def _write(self, frame: Frame) -> None:
        if frame.error is not None:
            raise UserError(frame.error)
        if frame.index == 0:
            for line in input_notices(frame.photo.pixels):
                self._warn(f"{self.source.path}: {line}")
        for line in frame.notes:
            if line not in self.noted:  # of thousands of frames, mostly all
                self.noted.add(line)
                self._warn(f"{frame.path or self.source.path}: {line}")
        self.tail.append((frame.pts, frame.mark))
        if self.making.files:
            self.files.append(self._path(frame))
        else:
            self._encode(frame)
        at = {"frame": frame.index, "seconds": round(float(frame.pts * self.source.facts.time_base), 4)}
        if frame.kind in ("cut", "flash"):
            self.entry["cuts" if frame.kind == "cut" else "flashes"].append(at)
        if self.meter is not None:
            self.meter.add(frame.seen.plane, *frame.small, follows=frame.kind == "follows")
        self.entry["frames"] += 1
        if frame.ends_segment:
            self._end_piece(frame)

    def _encode(self, frame: Frame) -> None:
        facts = self.source.facts
        if frame.size != facts.size:
            width, height = frame.size
            told = f"has {width}x{height} pixels, and the film {facts.size[0]}x{facts.size[1]}"
            raise UserError(f"{frame.path}: {told}; a film has one size, a folder may have several")
        if self.writer is None:
            self.writer = PieceWriter(self.parts.piece(len(self.parts.done)), facts, self.making.encoding)
        self.writer.add(self.writer.picture(frame), frame.pts, frame.duration)

    def _end_piece(self, frame: Frame) -> None:
        files = self.files
        if self.writer is not None:
            writer, self.writer = self.writer, None
            writer.close()
            files = [writer.path]
        if self.meter is not None:
            self.entry["flicker"] = self.meter.sums()
        self.entry |= {"number": len(self.parts.done), "next": frame.index + 1, "tail": list(self.tail)}
        self.entry["duration"] = frame.duration
        self.entry["warnings"] = list(self.warned)
        self.parts.add(self.entry, files, frame.seen.plane, frame.memory)
        self._begin_entry()

    def _begin_entry(self) -> None:
        self.entry: dict[str, Any] = {"frames": 0, "cuts": [], "flashes": [], "problems": []}
        self.files: list[Path] = []
        self.meter = None if self.making.meter is None else self.making.meter()

    def _join(self) -> None:
        pieces = [self.parts.piece(entry["number"]) for entry in self.parts.done]
        comment = f"{self.provenance.sentence()} {SOURCE_TYPE}"
        original = None if isinstance(self.source, FrameFolder) else self.source.path
        film = self.parts.folder / f"film{self.output.suffix}"
        last = self.parts.done[-1]["duration"]
        join(pieces, original, film, self.source.facts, comment, self._late_problem, last)
        try:
            film.replace(self.output)
        except OSError as error:
            raise UserError(f"cannot write {self.output}: {error.strerror or error}") from error

    def _remove_temporary(self) -> None:
        """Images that a killed run had not finished; the folder of parts tidies itself."""
        if self.making.files:
            for file in self.output.glob(f"{PART}{_NAME}-*"):
                file.unlink(missing_ok=True)

    def _foretell(self) -> None:
        """What the result will lack is said before the hours that it takes."""
        if self.making.files or isinstance(self.source, FrameFolder):
            return
        for line in misfits(self.source.path, self.output):
            self.noted.add(line)
            self.say(f"Error: {line}")

    def _late_problem(self, line: str) -> None:
        self.parts.done[-1]["problems"].append(line)
        if line not in self.noted:
            self.say(f"Error: {line}")


def _notes_on(photo: Photo) -> list[str]:
    """What is lost of a frame that is a file."""
    pages = [f"has {photo.pages} pages; only the first is used"] if photo.pages > 1 else []
    return [*photo.warnings, *pages]
