"""What is done with one file of a batch: read, predicted, written; in whatever thread the batch chooses."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ..data.image_io import Photo, pixels_of_pages, read_pages, read_photo
from ..data.image_write import format_of, holds_16_bits, write_photo
from ..data.provenance import Provenance
from ..errors import UserError
from ..files import file_hash, save_image
from . import steering
from .notices import COLOURED, TONED, input_notices, tint_of
from .plan import Job
from .predictor import Chroma, Predictor, Seen, Settings
from .ready import SMALLER, attempt
from .result import confidence_map, notices
from .upsample import Rendering
from .working_size import Rows


@dataclass
class FileResult:
    """What became of one file.

    status: "coloured" (or what else was done), "left out", "failed" or "not tried"; size and seen are (width,
    height). hints: the file of hints that was followed. drawn: temperature, saturation and seed (of the first
    sample, or None) of the colourings; None where they are those of the run. source_sha256: of the file; None
    where whoever reports must read it again. pages: in the result, where there are several.
    """

    source: Path
    status: str = "coloured"
    outputs: list[Path] = field(default_factory=list)
    seconds: float = 0.0
    size: tuple[int, int] | None = None
    seen: tuple[int, int] | None = None
    warnings: list[str] = field(default_factory=list)
    error: str | None = None
    hints: Path | None = None
    drawn: dict[str, float | int | None] | None = None
    source_sha256: str | None = None
    pages: int = 1


@dataclass
class Item:
    """A photograph on its way; ``pixels`` is what it counts for in the memory budget. ``key``: photographs of
    one key may share a pass of the network; ``told`` and ``settings`` are then the same for all. One that is
    ``alone`` shares its pass with none."""

    job: Job
    pixels: int
    result: FileResult
    photo: Photo | None = None
    lightness: Rows | None = None
    seen: Seen | None = None
    told: steering.Told = steering.NOTHING
    settings: Settings | None = None
    key: tuple[Any, ...] = ()
    alone: bool = False


@dataclass(frozen=True)
class Writing:
    """How results are written, and which inputs get none.

    quality: of JPEG, WebP and AVIF. bits: a channel, 8 or 16; None is the input's own, if the format has it.
    provenance: what the files say of how they were made. leave_out: kinds of input that are left as they are:
    "toned", "coloured"; of several pages the first decides.
    """

    quality: int = 95
    bits: int | None = None
    provenance: Provenance | None = None
    leave_out: frozenset[str] = frozenset()


class Stages:
    """The work of a batch.

    network: runs a function where the network may run, and waits; for the pages after the first.
    say: receives a line whenever memory ran out and what was done about it.
    """

    def __init__(
        self,
        predictor: Predictor,
        settings: Settings,
        writing: Writing,
        samples_alone: bool,
        network: Callable[..., Any],
        say: Callable[[str], None],
    ) -> None:
        self.predictor, self.settings, self.writing = predictor, settings, writing
        self._samples_alone, self._network, self._say = samples_alone, network, say
        self._on_cpu: Predictor | None = None

    def read(self, item: Item) -> None:
        """File to lightness, and to what the network will see of it."""
        started = time.perf_counter()
        source = item.job.source
        self._take(item, read_photo(source))
        item.result.source_sha256 = file_hash(source)
        tint = tint_of(item.photo.pixels)
        if tint in self.writing.leave_out:
            item.result.status = "left out"
            what = {TONED: "has a tone (sepia?)", COLOURED: "is in colour already"}[tint]
            item.result.warnings = [f"the input {what}; it was left as it is"]
        item.result.size = item.photo.size
        item.result.seen = item.seen.shape[::-1]
        item.result.seconds += time.perf_counter() - started

    def _take(self, item: Item, photo: Photo, scale: float = 1.0) -> None:
        item.photo, item.lightness = photo, photo.lightness_rows()
        item.seen = self.predictor.see(item.lightness, scale)
        self._tell(item)

    def _tell(self, item: Item) -> None:
        """What is wished of the photograph, now that its size is known."""
        wishes, (height, width) = item.job.wishes, item.lightness.shape
        item.settings, item.key = self.settings, (item.seen.plane.shape, wishes and wishes.without_hints())
        if wishes is None:
            return
        wishes = wishes.fitted(width, height, str(item.job.hints_file or item.job.source))
        item.settings = steering.settings_of(wishes, self.settings)
        item.told = steering.tell(wishes, (height, width), item.seen, self.predictor.contract)
        # One with hints of its own has no companions; nor has one of which a sample is wished.
        item.alone = item.told.hints is not None or (self._samples_alone and item.settings.samples > 0)
        if item.alone:
            item.key = (*item.key, id(item))
        item.result.hints = item.job.hints_file
        if item.job.hints_file is not None:
            item.result.drawn = self._drawn(item.settings)

    def _drawn(self, settings: Settings) -> dict[str, float | int | None]:
        return {
            "temperature": self.predictor.temperature_of(settings),
            "saturation": self.predictor.saturation_of(settings),
            "seed": settings.first_seed if settings.samples else None,
        }

    def predict(self, items: list[Item]) -> list[Chroma | BaseException]:
        """Chroma of photographs of one key; where memory runs out, of half as many at once, then of one that
        is seen smaller, then on the CPU."""
        started = time.perf_counter()
        outcomes = self._attempt(self.predictor, items)
        if outcomes is None:
            if len(items) > 1:
                half = len(items) // 2
                self._say(f"out of memory with {len(items)} photographs at once; going on with {half}")
                self.most = half
                return self.predict(items[:half]) + self.predict(items[half:])
            outcomes = self._with_less(items[0])
        for item in items:
            item.result.seconds += (time.perf_counter() - started) / len(items)
        return outcomes

    # How many photographs fit into a pass, once memory has run out; None before.
    most: int | None = None

    def _attempt(self, predictor: Predictor, items: list[Item]) -> list[Chroma] | None:
        """None: out of memory."""
        seen, told, settings = [item.seen for item in items], items[0].told, items[0].settings

        def work() -> list[Chroma]:
            answer = steering.predict(predictor, seen, told)
            return steering.decode(predictor, answer, seen, told, settings)

        return attempt(work, predictor.device)

    def _with_less(self, item: Item) -> list[Chroma | BaseException]:
        """One photograph that does not fit into memory by itself."""
        for scale in SMALLER:
            size = round(self.predictor.size * scale)
            self._say(f"{item.job.source}: out of memory; going on with a working size of {size}")
            self._take(item, item.photo, scale)
            outcome = self._attempt(self.predictor, [item])
            if outcome is not None:
                item.result.seen = item.seen.shape[::-1]
                item.result.warnings.append(f"out of memory: the network saw it at a working size of {size}")
                return outcome
        if self.predictor.device.type != "cpu":
            self._say(f"{item.job.source}: out of memory on {self.predictor.device}; going on with the CPU")
            if self._on_cpu is None:
                self._on_cpu = self.predictor.on_cpu()
            self._take(item, item.photo)
            outcome = self._attempt(self._on_cpu, [item])
            if outcome is not None:
                item.result.warnings.append(f"out of memory on {self.predictor.device}: made on the CPU")
                return outcome
        return [UserError("not enough memory for the network, even for one photograph seen at half size")]

    def write(self, item: Item, chroma: Chroma) -> None:
        """Chroma to files."""
        started = time.perf_counter()
        photo, result = item.photo, item.result
        by_pages = photo.pages > 1 and all(format_of(path) == "TIFF" for path in item.job.outputs)
        said: list[str] = []
        if by_pages:
            said += self._write_pages(item, chroma)
            result.pages = photo.pages
        else:
            if photo.pages > 1:
                said.append(f"has {photo.pages} pages; only the first is used (a .tif would have all)")
            for index, path in enumerate(item.job.outputs):
                picture = self._picture(photo, item.lightness, chroma, index, path)
                said += write_photo(path, picture, photo, self.writing.quality, self._provenance(item, index))
        result.outputs += item.job.outputs
        if item.job.confidence is not None and chroma.confidence is not None:
            write_confidence(item.job.confidence, confidence_map(chroma, item.lightness.shape))
            result.outputs.append(item.job.confidence)
        if photo.bits > 8 and self.writing.bits is None and not all(map(holds_16_bits, item.job.outputs)):
            said.append("written with 8 bits a channel, as its format has no more (.png and .tif have 16)")
        findings = notices(photo, chroma, item.seen.shape, self.predictor.size)
        result.warnings += list(dict.fromkeys([*findings, *said]))
        result.seconds += time.perf_counter() - started
        item.photo = item.lightness = None

    def _picture(self, photo: Photo, lightness: Rows, chroma: Chroma, index: int, path: Path) -> Rendering:
        bits = self.writing.bits or photo.bits
        return Rendering(
            lightness,
            chroma.ab[index],
            chroma.extent,
            seen=chroma.seen,
            bits=bits if holds_16_bits(path) else 8,
            profile=photo.profile,
            device=self.predictor.render_device,
        )

    def _provenance(self, item: Item, index: int) -> Provenance | None:
        if self.writing.provenance is None:
            return None
        drawn = self._drawn(item.settings)
        if drawn["seed"] is not None:
            drawn["seed"] += index
        return self.writing.provenance.of_source(item.result.source_sha256).with_settings(**drawn)

    def _write_pages(self, item: Item, chroma: Chroma) -> list[str]:
        """All pages of a TIFF, one after the other; hints are of the first."""
        from ..data.tiff_write import tiff_writer  # tifffile takes a tenth of a second to import

        first, said = item.photo, []
        with ExitStack() as stack:
            # with transparency, and with 16 bits where later pages may have them
            size = pixels_of_pages(item.job.source) * 4 * (self.writing.bits or 16) // 8
            writers = [stack.enter_context(tiff_writer(path, size)) for path in item.job.outputs]
            others = stack.enter_context(closing(read_pages(item.job.source, first=1)))
            stack.enter_context(_first_page_again(item))
            for page in range(first.pages):
                if page:
                    chroma = self._page(item, page, others)
                for index, (path, writer) in enumerate(zip(item.job.outputs, writers, strict=True)):
                    picture = self._picture(item.photo, item.lightness, chroma, index, path)
                    provenance = self._provenance(item, index)
                    said += writer.add(
                        picture, item.photo.alpha, item.photo.metadata, provenance, first.pages
                    )
                if page:
                    found = [*item.photo.warnings, *input_notices(item.photo.pixels)]
                    said += [f"page {page + 1}: {line}" for line in found]
        return said

    def _page(self, item: Item, page: int, others: Iterator[Photo]) -> Chroma:
        wishes = item.job.wishes
        if wishes is not None and wishes.hints:
            item.job = replace(item.job, wishes=replace(wishes, hints=()))
        try:
            self._take(item, next(others))
            (outcome,) = self._network(self.predict, [item])
        except UserError as error:
            text = str(error).removeprefix(f"{item.job.source}: ")
            raise UserError(f"{item.job.source}: page {page + 1}: {text}") from error
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome


@contextmanager
def _first_page_again(item: Item) -> Iterator[None]:
    """After the block, whatever happened in it, the item is as before: the map and the findings are of the
    first page, and so is another try."""
    before = item.job, item.photo, item.lightness, item.seen
    try:
        yield
    finally:
        item.job, item.photo, item.lightness, item.seen = before


def write_confidence(path: Path, confidence: np.ndarray) -> None:
    """A map (H, W) in 0..1 as an 8-bit grey PNG: white is sure, black is any colour."""
    save_image(path, Image.fromarray(np.rint(confidence * 255.0).astype(np.uint8)), "PNG")
