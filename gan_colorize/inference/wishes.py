"""What a person wishes of the colours of one photograph, and the JSON file that keeps it.

The file is what ``colorize --hints`` reads and what the editor saves; README.md describes it.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..color.bins import NUM_BINS
from ..color.palette import COLOURS, hex_to_ab, parse_hex
from ..errors import UserError
from ..files import atomic_path

FORMAT, VERSION = "gan_colorize-project", 1
SUFFIX = ".hints.json"
LARGEST_FILE = 16_000_000  # bytes; ten thousand strokes are less
MOST_POINTS = 200_000
_AB_LIMIT = 128.0
_KEYS = {
    "format", "version", "photo", "hints", "palette", "text", "text_seed", "reference", "temperature",
    "saturation", "seed",
}  # fmt: skip


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
            across, down = width / self.size[0], height / self.size[1]
            # half a pixel of rounding on either side of the smaller copy
            if abs(across / down - 1) > 1 / min(*self.size, width, height):
                raise UserError(
                    f"{where}: its hints are for a photograph of {self.size[0]}x{self.size[1]}; this one has "
                    f"{width}x{height}, another shape"
                )
            scale = math.sqrt(across * down)
            hints = tuple(
                Hint(tuple((x * across, y * down) for x, y in hint.points), hint.radius * scale, hint.ab)
                for hint in hints
            )
        for number, hint in enumerate(hints, 1):
            for x, y in hint.points if len(hint.points) == 1 else ():
                if not (0 <= x <= width and 0 <= y <= height):
                    raise UserError(
                        f"{where}: hint {number} at ({x:g}, {y:g}) lies outside the photograph "
                        f"({width}x{height})"
                    )
            if not any(0 <= x <= width and 0 <= y <= height for x, y in hint.points):
                raise UserError(f"{where}: hint {number}, a stroke, lies wholly outside the photograph")
        return replace(self, hints=hints, size=(width, height))


def read_wishes(path: str | Path) -> Wishes:
    """The wishes in a file.

    Raises:
        UserError: the file cannot be read or holds something else; one line that says what.
    """
    path = Path(path)
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise UserError(f"{path}: is too large for a file of hints (over {LARGEST_FILE:,} bytes)")
        data = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: is no file of hints (not JSON: {str(error)[:80]})") from error
    return wishes_from_json(data, str(path))


def write_wishes(path: str | Path, wishes: Wishes, name: str | None = None) -> None:
    """Write a file that :func:`read_wishes` reads; ``name`` is the photograph's."""
    text = json.dumps(wishes_to_json(wishes, name), indent=1)
    with atomic_path(Path(path)) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def wishes_to_json(wishes: Wishes, name: str | None = None) -> dict[str, Any]:
    """Plain types that JSON knows; only what is wished."""
    data: dict[str, Any] = {"format": FORMAT, "version": VERSION}
    if wishes.size:
        data["photo"] = {"width": wishes.size[0], "height": wishes.size[1]} | ({"name": name} if name else {})
    data["hints"] = [_hint_to_json(hint) for hint in wishes.hints]
    if wishes.reference:
        data["reference"] = {
            "name": wishes.reference.name,
            "histogram": {str(index): share for index, share in wishes.reference.histogram},
            "saturation": wishes.reference.saturation,
        }
    for key in ("palette", "text", "temperature", "saturation", "seed"):
        value = getattr(wishes, key)
        if value is not None:
            data[key] = list(value) if key == "palette" else value
    if wishes.text is not None:
        data["text_seed"] = wishes.text_seed
    return data


def wishes_from_json(data: Any, where: str) -> Wishes:
    """Plain types to wishes. Whether hints lie inside the photograph, :meth:`Wishes.fitted` says.

    Raises:
        UserError: names ``where`` and what is wrong.
    """
    check = _Checker(where)
    data = check.keys(data, _KEYS, "the file")
    if data.get("format", FORMAT) != FORMAT:
        check.fail(f"is of the format {data['format']!r}, not {FORMAT!r}")
    if data.get("version", VERSION) != VERSION:
        check.fail(f"has version {data['version']!r}; this release reads {VERSION}")
    size = None
    if data.get("photo") is not None:
        photo = check.keys(data["photo"], {"name", "width", "height", "sha256"}, "photo")
        if "width" in photo or "height" in photo:
            size = tuple(int(check.number(photo.get(k), f"photo.{k}", 1, 1e6)) for k in ("width", "height"))
    hints = tuple(check.hint(one, f"hints[{i}]") for i, one in enumerate(check.list(data, "hints")))
    if sum(len(hint.points) for hint in hints) > MOST_POINTS:
        check.fail(f"more than {MOST_POINTS:,} points")
    text = data.get("text")
    if text is not None and not isinstance(text, str):
        check.fail(f"text: {text!r} is no text")
    return Wishes(
        hints=hints,
        palette=check.palette(data.get("palette")),
        text=text,
        text_seed=check.whole(data.get("text_seed"), "text_seed") or 0,
        reference=check.reference(data.get("reference")),
        temperature=check.maybe(data.get("temperature"), "temperature", 0.01, 10),
        saturation=check.maybe(data.get("saturation"), "saturation", 0, 4),
        seed=check.whole(data.get("seed"), "seed"),
        size=size,
    )


