"""The JSON file of wishes: what ``colorize --hints`` reads and the editor saves; README.md describes it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ..color.bins import NUM_BINS
from ..color.palette import COLOURS, hex_to_ab, parse_hex
from ..errors import UserError
from ..files import atomic_path
from .wish_types import Hint, Reference, Wishes

__all__ = [
    "FORMAT",
    "SUFFIX",
    "VERSION",
    "Hint",
    "Reference",
    "Wishes",
    "hint_from_json",
    "read_wishes",
    "wishes_from_json",
    "wishes_to_json",
    "write_wishes",
]

FORMAT, VERSION = "gan_colorize-project", 1
SUFFIX = ".hints.json"
LARGEST_FILE = 16_000_000  # bytes; ten thousand strokes are less
MOST_POINTS = 200_000
_AB_LIMIT = 128.0
_KEYS = {
    "format", "version", "photo", "hints", "palette", "text", "text_seed", "reference", "temperature",
    "saturation", "seed",
}  # fmt: skip
_BINS = {str(index): index for index in range(NUM_BINS)}


def read_wishes(path: str | Path) -> Wishes:
    """The wishes in a file.

    Raises:
        UserError: the file cannot be read or holds something else; one line that says what.
    """
    try:
        with Path(path).open("rb") as file:
            content = file.read(LARGEST_FILE + 1)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from error
    if len(content) > LARGEST_FILE:
        raise UserError(f"{path}: is too large for a file of hints (over {LARGEST_FILE:,} bytes)")
    try:
        text = content.decode("utf-8-sig")
        data = json.loads(text, object_pairs_hook=_no_key_twice, parse_constant=_no_number)
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
        check.fail(f"is of the format {_short(data['format'])}, not {FORMAT!r}")
    if check.whole(data.get("version", VERSION), "version") != VERSION:
        check.fail(f"has version {_short(data['version'])}; this release reads {VERSION}")
    hints = tuple(check.hint(one, f"hints[{i}]") for i, one in enumerate(check.list(data, "hints")))
    if sum(len(hint.points) for hint in hints) > MOST_POINTS:
        check.fail(f"more than {MOST_POINTS:,} points")
    return Wishes(
        hints=hints,
        palette=check.palette(data.get("palette")),
        text=check.text(data.get("text"), "text"),
        text_seed=check.whole(data.get("text_seed"), "text_seed") or 0,
        reference=check.reference(data.get("reference")),
        temperature=check.maybe(data.get("temperature"), "temperature", 0.01, 10),
        saturation=check.maybe(data.get("saturation"), "saturation", 0, 4),
        seed=check.whole(data.get("seed"), "seed"),
        size=check.size(data.get("photo")),
    )


def hint_from_json(value: Any, what: str) -> Hint:
    """One hint, as it stands in the list of a file; ``what`` is what errors call it."""
    return _Checker("").hint(value, what)


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
        raise UserError(f"{self.where}: {problem}" if self.where else problem)

    def keys(self, value: Any, known: set[str], what: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            self.fail(f"{what} must be an object in braces, not {_short(value)}")
        for key in value:
            if key not in known:
                self.fail(f"unknown key {_short(key)} in {what}; known are {', '.join(sorted(known))}")
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

    def whole(self, value: Any, what: str, least: int = 0, most: int = 2**63 - 1) -> int | None:
        if value is None:
            return None
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            limit = "2^63 - 1" if most == 2**63 - 1 else f"{most:,}"
            self.fail(f"{what}: {_short(value)} is no whole number from {least} to {limit}")
        return value

    def text(self, value: Any, what: str) -> str | None:
        if value is not None and not isinstance(value, str):
            self.fail(f"{what}: {_short(value)} is no text")
        return value

    def size(self, photo: Any) -> tuple[int, int] | None:
        """(width, height) of the photograph."""
        if photo is None:
            return None
        photo = self.keys(photo, {"name", "width", "height", "sha256"}, "photo")
        for key in ("name", "sha256"):
            self.text(photo.get(key), f"photo.{key}")
        width, height = (self.whole(photo.get(key), f"photo.{key}", 1, 10**6) for key in ("width", "height"))
        if (width is None) != (height is None):
            self.fail("photo: needs both width and height, or neither")
        return None if width is None else (width, height)

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
        return hex_to_ab(self.hexadecimal(value["color"], f"{what}.color"))

    def hexadecimal(self, value: Any, what: str) -> str:
        """A colour such as "#3a7d44" -> "3a7d44"."""
        try:
            if not isinstance(value, str):
                raise ValueError
            parse_hex([value])
        except ValueError:
            self.fail(f'{what}: {_short(value)} is no colour; one looks like "#a1b2c3"')
        return value.strip().removeprefix("#")

    def palette(self, value: Any) -> tuple[str, ...] | None:
        if value is None:
            return None
        if not isinstance(value, list) or not 1 <= len(value) <= COLOURS:
            self.fail(f"palette must be a list of one to {COLOURS} colours")
        return tuple(self.hexadecimal(one, "palette") for one in value)

    def reference(self, value: Any) -> Reference | None:
        if value is None:
            return None
        value = self.keys(value, {"name", "histogram", "saturation"}, "reference")
        shares = value.get("histogram")
        if not isinstance(shares, dict) or not shares:
            self.fail("reference.histogram must map numbers of bins to shares")
        histogram = {}
        for key, share in shares.items():
            if key not in _BINS:
                self.fail(f"reference.histogram: {_short(key)} is no bin; they are 0 to {NUM_BINS - 1}")
            histogram[_BINS[key]] = self.number(share, f"reference.histogram[{key}]", 0, 1)
        total = sum(histogram.values())
        if not 0.99 <= total <= 1.01:
            self.fail(f"reference.histogram: its shares sum to {total:.3f}, not to 1")
        saturation = self.number(value.get("saturation"), "reference.saturation", 0, 1)
        name = self.text(value.get("name"), "reference.name") or ""
        return Reference(tuple(histogram.items()), saturation, name[:200])


def _no_key_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON, whose second value of a key would take the place of the first in silence."""
    data = dict(pairs)
    if len(data) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"the key {_short(next(key for key in keys if keys.count(key) > 1))} comes twice")
    return data


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no number")


def _short(value: Any) -> str:
    """A value of JSON for an error's one line."""
    if value is None:
        return "nothing"
    if isinstance(value, dict | list):  # of any depth
        return "an object" if isinstance(value, dict) else "a list"
    text = repr(value[:60]) if isinstance(value, str) else repr(value)
    return text if len(text) <= 70 else f"{text[:67]}..."
