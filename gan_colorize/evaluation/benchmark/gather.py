"""Every photograph of a set through every entry: parts, and the reasons of what has none.

The processes of a job share the photographs; what they measure meets in the parts on the disk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch

from ...color.fast import rgb8_to_lab
from ...distributed import current, gather
from ...errors import UserError, one_line
from ..auc import by_class
from ..colorfulness import colorfulness
from ..frames import Frame, read_frames
from ..protocol import LEAST_COLORFULNESS, Settings
from ..ruler import Ruler, Truth
from ..runner import batches_of_one_size, spread
from .diversity import of_samples
from .entries import Coloured, Entry
from .parts import Part, Parts, joined, key_of
from .protocol import Tools

if TYPE_CHECKING:
    from ...data.folder import ImageSource

TRUTH = "truth"


@dataclass
class SetOfPhotographs:
    """One set: what it is called, where it is read, and what became of its files and of the entries."""

    name: str
    source: ImageSource
    broken: list[dict[str, str]] = field(default_factory=list)
    grey: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    rows: dict[str, Part] = field(default_factory=dict)


class Gatherer:
    """Measures sets; what is measured already, of an earlier run, is not measured again.

    Args:
        warn: called with a line when an entry fails or something is to be said of it.
        progress: called with (set, photographs read, photographs in all).
    """

    def __init__(
        self,
        entries: Sequence[Entry],
        settings: Settings,
        tools: Tools,
        parts: Parts,
        device: str,
        warn: Callable[[str], None],
        progress: Callable[[str, int, int], None] | None = None,
    ) -> None:
        self.entries, self.settings, self.tools, self.parts = list(entries), settings, tools, parts
        self.ruler = Ruler(device, tools.lpips, tools.recogniser)
        self.device, self.warn, self.progress = device, warn, progress

    @torch.inference_mode()
    def gather(self, of: SetOfPhotographs) -> None:
        """Fill ``of``; rows hold the truth and every entry that did not fail, on the main process alone.

        Raises:
            UserError: no photograph of the set could be measured, or parts of other processes are elsewhere.
        """
        group = current()
        indices = spread(len(of.source), self.settings.limit or len(of.source))
        set_key = key_of([of.source.fingerprint(), self.settings.limit, torch.device(self.device).type])
        places = {TRUTH: self.parts.place(set_key, TRUTH)}
        for entry in self.entries:
            places[entry.name] = self.parts.place(set_key, key_of([entry.kind, entry.about["fingerprint"]]))
            try:
                for line in entry.open(of.source, indices):
                    self._note(of, f"{of.name}: {entry.name}: {line}", group.main)
            except UserError as error:
                self._fail(of, entry.name, error)
        done = {
            name: {index for part in self.parts.load(place) for index in part.index}
            for name, place in places.items()
        }
        frames = self._sorted_out(of, group.share(indices))
        for batch in batches_of_one_size(frames, self.settings.batch_size):
            self._batch(of, batch, places, done)
        measured = self._met(of, done[TRUTH])
        if not measured:
            raise UserError(_nothing(of, len(indices)))
        if not group.main:
            return
        for name, place in places.items():
            if name not in of.failed:
                of.rows[name] = row = joined(self.parts.load(place))
                if len(row.index) != measured:
                    raise UserError(
                        f"{self.parts.root}: holds {len(row.index)} of {measured} photographs; all "
                        "processes of a job need the same --output, on a disk that they share"
                    )

    def _met(self, of: SetOfPhotographs, done: set[int]) -> int:
        """Put together what the processes found wrong; how many photographs they measured in all."""
        everywhere = gather((of.broken, of.grey, of.failed, done))
        of.broken = sorted((item for found in everywhere for item in found[0]), key=lambda item: item["name"])
        of.grey = sorted(name for found in everywhere for name in found[1])
        of.failed = {name: why for found in reversed(everywhere) for name, why in found[2].items()}
        return len(set().union(*(found[3] for found in everywhere)))

    def _sorted_out(self, of: SetOfPhotographs, indices: list[int]) -> Iterator[Frame]:
        frames = read_frames(of.source, indices, self.settings.resize, self.settings.size)
        for number, frame in enumerate(frames, 1):
            if frame.reason is not None:
                of.broken.append({"name": frame.name, "reason": frame.reason})
            elif float(colorfulness(_stacked([frame]))) <= LEAST_COLORFULNESS:
                of.grey.append(frame.name)
            else:
                yield frame
            if self.progress:
                self.progress(of.name, number, len(indices))

    def _batch(self, of: SetOfPhotographs, batch: list[Frame], places: dict, done: dict) -> None:
        """Whatever entries have not measured of a batch. Entries mostly miss the same photographs."""
        known: dict[tuple[int, ...], tuple[Truth, Part]] = {}
        for entry in [None, *self.entries]:
            name = TRUTH if entry is None else entry.name
            frames = [frame for frame in batch if frame.index not in done[name]]
            if not frames or name in of.failed:
                continue
            key = tuple(frame.index for frame in frames)
            if key not in known:
                known[key] = self._truth(frames)
            truth, part = known[key]
            if entry is not None:
                try:
                    part = self._measure(entry, truth, frames, part)
                except Exception as error:  # whatever it is costs this row and no other
                    self._fail(of, name, error)
                    continue
            self.parts.add(places[name], part)
            done[name].update(key)

    def _truth(self, frames: list[Frame]) -> tuple[Truth, Part]:
        truth = self.ruler.truth(_stacked(frames), [frame.name for frame in frames])
        part = _part_of(frames, self.ruler.of_truth(truth))
        part.arrays["shares"] = by_class(truth.classes).numpy().astype(np.float32)
        if self.tools.inception is not None:
            part.arrays["inception"] = self.tools.inception(truth.rgb8)
        return truth, part

    def _measure(self, entry: Entry, truth: Truth, frames: list[Frame], true: Part) -> Part:
        coloured = entry.colour(truth, frames)
        part = self._compared(truth, frames, coloured, true)
        if coloured.samples:
            key = next(iter(self.tools.lpips), None)
            lpips = None if key is None else self.tools.lpips[key]
            part.numbers |= of_samples(truth, coloured.samples, key, lpips)
        if coloured.calibration is not None:
            of = coloured.calibration
            part.numbers |= {"nll": of.nll.tolist(), "nll_floor": of.floor.tolist()}
            part.arrays["reliability"] = of.reliability
            part.sums |= {"classwise": of.classwise, "mass": of.mass}
        part.files = list(coloured.files)
        return part

    def _compared(self, truth: Truth, frames: list[Frame], coloured: Coloured, true: Part) -> Part:
        numbers, scores = self.ruler(truth, coloured.pictures)
        rgb8 = torch.from_numpy(coloured.pictures).permute(0, 3, 1, 2)
        for suffix in ("", "_abs"):
            pairs = zip(numbers["colorfulness" + suffix], true.numbers["colorfulness" + suffix], strict=True)
            numbers[f"mean_delta_colorfulness{suffix}"] = [abs(a - b) for a, b in pairs]
        off = np.abs(rgb8_to_lab(rgb8)[:, 0].numpy() - truth.lightness)
        numbers["lightness_error"] = off.mean((1, 2), dtype=np.float64).tolist()
        part = _part_of(frames, numbers)
        part.arrays["areas"] = by_class(truth.classes, scores).numpy().astype(np.float32)
        if self.tools.inception is not None:
            part.arrays["inception"] = self.tools.inception(rgb8.to(self.device))
        return part

    def _fail(self, of: SetOfPhotographs, name: str, error: Exception) -> None:
        reason = (
            str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {one_line(error, 300)}"
        )
        of.failed[name] = reason
        self.warn(f"{of.name}: {name}: left out of the table: {reason}")

    def _note(self, of: SetOfPhotographs, line: str, aloud: bool) -> None:
        of.notes.append(line)
        if aloud:  # every process notes it
            self.warn(line)


def _part_of(frames: list[Frame], numbers: dict[str, list[float | None]]) -> Part:
    return Part(
        [frame.index for frame in frames],
        [frame.name for frame in frames],
        [frame.sha256 for frame in frames],
        numbers,
    )


def _stacked(frames: list[Frame]) -> torch.Tensor:
    return torch.from_numpy(np.stack([frame.rgb8 for frame in frames])).permute(0, 3, 1, 2)


def _nothing(of: SetOfPhotographs, read: int) -> str:
    why = f"{len(of.grey)} are grey, {len(of.broken)} cannot be used"
    first = f"; the first of these, {of.broken[0]['name']}: {of.broken[0]['reason']}" if of.broken else ""
    return f"--data {of.name}: no colour photograph among {read}: {why}{first}"
