"""The run report of ``colorize``: what was asked, what became of every file."""

from __future__ import annotations

import json
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .. import __version__
from ..files import atomic_path
from .batch import FileResult


class RunReport:
    """Collects results and writes them as JSON; also of a run that was interrupted."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self.settings, self.model = settings, {}
        self.started, self._clock = datetime.now(UTC), time.monotonic()
        self.files: list[dict[str, Any]] = []

    def about_model(self, path: Path, sha256: str, metadata: dict[str, str], **more: Any) -> None:
        """Say which weights coloured the photographs, and on what."""
        self.model = {"path": str(path), "sha256": sha256, **more, "metadata": metadata}

    def skipped(self, source: Path) -> None:
        self.files.append({"input": str(source), "status": "skipped"})

    def failed(self, source: str, line: str) -> None:
        self.files.append({"input": source, "status": "failed", "error": line})

    def add(self, result: FileResult) -> None:
        entry = {
            "input": str(result.source),
            "status": result.status,
            "outputs": [str(path) for path in result.outputs],
            "seconds": round(result.seconds, 4),
            "size": result.size,
            "network_saw": result.seen,
            "warnings": result.warnings,
            "error": result.error,
        }
        self.files.append({key: value for key, value in entry.items() if value is not None})

    def counts(self) -> dict[str, int]:
        """How many files were coloured, skipped and failed."""
        count = Counter(entry["status"] for entry in self.files)
        return {status: count[status] for status in ("coloured", "skipped", "failed")}

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

    def write(self, path: Path, interrupted: bool = False) -> None:
        """Write the JSON; files are listed by name.

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
            "files": sorted(self.files, key=lambda entry: entry["input"]),
        }
        with atomic_path(path) as temporary:
            temporary.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
