"""What a result was made of: the settings that count, and how two makings differ."""

from __future__ import annotations

import hashlib
import json
from typing import Any

# How the work is done, not what comes of it (but for the last bits of a number). The model is known by its
# content, a reference by its own.
_PASSIVE = frozenset({"model", "device", "batch_size", "runtime", "compile", "reference", "hints"})

# Whether there is a result at all, not what it is.
_LEAVING = ("if_toned", "if_coloured")


def settings_that_count(settings: dict[str, Any]) -> dict[str, Any]:
    """Those that change a result. One that is None is as one that was not there yet in an older version."""
    return {name: value for name, value in settings.items() if name not in _PASSIVE and value is not None}


def settings_hash(settings: dict[str, Any]) -> str:
    """sha256 of the settings that count."""
    text = json.dumps(settings_that_count(settings), sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def changes(
    entry: dict[str, Any], settings: dict[str, Any], model_sha256: str, hints_sha256: str | None
) -> list[str]:
    """What differs between how a file was made and how it would be now, such as "temperature 0.2 -> 0.5".

    entry: the file's, of the manifest or a report.
    """
    told = []
    # as JSON has them: a tuple comes back as a list
    old = settings_that_count(json.loads(json.dumps(entry.get("settings") or {}, default=str)))
    new = settings_that_count(json.loads(json.dumps(settings, default=str)))
    for name in sorted(old.keys() | new.keys()):
        if name in _LEAVING and entry.get("outputs") and new.get(name) != "leave":
            continue  # it has a result, so that there was nothing to leave
        if old.get(name) != new.get(name):
            told.append(f"{name} {_told(old.get(name))} -> {_told(new.get(name))}")
    if entry.get("model_sha256") != model_sha256:
        told.append(f"model {str(entry.get('model_sha256'))[:12]} -> {model_sha256[:12]}")
    if entry.get("hints_sha256") != hints_sha256:
        told.append("its hints")
    return told


def _told(value: Any) -> str:
    if value is None:
        return "the default"
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)
