"""From wishes to colours: what the network is told, and how its answer is brought to meet the hints.

The editor, the Python session and the batch of the command line all pass here, so that they agree.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from ..color.bins import NUM_BINS
from ..errors import UserError
from ..models.contract import Conditions, Contract, Prediction
from .hints import paint
from .palettes import PaletteDrawer, check_takes_palette, named_palette, palette_wish
from .predictor import Chroma, Predictor, Seen, Settings
from .propagate import meet_hints, within_reach
from .wishes import Reference, Wishes


@dataclass(frozen=True)
class Told:
    """What a network is told of one photograph, and the painted hints by which its answer is corrected.

    hints: (2, h, w) and mask (1, h, w) of :func:`~gan_colorize.inference.hints.paint`, or None.
    """

    conditions: Conditions | None = None
    hints: tuple[np.ndarray, np.ndarray] | None = None


NOTHING = Told()


@dataclass(frozen=True)
class Answer:
    """What a network says to all it was told, and what it says without the hints."""

    told: Prediction
    free: Prediction


def check_takes(name: str, contract: Contract, wishes: Wishes, where: str = "") -> None:
    """Raise a UserError for wishes that a network does not listen to; ``where`` names what they came from."""
    if wishes.hints and "hints" not in contract.takes:
        raise UserError(f"{where or 'hints'}: this model ({name}) does not listen to hints")
    if wishes.reference is not None and "histogram" not in contract.takes:
        raise UserError(
            f"{where or 'reference'}: this model ({name}) does not listen to the colours of a reference"
        )
    if wishes.palette is not None or wishes.text is not None:
        check_takes_palette(name, contract, where or ("palette" if wishes.text is None else "text"))


def with_drawn_palette(wishes: Wishes, drawer: PaletteDrawer | None = None) -> tuple[Wishes, str | None]:
    """The wishes with a palette for their text, unless there is one already; and a warning, if any.

    Raises:
        UserError: no word of the text is known.
    """
    if wishes.text is None or wishes.palette is not None:
        return wishes, None
    from ..color.palette import to_hex

    drawn = (drawer or PaletteDrawer()).draw(wishes.text, seed=wishes.text_seed)
    return replace(wishes, palette=tuple(to_hex(drawn.palettes[0]))), drawn.warning()


def tell(wishes: Wishes, photo: tuple[int, int], seen: Seen, contract: Contract) -> Told:
    """What the network is told of a photograph of (height, width).

    ``wishes`` are :meth:`~gan_colorize.inference.wishes.Wishes.fitted` to it, and have their palette.
    """
    parts: dict[str, torch.Tensor] = {}
    painted = None
    if wishes.hints:
        painted = paint(wishes.hints, photo, seen.shape, seen.plane.shape)
        if painted[1].any():
            parts |= {"hints": torch.from_numpy(painted[0])[None], "mask": torch.from_numpy(painted[1])[None]}
        else:
            painted = None
    if wishes.palette is not None:
        parts["palette"] = palette_wish(named_palette(list(wishes.palette))).palette
    if wishes.reference is not None:
        parts |= _statistics(wishes.reference, contract)
    return Told(Conditions(**parts) if parts else None, painted)


def _statistics(reference: Reference, contract: Contract) -> dict[str, torch.Tensor]:
    histogram = torch.zeros(1, NUM_BINS)
    for index, share in reference.histogram:
        histogram[0, index] = share
    parts = {"histogram": histogram / histogram.sum()}
    if "saturation" in contract.takes:
        parts["saturation"] = torch.tensor([[reference.saturation]])
    return parts


def settings_of(wishes: Wishes, settings: Settings) -> Settings:
    """``settings`` where they are given, else what the wishes say."""
    if settings.temperature is None and wishes.temperature is not None:
        settings = replace(settings, temperature=wishes.temperature)
    if settings.saturation is None:
        if wishes.saturation is not None:
            settings = replace(settings, saturation=wishes.saturation)
        elif wishes.palette is not None or wishes.reference is not None:
            # Colours that were named are to be met as they are. Hints are met without that, and the rest of
            # the photograph must not pale for the first of them.
            settings = replace(settings, saturation=1.0)
    if settings.seed is None and wishes.seed is not None:
        settings = replace(settings, samples=settings.samples or 1, seed=wishes.seed)
    return settings


def predict(predictor: Predictor, seen: list[Seen], told: Told, free: Prediction | None = None) -> Answer:
    """The network's answer for photographs of one padded size that are all told the same.

    ``free`` is the answer without the hints, if it is at hand; else the network runs for it as well.
    """
    conditions = None if told.conditions is None else told.conditions.repeat(len(seen))
    prediction = predictor.predict(seen, conditions)
    if told.hints is None:
        return Answer(prediction, prediction)
    if free is None:
        # Hints of which none is given are the same as no hints, but make the predictor look as it does for
        # hints: at one view alone.
        none = replace(conditions, hints=conditions.hints * 0, mask=conditions.mask * 0)
        free = predictor.predict(seen, none)
    return Answer(prediction, free)


def decode(
    predictor: Predictor, answer: Answer, seen: list[Seen], told: Told, settings: Settings
) -> list[Chroma]:
    """Colours of each photograph: they meet the hints, and are what they were where no hint reaches."""
    colourings = predictor.decode(answer.told, seen, settings)
    if told.hints is None:
        return colourings
    unhinted = predictor.decode(answer.free, seen, replace(settings, confidence=False))
    results = []
    for chroma, free, one in zip(colourings, unhinted, seen, strict=True):
        met = []
        for ab, ab_free in zip(chroma.ab, free.ab, strict=True):
            near = within_reach(ab, ab_free, one.plane, told.hints, one.shape)
            met.append(meet_hints(near, one.plane, told.hints, one.shape))
        results.append(replace(chroma, ab=met))
    return results
