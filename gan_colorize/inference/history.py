"""What the lines of a manifest come to: which results are there, of what, and which runs did not end."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..errors import UserError

# FAT keeps times to two seconds
_SLACK_NS = 2_000_000_001


class History:
    """The state after every line that was read.

    runs: ``run`` lines by id. made: the ``file`` entry that made each result, by its path. placed: (bytes,
    mtime_ns) of results that were given their names after that. sizes: bytes of the results made.
    failures, without: entries by original, of what failed and of what was done without a result (a
    photograph that was to be left as it is). unended: ids of runs without an ``end`` whose temporary files
    may still lie about.
    """

    def __init__(self) -> None:
        self.runs: dict[str, dict[str, Any]] = {}
        self.made: dict[str, dict[str, Any]] = {}
        self.placed: dict[str, set[tuple[int, int]]] = {}
        self.sizes: dict[str, int] = {}
        self.failures: dict[str, dict[str, Any]] = {}
        self.without: dict[str, dict[str, Any]] = {}
        self.unended: set[str] = set()

    def read(self, lines: Iterable[bytes], path: Path) -> int:
        """Take lines in; returns how many were damaged.

        Raises:
            UserError: not one of them is of a manifest; ``path`` is what the error calls it.
        """
        good = damaged = 0
        for raw in lines:
            try:
                self._take(json.loads(raw))
                good += 1
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
                damaged += bool(raw.strip())
        if damaged and not good:
            raise UserError(f"{path}: is no manifest of this program; move it away")
        return damaged

    def entries(self) -> list[dict[str, Any]]:
        """Entries that still hold, each with those of its results that are still its own."""
        held: dict[int, tuple[dict[str, Any], list[dict[str, Any]]]] = {}
        for entry in self.made.values():
            held.setdefault(id(entry), (entry, []))
        for entry, outputs in held.values():
            outputs += [output for output in entry["outputs"] if self.made.get(output["path"]) is entry]
        return [
            *(entry | {"outputs": outputs} for entry, outputs in held.values()),
            *self.failures.values(),
            *self.without.values(),
        ]

    def is_unfinished(self, name: str, file: Path) -> bool:
        """Whether ``file``, a result of that path, was placed by a run that did not come to finish it."""
        if name not in self.placed:
            return False
        found = os.lstat(file)
        return any(
            found.st_size == size and abs(found.st_mtime_ns - mtime) < _SLACK_NS
            for size, mtime in self.placed[name]
        )

    def _take(self, line: dict[str, Any]) -> None:
        event = line["event"]
        if event == "run":
            self._run(line)
        elif event == "placed":
            # of each: a run may have been killed between the line and the renaming
            self.placed.setdefault(line["path"], set()).add((int(line["bytes"]), int(line["mtime_ns"])))
        elif event == "file":
            self._file(line)
        elif event == "end":
            self.unended.discard(line["run"])

    def _run(self, line: dict[str, Any]) -> None:
        if line.get("swept"):  # it removed what earlier ones had left
            self.unended.clear()
        self.runs[line["run"]] = line
        self.unended.add(line["run"])

    def _file(self, line: dict[str, Any]) -> None:
        entry = {key: value for key, value in line.items() if key not in ("event", "run", "bytes")}
        original, outputs = entry["original"], entry.get("outputs") or ()
        if "settings" not in entry and line.get("run") in self.runs:
            entry["settings"] = self.runs[line["run"]]["settings"]
        self.failures.pop(original, None)
        self.without.pop(original, None)
        if entry["status"] == "failed":
            self.failures[original] = entry
            return
        if not outputs:
            self.without[original] = entry
        for output in outputs:
            self.made[output["path"]] = entry
            self.placed.pop(output["path"], None)
        sizes = line.get("bytes") or ()
        self.sizes |= zip((output["path"] for output in outputs), sizes, strict=False)
