"""What a person wishes of the colours of one photograph."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from ..errors import UserError


@dataclass(frozen=True)
class Hint:
    """A colour at a place: one point, or a stroke through several.

    points: (x, y) in pixels of the photograph as it is shown; (0, 0) is the corner of the first pixel, whose
        centre is (0.5, 0.5).
    radius: of the brush, in the same pixels, above 0.
    ab:     the colour's a and b of CIE Lab (D65); lightness is the photograph's own.
    """

    points: tuple[tuple[float, float], ...]
    radius: float
    ab: tuple[float, float]


@dataclass(frozen=True)
class Reference:
    """The colours of another picture: (bin, share) for those of the 313 bins that it has, together 1, and its
    mean HSV saturation 0..1."""

    histogram: tuple[tuple[int, float], ...]
    saturation: float
    name: str = ""


@dataclass(frozen=True)
class Wishes:
    """All that is wished of one photograph; the empty one means automatic colouring.

    palette:     one to five colours in hexadecimal without #, or None.
    text:        what a palette is drawn for when none is named; text_seed is the draw's.
    temperature, saturation, seed: as in :class:`~gan_colorize.inference.predictor.Settings`; None is the
        model's own, and no sample.
    size:        (width, height) of the photograph that the hints were placed on, if known.
    """

    hints: tuple[Hint, ...] = ()
    palette: tuple[str, ...] | None = None
    text: str | None = None
    text_seed: int = 0
    reference: Reference | None = None
    temperature: float | None = None
    saturation: float | None = None
    seed: int | None = None
    size: tuple[int, int] | None = None

    def without_hints(self) -> Wishes:
        """What is wished of the whole picture."""
        return replace(self, hints=(), size=None)

    def fitted(self, width: int, height: int, where: str) -> Wishes:
        """These wishes for a photograph of that size: hints placed on a copy of another size are scaled.

        Raises:
            UserError: the copy had another shape, or a hint lies outside the photograph.
        """
        hints = self.hints
        if self.size and self.size != (width, height):
            hints = _scaled(hints, self.size, (width, height), where)
        for number, hint in enumerate(hints, 1):
            if not all(
                map(math.isfinite, (hint.radius, *hint.ab, *(v for point in hint.points for v in point)))
            ):
                raise UserError(f"{where}: hint {number} has a number that is not finite")
            if not _touches(hint.points, width, height):
                (x, y) = hint.points[0]
                what = f"at ({x:g}, {y:g}) lies" if len(hint.points) == 1 else "is a stroke wholly"
                raise UserError(f"{where}: hint {number} {what} outside the photograph ({width}x{height})")
        return replace(self, hints=hints, size=(width, height))


def _scaled(
    hints: tuple[Hint, ...], placed_on: tuple[int, int], size: tuple[int, int], where: str
) -> tuple[Hint, ...]:
    """Hints for a photograph of ``size``, placed on a copy of another; both (width, height)."""
    (old_width, old_height), (width, height) = placed_on, size
    # One is a reduced copy of the other if some scale makes its sides within a pixel, however it was rounded.
    if abs(old_width * height - old_height * width) > max(width + height, old_width + old_height):
        raise UserError(
            f"{where}: its hints are for a photograph of {old_width}x{old_height}; this one has "
            f"{width}x{height}, another shape"
        )
    scale = math.sqrt(width / old_width * height / old_height)
    # Multiplied first: what lies on the border stays on it to the last bit.
    return tuple(
        Hint(
            tuple((x * width / old_width, y * height / old_height) for x, y in hint.points),
            hint.radius * scale,
            hint.ab,
        )
        for hint in hints
    )


def _touches(points: tuple[tuple[float, float], ...], width: int, height: int) -> bool:
    """Whether a point, or a line from one to the next, lies in the photograph, its border included."""
    if any(0 <= x <= width and 0 <= y <= height for x, y in points):
        return True
    return any(_crosses(points[i], points[i + 1], width, height) for i in range(len(points) - 1))


def _crosses(start: tuple[float, float], end: tuple[float, float], width: float, height: float) -> bool:
    """Whether the line between two points outside meets the rectangle (Liang, Barsky 1984)."""
    enters, leaves = 0.0, 1.0
    for begin, stop, most in zip(start, end, (width, height), strict=True):
        step = stop - begin
        if step == 0:
            if not 0 <= begin <= most:
                return False
            continue
        first, last = sorted((-begin / step, (most - begin) / step))
        enters, leaves = max(enters, first), min(leaves, last)
    return enters <= leaves