def _hint_to_json(hint: Hint) -> dict[str, Any]:
    if len(hint.points) == 1:
        (x, y) = hint.points[0]
        return {"x": x, "y": y, "radius": hint.radius, "ab": list(hint.ab)}
    return {"points": [list(point) for point in hint.points], "radius": hint.radius, "ab": list(hint.ab)}


class _Checker:
    """Turns parts of the JSON into values, or says in one line which of them cannot be."""

    def __init__(self, where: str) -> None:
        self.where = where

    def fail(self, problem: str) -> None:
        raise UserError(f"{self.where}: {problem}")

    def keys(self, value: Any, known: set[str], what: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            self.fail(f"{what} must be an object in braces, not {_short(value)}")
        for key in value:
            if key not in known:
                self.fail(f"unknown key {key!r} in {what}; known are {', '.join(sorted(known))}")
        return value

    def list(self, data: dict[str, Any], key: str) -> list[Any]:
        value = data.get(key)
        if value is not None and not isinstance(value, list):
            self.fail(f"{key} must be a list in brackets, not {_short(value)}")
        return value or []

    def number(self, value: Any, what: str, least: float, most: float) -> float:
        good = isinstance(value, int | float) and not isinstance(value, bool)
        if not (good and least <= value <= most):
            self.fail(f"{what}: {_short(value)} is no number from {least:g} to {most:g}")
        return float(value)

    def maybe(self, value: Any, what: str, least: float, most: float) -> float | None:
        return None if value is None else self.number(value, what, least, most)

    def whole(self, value: Any, what: str) -> int | None:
        if value is None:
            return None
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**63:
            self.fail(f"{what}: {_short(value)} is no whole number from 0 to 2^63 - 1")
        return value

    def hint(self, value: Any, what: str) -> Hint:
        value = self.keys(value, {"x", "y", "points", "radius", "color", "ab"}, what)
        points = value.get("points", [[value.get("x"), value.get("y")]])
        if ("points" in value) == ("x" in value or "y" in value):
            self.fail(f"{what}: needs either x and y or points")
        if not isinstance(points, list) or not points:
            self.fail(f"{what}.points must be a list of [x, y]")
        places = []
        for point in points:
            if not isinstance(point, list) or len(point) != 2:
                self.fail(f"{what}.points must be a list of [x, y]")
            places.append(tuple(self.number(v, f"{what}, x or y", -1e6, 1e6) for v in point))
        return Hint(
            tuple(places),
            self.number(value.get("radius"), f"{what}.radius", 0.1, 1e6),
            self.colour(value, what),
        )

    def colour(self, value: dict[str, Any], what: str) -> tuple[float, float]:
        if ("color" in value) == ("ab" in value):
            self.fail(f'{what}: needs either color (such as "#3a7d44") or ab (such as [-30, 20])')
        if "ab" in value:
            ab = value["ab"]
            if not isinstance(ab, list) or len(ab) != 2:
                self.fail(f"{what}.ab must be two numbers in brackets")
            return tuple(self.number(v, f"{what}.ab", -_AB_LIMIT, _AB_LIMIT) for v in ab)
        try:
            return hex_to_ab(str(value["color"]))
        except ValueError as error:
            self.fail(f"{what}.color: {error}")

    def palette(self, value: Any) -> tuple[str, ...] | None:
        if value is None:
            return None
        if not isinstance(value, list) or not 1 <= len(value) <= COLOURS:
            self.fail(f"palette must be a list of one to {COLOURS} colours")
        try:
            parse_hex([str(one) for one in value])
        except ValueError as error:
            self.fail(f"palette: {error}")
        return tuple(str(one).strip().removeprefix("#") for one in value)

    def reference(self, value: Any) -> Reference | None:
        if value is None:
            return None
        value = self.keys(value, {"name", "histogram", "saturation"}, "reference")
        shares = value.get("histogram")
        if not isinstance(shares, dict) or not shares:
            self.fail("reference.histogram must map numbers of bins to shares")
        histogram = {}
        for key, share in shares.items():
            if not (key.isascii() and key.isdigit() and int(key) < NUM_BINS):
                self.fail(f"reference.histogram: {key!r} is no bin; they are 0 to {NUM_BINS - 1}")
            histogram[int(key)] = self.number(share, f"reference.histogram[{key}]", 0, 1)
        total = sum(histogram.values())
        if not 0.99 <= total <= 1.01:
            self.fail(f"reference.histogram: its shares sum to {total:.3f}, not to 1")
        saturation = self.number(value.get("saturation"), "reference.saturation", 0, 1)
        return Reference(tuple(histogram.items()), saturation, str(value.get("name", ""))[:200])


def _short(value: Any) -> str:
    return "nothing" if value is None else repr(value)[:60]
