"""What the entries and sets of a benchmark are called: named by the person, or after their files."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ...errors import UserError

RESERVED = ("truth", "grey")
# files of a run folder: the folder's name says more
_PLAIN_STEMS = ("model", "best", "last")


def named(values: Iterable[str], option: str, taken: Iterable[str] = ()) -> dict[str, str]:
    """``NAME=PATH`` or ``PATH`` of a repeated option -> path by name, in the order given.

    A path that exists as it stands is no ``NAME=PATH``, whatever characters it has.

    Raises:
        UserError: two of one name, a name that the benchmark uses itself, an empty name or path.
    """
    found: dict[str, str] = {}
    for value in values:
        name, path = _split(value)
        if not name.strip() or not path:
            raise UserError(f"{option} {value!r}: write NAME=PATH or PATH, neither of them empty")
        if name in RESERVED or name.startswith("truth through "):
            raise UserError(
                f"{option} {value}: {name!r} is a row of every benchmark; write OTHER_NAME={path}"
            )
        if name in found or name in taken:
            raise UserError(f"{option} {value}: two entries are called {name!r}; write OTHER_NAME={path}")
        found[name] = path
    return found


def _split(value: str) -> tuple[str, str]:
    before, equals, after = value.partition("=")
    if equals and not Path(value).exists() and "/" not in before and "\\" not in before:
        return before, after
    return default_name(value), value


def default_name(path: str) -> str:
    """A folder's name or a file's without its suffix; of runs/mine/best/model.safetensors: mine."""
    if path == "default":
        return path
    place = Path(path)
    parts = [part for part in place.resolve().parts if part != place.anchor] or [path]
    last = parts.pop() if place.is_dir() or not Path(parts[-1]).suffix else Path(parts.pop()).stem
    while last in _PLAIN_STEMS and parts:
        last = parts.pop()
    return last
