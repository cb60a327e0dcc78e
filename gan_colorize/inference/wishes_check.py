"""Values of the JSON of wishes, checked: each is turned into what it means, or told in one line."""

from __future__ import annotations

from typing import Any

from ..color.bins import NUM_BINS
from ..color.palette import COLOURS, hex_to_ab, parse_hex
from ..errors import UserError
from .wish_types import Hint, Reference

_AB_LIMIT = 128.0
_BINS = {str(index): index for index in range(NUM_BINS)}


class Checker:
    """Turns parts of the JSON into values.

    Every method raises a UserError when it cannot, which names ``where`` (if anything) and the part.
    """

    def __init__(self, where: str) -> None:
        self.where = where

    def fail(self, problem: str) -> None:
        raise UserError(f"{self.where}: {problem}" if self.where else problem)

    def keys(self, value: Any, known: set[str], what: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            self.fail(f"{what} must be an object in braces, not {short(value)}")
        for key in value:
            if key not in known:
                self.fail(f"unknown key {short(key)} in {what}; known are {', '.join(sorted(known))}")
        return value

    def list(self, data: dict[str, Any], key: str) -> list[Any]:
        value = data.get(key)
        if value is not None and not isinstance(value, list):
            self.fail(f"{key} must be a list in brackets, not {short(value)}")
        return value or []

    def number(self, value: Any, what: str, least: float, most: float) -> float:
        good = isinstance(value, int | float) and not isinstance(value, bool)
        if not (good and least <= value <= most):
            self.fail(f"{what}: {short(value)} is no number from {least:g} to {most:g}")
        return float(value)

    def maybe(self, value: Any, what: str, least: float, most: float) -> float | None:
        return None if value is None else self.number(value, what, least, most)

    def whole(self, value: Any, what: str, least: int = 0, most: int = 2**63 - 1) -> int | None:
        if value is None:
            return None
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            limit = "2^63 - 1" if most == 2**63 - 1 else f"{most:,}"
            self.fail(f"{what}: {short(value)} is no whole number from {least} to {limit}")
        return value

    def text(self, value: Any, what: str) -> str | None:
        if value is not None and not isinstance(value, str):
            self.fail(f"{what}: {short(value)} is no text")
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
            self.fail(f'{what}: {short(value)} is no colour; one looks like "#a1b2c3"')
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
                self.fail(f"reference.histogram: {short(key)} is no bin; they are 0 to {NUM_BINS - 1}")
            histogram[_BINS[key]] = self.number(share, f"reference.histogram[{key}]", 0, 1)
        total = sum(histogram.values())
        if not 0.99 <= total <= 1.01:
            self.fail(f"reference.histogram: its shares sum to {total:.3f}, not to 1")
        saturation = self.number(value.get("saturation"), "reference.saturation", 0, 1)
        name = self.text(value.get("name"), "reference.name") or ""
        return Reference(tuple(histogram.items()), saturation, name[:200])


def short(value: Any) -> str:
    """A value of JSON for an error's one line."""
    if value is None:
        return "nothing"
    if isinstance(value, dict | list):  # of any depth
        return "an object" if isinstance(value, dict) else "a list"
    text = repr(value[:60]) if isinstance(value, str) else repr(value)
    return text if len(text) <= 70 else f"{text[:67]}..."
