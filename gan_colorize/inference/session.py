"""One photograph under a model, steered: read once, told again and again, coloured cheaply."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from ..data.image_io import Photo
from ..data.provenance import Provenance
from ..errors import UserError
from ..models.contract import Conditions, Prediction
from . import steering
from .palettes import PaletteDrawer, named_palette
from .predictor import Chroma, Predictor, Settings
from .reference import reference_of
from .result import Result, confidence_map, notices
from .suggest import COUNT, Suggestion, suggest
from .upsample import Rendering, enlarge, render
from .wishes import Hint, Wishes, hint_from_json
from .wishes_check import Checker
from .working_size import shrink

# Of a brush, as a share of the photograph's shorter side, when none is named.
_RADIUS = 0.02

# Previews in the window, of variants and for confidence are asked for in turn.
_SIZES_KEPT = 3


class Session:
    """One photograph under a model, and what is wished of it.

    The network runs when colours are asked for and what it is told has changed; temperature, saturation and
    seed never make it run. Not for several threads at once.

    wishes: what is wished now; :meth:`wish` and the methods below replace it.
    """

    def __init__(self, predictor: Predictor, photo: Photo, name: str = "") -> None:
        self.photo, self.name = photo, name
        self.lightness = photo.lightness()
        self.seen = predictor.see(self.lightness)
        self.wishes = Wishes()
        self._predictor = predictor
        self._told_of: tuple | None = None
        self._told = steering.NOTHING
        self._answer: steering.Answer | None = None
        self._free: tuple[tuple, Prediction] | None = None
        self._conditions: Conditions | None = None
        self._small: dict[int, np.ndarray] = {}

    # What is wished.

    def wish(self, wishes: Wishes, where: str = "the wishes") -> None:
        """Replace all wishes.

        Raises:
            UserError: hints outside the photograph or of one of another shape, or wishes that this model does
                not listen to; ``where`` names them.
        """
        height, width = self.lightness.shape
        wishes = wishes.fitted(width, height, where)
        steering.check_takes(self._predictor.name, self._predictor.contract, wishes)
        self._predictor.check(steering.settings_of(wishes, Settings()))
        self.wishes = wishes

    def add_hint(
        self, x: float, y: float, color: str | tuple[float, float], radius: float | None = None
    ) -> int:
        """Wish a colour at a point; returns the hint's number, counted from 0.

        Args:
            x, y: in pixels of the photograph, (0, 0) is its corner.
            color: hexadecimal ("#3a7d44", of which only a and b count) or (a, b).
            radius: in pixels; None is a fiftieth of the shorter side.

        Raises:
            UserError: what is no colour or no radius, or a place outside the photograph.
        """
        return self.add_stroke([(x, y)], color, radius)

    def add_stroke(
        self,
        points: Sequence[tuple[float, float]],
        color: str | tuple[float, float],
        radius: float | None = None,
    ) -> int:
        """Wish a colour along a line through points; as :meth:`add_hint`."""
        radius = max(_RADIUS * min(self.lightness.shape), 0.5) if radius is None else radius
        paint = {"color": color} if isinstance(color, str) else {"ab": _plain(color)}
        hint = hint_from_json({"points": _plain(points), "radius": _plain(radius), **paint}, "hint")
        self.wish(replace(self.wishes, hints=(*self.wishes.hints, hint)), "hint")
        return len(self.wishes.hints) - 1

    def move_hint(self, number: int, x: float, y: float) -> None:
        """Move a hint's first point to (x, y), and a stroke's others with it."""
        hint = self._hint(number)
        across, down = x - hint.points[0][0], y - hint.points[0][1]
        moved = replace(hint, points=tuple((px + across, py + down) for px, py in hint.points))
        hints = list(self.wishes.hints)
        hints[number] = moved
        self.wish(replace(self.wishes, hints=tuple(hints)), "hint")

    def remove_hint(self, number: int) -> None:
        """Take a hint back; those after it count one less."""
        self._hint(number)
        hints = (*self.wishes.hints[:number], *self.wishes.hints[number + 1 :])
        self.wishes = replace(self.wishes, hints=hints)

    def _hint(self, number: int) -> Hint:
        if not 0 <= number < len(self.wishes.hints):
            raise UserError(f"there is no hint {number}; there are {len(self.wishes.hints)}, counted from 0")
        return self.wishes.hints[number]

    def set_palette(self, colours: Sequence[str] | None) -> None:
        """Wish that these colours be used, one to five in hexadecimal; None takes it back."""
        if colours is not None:
            named_palette(list(colours))
            colours = tuple(colour.strip().removeprefix("#") for colour in colours)
        self.wish(replace(self.wishes, palette=colours, text=None))

    def set_text(self, text: str | None, seed: int = 0, drawer: PaletteDrawer | None = None) -> str | None:
        """Wish the colours that people name for these words; returns a warning if some are not known."""
        text = Checker("").text(text, "text")
        asked = replace(self.wishes, palette=None, text=text, text_seed=seed)
        wishes, warning = steering.with_drawn_palette(asked, drawer)
        self.wish(wishes)
        return warning

    def set_reference(self, source: str | Path | bytes | np.ndarray | None) -> None:
        """Wish the colours of another picture: their spread and saturation; None takes it back."""
        reference = None if source is None else reference_of(source)
        self.wish(replace(self.wishes, reference=reference))

    # What comes of it.

    def predict(self, *, confidence: bool = False) -> Result:
        """The photograph in colour, at its own size, as it is wished; see also :meth:`colorize`."""
        settings = Settings(confidence=confidence)
        return self._result(self._chroma(settings), self._said(settings))

    def colorize(
        self,
        *,
        temperature: float | None = None,
        saturation: float | None = None,
        seed: int | None = None,
        confidence: bool = False,
        conditions: Conditions | None = None,
    ) -> Result:
        """Colour the photograph.

        Args:
            temperature: of the distribution; None is what is wished, else the model's own.
            saturation: factor on the chroma; None is what is wished, else the model's own, and 1 for samples
                and with ``conditions``, a palette or a reference, which are to be met as they are.
            seed: draw a sample with this seed; None is what is wished, else the annealed mean.
            confidence: also return the map of how sure the network is.
            conditions: what the network is told, as tensors, in place of ``self.wishes``; for a batch of one,
                hint planes have the size of ``self.seen.plane``. The network runs again only when they are
                another object than the last time.
        """
        settings = Settings(temperature, 0 if seed is None else 1, seed, confidence, saturation)
        if conditions is None:
            return self._result(self._chroma(settings), self._said(settings))
        if saturation is None:
            settings = replace(settings, saturation=1.0)
        self._predictor.check(settings)
        if conditions is not self._conditions:
            prediction = self._predictor.predict([self.seen], conditions)
            self._answer = steering.Answer(prediction, prediction)
            self._conditions, self._told_of = conditions, None
        (chroma,) = self._predictor.decode(self._answer.told, [self.seen], settings)
        return self._result(chroma, self._provenance(settings, told="tensors"))

    def preview(self, largest_side: int = 1024) -> np.ndarray:
        """(h, w, 3) uint8: the photograph as it is wished, not larger than asked."""
        chroma = self._chroma(Settings())
        return render(self._reduced(largest_side), chroma.ab[0], chroma.extent, seen=chroma.seen)

    def confidence_preview(self, largest_side: int = 1024) -> np.ndarray:
        """(h, w) float32 in 0..1: how sure the network is; with 0.5 it would pick one of 18 colours."""
        chroma = self._chroma(Settings(confidence=True))
        shape = self._reduced(largest_side).shape
        return enlarge(chroma.confidence, shape, chroma.extent).clip(0.0, 1.0)

    def suggest(self, x: float, y: float, count: int = COUNT) -> list[Suggestion]:
        """Colours for the point (x, y), the most probable first, given what is wished now.

        Raises:
            UserError: outside the photograph, or a model without a distribution.
        """
        row, column = self._pixel(x, y)
        if self._predictor.contract.returns != "distribution":
            raise UserError("this model predicts one colour for a pixel, and has no others to suggest")
        prediction = self._answered().told
        stride = self._predictor.contract.output_stride
        (height, width), (rows, columns) = self.lightness.shape, self.seen.shape
        logits = prediction.logits
        down = (row + 0.5) / height * rows / stride / logits.shape[2] * 2 - 1
        across = (column + 0.5) / width * columns / stride / logits.shape[3] * 2 - 1
        place = torch.tensor([[[[across, down]]]], dtype=torch.float32, device=logits.device)
        there = F.grid_sample(logits.float(), place, padding_mode="border", align_corners=False)
        return suggest(there[0, :, 0, 0], float(self.lightness[row, column]), count)

    def lightness_at(self, x: float, y: float) -> float:
        """L 0..100 of the photograph at a point."""
        return float(self.lightness[self._pixel(x, y)])

    def _pixel(self, x: float, y: float) -> tuple[int, int]:
        height, width = self.lightness.shape
        if not (0 <= x <= width and 0 <= y <= height):
            raise UserError(f"the point ({x:g}, {y:g}) lies outside the photograph ({width}x{height})")
        return min(int(y), height - 1), min(int(x), width - 1)

    def _answered(self) -> steering.Answer:
        """The network's answer to the wishes as they are; run only if what it is told is new. What it says
        without the hints is kept, so that a hint which moves costs one run."""
        wishes = self.wishes = steering.with_drawn_palette(self.wishes)[0]
        overall = (wishes.palette, wishes.reference)
        telling = (wishes.hints, *overall)
        if self._answer is None or self._told_of != telling:
            told = steering.tell(wishes, self.lightness.shape, self.seen, self._predictor.contract)
            free = self._free[1] if self._free and self._free[0] == overall else None
            # kept together or not at all: memory may run out in between
            self._answer = steering.predict(self._predictor, [self.seen], told, free)
            self._told, self._told_of, self._conditions = told, telling, None
            if told.hints is not None or len(self._predictor.views) == 1:  # hints have one view
                self._free = (overall, self._answer.free)
        return self._answer

    def _chroma(self, settings: Settings) -> Chroma:
        answer = self._answered()
        settings = steering.settings_of(self.wishes, settings)
        self._predictor.check(settings)
        (chroma,) = steering.decode(self._predictor, answer, [self.seen], self._told, settings)
        return chroma

    def _said(self, settings: Settings) -> Provenance:
        """How the colours of the wishes are made; palettes of words have been drawn by now."""
        wishes = self.wishes
        told = {"palette": ",".join(wishes.palette or ()) or None, "text": wishes.text}
        told |= {"hints": len(wishes.hints) or None, "reference": "statistics" if wishes.reference else None}
        return self._provenance(steering.settings_of(wishes, settings), **told)

    def _provenance(self, settings: Settings, **told: Any) -> Provenance:
        name, sha256 = self._predictor.weights()
        drawn = {
            "temperature": self._predictor.temperature_of(settings),
            "saturation": self._predictor.saturation_of(settings),
            "seed": settings.first_seed if settings.samples else None,
        }
        return Provenance(name, sha256, drawn | told)

    def _result(self, chroma: Chroma, provenance: Provenance) -> Result:
        def rendering(bits: int, profile: bytes | None) -> Rendering:
            place = {"seen": chroma.seen, "device": self._predictor.render_device}
            return Rendering(self.lightness, chroma.ab[0], chroma.extent, bits=bits, profile=profile, **place)

        warnings = notices(self.photo, chroma, self.seen.shape, self._predictor.size)
        if self.photo.pages > 1:
            warnings.append(f"has {self.photo.pages} pages; only the first is used")
        return Result(
            rgb8=rendering(8, None).whole(),
            confidence=confidence_map(chroma, self.lightness.shape),
            warnings=warnings,
            photo=self.photo,
            provenance=provenance,
            rendering=rendering,
        )

    def _reduced(self, largest_side: int) -> np.ndarray:
        """The photograph's L, its longer side at most as asked; the last few sizes are kept."""
        height, width = self.lightness.shape
        scale = largest_side / max(height, width)
        if scale >= 1:
            return self.lightness
        if largest_side not in self._small:
            shape = max(1, round(height * scale)), max(1, round(width * scale))
            while len(self._small) >= _SIZES_KEPT:
                del self._small[next(iter(self._small))]
            self._small[largest_side] = shrink(self.lightness, shape)
        return self._small[largest_side]


def _plain(values: Any) -> Any:
    """Numbers and sequences of them, numpy's included, as the types that a file of JSON would give."""
    if isinstance(values, np.ndarray | np.generic):
        return values.tolist()
    return [_plain(value) for value in values] if isinstance(values, list | tuple) else values
