"""The run report of ``colorize`` and ``denoise``: what was asked, what became of every file, and of those of
earlier runs."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import __version__
from ..errors import UserError
from ..files import save_bytes

if TYPE_CHECKING:
    from .batch import FileResult

# By the verb that writes it.
REPORT_NAMES = {"colorize": "colorize-report.json", "denoise": "denoise-report.json"}


class RunReport:
    """Collects results and writes them as JSON, with what the report at ``path`` says of other results.

    done: the status of a file that went well, such as "coloured".

    Raises:
        UserError: there is a file at ``path`` that is no such report.
    """

    def __init__(self, settings: dict[str, Any], path: Path, done: str = "coloured") -> None:
        self.settings, self.path = settings, path
        self.statuses = (done, "skipped", "failed", "not tried")
        self.model: dict[str, Any] = {}
        self.started, self._clock = datetime.now(UTC), time.monotonic()
        self.files: list[dict[str, Any]] = []
        self._earlier = _read_entries(path)
        self._skipped: list[dict[str, Any]] = []

    def made_from(self) -> dict[Path, str]:
        """Results of earlier runs and the real paths of their originals."""
        return {
            self.path.parent / output["path"]: entry["original"]
            for entry in self._earlier
            for output in entry.get("outputs", ())
        }

    def about_model(self, path: Path, sha256: str, metadata: dict[str, str], **more: Any) -> None:
        """Say which weights coloured the photographs, and on what."""
        self.model = {"path": str(path), "sha256": sha256, **more, "metadata": metadata}

    def skipped(self, source: Path) -> None:
        """An input whose results are there: what is known of them stays."""
        self._skipped.append(_entry(str(source), "skipped"))

    def failed(self, source: str, line: str) -> None:
        self.files.append(_entry(source, "failed", error=line))

    def add(self, result: FileResult) -> None:
        self.files.append(
            _entry(
                str(result.source),
                result.status,
                outputs=[self._output(index, result) for index in range(len(result.outputs))] or None,
                model_sha256=self.model.get("sha256"),
                settings=self.settings,
                hints=None if result.hints is None else str(result.hints),
                seconds=round(result.seconds, 4),
                size=result.size,
                network_saw=result.seen,
                warnings=result.warnings,
                error=result.error,
            )
        )

    def counts(self) -> dict[str, int]:
        """How many files of this run have each status."""
        count = Counter(entry["status"] for entry in (*self.files, *self._skipped))
        return {status: count[status] for status in self.statuses}

    def warnings(self) -> dict[str, list[str]]:
        """Each distinct finding and the inputs that it is about."""
        by_text: dict[str, list[str]] = {}
        for entry in self.files:
            for text in entry.get("warnings", ()):
                by_text.setdefault(text, []).append(entry["input"])
        return by_text

    def seconds(self) -> float:
        """Wall time since the report was begun."""
        return time.monotonic() - self._clock

    def write(self, interrupted: bool = False) -> None:
        """Write the JSON; files are listed by name, and paths of results start at the report's folder.

        Raises:
            UserError: the report cannot be written.
        """
        content = {
            "program": f"gan_colorize {__version__}",
            "started": self.started.isoformat(timespec="seconds"),
            "seconds": round(self.seconds(), 3),
            "interrupted": interrupted,
            "settings": self.settings,
            "model": self.model,
            "counts": self.counts(),
            "files": sorted(self._all(), key=lambda entry: (entry["input"], entry["time"])),
        }
        # ASCII, for file names need not be valid Unicode
        save_bytes(self.path, json.dumps(content, indent=2).encode() + b"\n")

    def _output(self, index: int, result: FileResult) -> dict[str, Any]:
        """A result's path, and how a colouring was drawn (what follows the colourings is a map)."""
        path = os.path.relpath(result.outputs[index], self.path.parent)
        told: dict[str, Any] = {"path": Path(path).as_posix()}
        samples = self.settings.get("samples")
        if samples is not None and index < max(1, samples):
            how = result.drawn or {**self.model, "seed": self.settings["seed"] if samples else None}
            told |= {key: how.get(key) for key in ("temperature", "saturation", "seed")}
            if told["seed"] is not None:
                told["seed"] += index
        return told

    def _all(self) -> list[dict[str, Any]]:
        """This run's entries and those of earlier runs that still hold: of results that are still theirs,
        and of failures that were not tried again."""
        replaced = {output["path"] for entry in self.files for output in entry.get("outputs", ())}
        tried = {entry["original"] for entry in (*self.files, *self._skipped)}
        kept = []
        for entry in self._earlier:
            outputs = [output for output in entry.get("outputs", ()) if output["path"] not in replaced]
            if outputs:
                kept.append(entry | {"outputs": outputs})
            elif "outputs" not in entry and entry["original"] not in tried:
                kept.append(entry)
        known = {entry["original"] for entry in kept if "outputs" in entry}
        return [*self.files, *kept, *(entry for entry in self._skipped if entry["original"] not in known)]


def _entry(source: str, status: str, **more: Any) -> dict[str, Any]:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    entry = {"input": source, "original": os.path.realpath(source), "status": status, "time": now, **more}
    return {key: value for key, value in entry.items() if value is not None}


def _read_entries(path: Path) -> list[dict[str, Any]]:
    try:
        entries = json.loads(path.read_bytes())["files"]
        return [entry for entry in entries if "original" in entry]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: is no report of this program, or damaged; move it away") from error
