"""The JSON file of wishes: what ``colorize --hints`` reads and the editor saves; README.md describes it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..files import atomic_path
from .wish_types import Hint, Reference, Wishes
from .wishes_check import Checker, short

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
_KEYS = {
    "format", "version", "photo", "hints", "palette", "text", "text_seed", "reference", "temperature",
    "saturation", "seed",
}  # fmt: skip


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
    check = Checker(where)
    data = check.keys(data, _KEYS, "the file")
    if data.get("format", FORMAT) != FORMAT:
        check.fail(f"is of the format {short(data['format'])}, not {FORMAT!r}")
    if check.whole(data.get("version", VERSION), "version") != VERSION:
        check.fail(f"has version {short(data['version'])}; this release reads {VERSION}")
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
    return Checker("").hint(value, what)


def _hint_to_json(hint: Hint) -> dict[str, Any]:
    if len(hint.points) == 1:
        (x, y) = hint.points[0]
        return {"x": x, "y": y, "radius": hint.radius, "ab": list(hint.ab)}
    return {"points": [list(point) for point in hint.points], "radius": hint.radius, "ab": list(hint.ab)}


def _no_key_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON, whose second value of a key would take the place of the first in silence."""
    data: dict[str, Any] = {}
    for key, value in pairs:
        if key in data:
            raise ValueError(f"the key {short(key)} comes twice")
        data[key] = value
    return data


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no number")
