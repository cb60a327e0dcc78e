"""The run report of ``colorize`` and ``denoise``: what was asked, what became of every file, and of those of
earlier runs.

The truth is the manifest (manifest.py), which is written as it happens; the report is the summary of it and
of this run, for people, written at the end. Only where there is no manifest - one result under a name of
its own, or a folder of results from before there were manifests - is the earlier report what is known.
"""

from __future__ import annotations

import json
import os
import secrets
import time
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import __version__
from ..errors import UserError
from ..files import file_hash, save_bytes
from .making import settings_hash
from .sweep import sweep

if TYPE_CHECKING:
    from .batch import FileResult
    from .manifest import Manifest
    from .plan import Job

# By the verb that writes it.
REPORT_NAMES = {
    "colorize": "colorize-report.json",
    "denoise": "denoise-report.json",
    "video": "video-report.json",
}
_PROGRAM = "gan_colorize"


class RunReport:
    """Collects results, appends each to the manifest, and writes all of them as JSON, with what is known of
    the results of earlier runs.

    done: the status of a file that went well, such as "coloured". manifest: of the folder, where it has one.

    Raises:
        UserError: there is a file at ``path`` that is no such report.
    """

    def __init__(
        self, settings: dict[str, Any], path: Path, done: str = "coloured", manifest: Manifest | None = None
    ) -> None:
        self.settings, self.path, self.manifest = settings, path, manifest
        self.statuses = (done, "skipped", "failed", "not tried")
        self.model: dict[str, Any] = {}
        self.started, self._clock = datetime.now(UTC), time.monotonic()
        self.run_id = secrets.token_hex(6)
        self.files: list[dict[str, Any]] = []
        self._settings_hash = settings_hash(settings)
        self.failed_to_write = False  # the manifest, in the middle of the run
        self._begun = False
        self._jobs: dict[Path, Job] = {}
        self._sources: dict[Path, dict[str, Any]] = {}
        self._may_replace: dict[Path, bool] = {}
        if manifest is not None and manifest.history.runs:
            self._earlier = manifest.history.entries()
            _check_is_report(path)
        else:
            self._earlier = _read_entries(path)
        self._skipped: list[dict[str, Any]] = []

    def made_from(self) -> dict[Path, str]:
        """Results of earlier runs and the real paths of their originals."""
        return {
            self.path.parent / output["path"]: entry["original"]
            for entry in self._earlier
            for output in entry.get("outputs", ())
        }

    def expect(self, jobs: Iterable[Job]) -> int:
        """Note what will be done: how the sources are now, and which results are there to be replaced.

        Returns:
            The size of all sources in bytes.
        """
        for job in jobs:
            self._jobs[job.source] = job
            with suppress(OSError):  # reading it will say why
                found = job.source.stat()
                self._sources[job.source] = {"bytes": found.st_size, "mtime_ns": found.st_mtime_ns}
            for target in job.targets:
                self._may_replace[target] = os.path.lexists(target)
        return sum(map(self.source_bytes, self._jobs))

    def source_bytes(self, source: Path) -> int:
        """The size of a file that is expected; 0 where it cannot be told."""
        return self._sources.get(source, {}).get("bytes", 0)

    def about_model(self, path: Path, sha256: str, metadata: dict[str, str], **more: Any) -> None:
        """Say which weights colour the photographs, and on what; the run begins in the manifest.

        Raises:
            UserError: the manifest cannot be written, or another run has begun.
        """
        model = {"path": str(path), "sha256": sha256, **more, "metadata": metadata}
        if self.manifest is not None and not self._begun:
            self._begin(model)
        self.model = model  # only now, for a run that was refused writes no report

    def _begin(self, model: dict[str, Any]) -> None:
        manifest = self.manifest
        about = {
            "time": self.started.isoformat(timespec="seconds"),
            "program": f"{_PROGRAM} {__version__}",
            "settings": self.settings,
            "settings_hash": self._settings_hash,
            "model": model,
            # without locks, those of a run that is alive cannot be told from those of a dead one
            "swept": manifest.locked is True,
        }
        manifest.begin(self.run_id, about, () if manifest.history.runs else self._earlier)
        self._begun = True
        if manifest.locked:
            sweep(manifest.path.parent, manifest.history.unended)
        for entry in self.files:
            self._to_manifest(entry)

    def place(self, temporary: Path, target: Path) -> None:
        """A result is whole and about to get its name (see :func:`gan_colorize.files.journalled`).

        Raises:
            UserError: meanwhile somebody else has put a file there.
        """
        if self._may_replace.get(target) is False and os.path.lexists(target):
            raise UserError(f"cannot write {target}: it was not there when this run began, and now it is")
        if self._begun and target in self._may_replace:
            self.manifest.place(self.run_id, target, temporary)

    def skipped(self, source: Path) -> None:
        """An input whose results are there: what is known of them stays."""
        self._skipped.append(_entry(str(source), "skipped"))

    def failed(self, source: str, line: str) -> None:
        """An input that never came to be tried."""
        self._take(_entry(source, "failed", error=line))

    def add(self, result: FileResult) -> None:
        """A file is finished.

        Raises:
            UserError: the manifest cannot be written; the report knows the file all the same.
        """
        job = self._jobs.pop(result.source, None)
        if result.outputs:
            self._may_replace |= dict.fromkeys(result.outputs, True)
        entry = _entry(
            str(result.source),
            result.status,
            outputs=[self._output(index, result) for index in range(len(result.outputs))] or None,
            model_sha256=self.model.get("sha256"),
            settings=self.settings,
            settings_hash=self._settings_hash,
            made_of=self._made_of(result) if result.status not in ("failed", "not tried") else None,
            hints=None if result.hints is None else str(result.hints),
            hints_sha256=job.hints_hash() if job else None,
            seconds=round(result.seconds, 4),
            size=result.size,
            network_saw=result.seen,
            pages=result.pages if result.pages > 1 else None,
            warnings=result.warnings,
            error=result.error,
        )
        self._take(entry, [_size(path) for path in result.outputs])

    def add_missing(self) -> int:
        """Files that nothing was heard of are "not tried"; returns their number."""
        missing = list(self._jobs)
        for source in missing:
            self.files.append(_entry(str(source), "not tried"))
        self._jobs.clear()
        return len(missing)

    def counts(self) -> dict[str, int]:
        """How many files of this run have each status."""
        count = Counter(entry["status"] for entry in (*self.files, *self._skipped))
        # what is rare, such as photographs left as they are by wish, is told where there is some
        return {status: count[status] for status in self.statuses} | dict(count)

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

    def write(self, interrupted: bool = False, lost: bool = False) -> None:
        """Write the JSON; files are listed by name, and paths of results start at the report's folder.

        lost: a process of the run was killed. In the manifest the run then has no end, so that the next one
        removes the temporary files that may have been left.

        Raises:
            UserError: the report cannot be written.
        """
        content = {
            "program": f"{_PROGRAM} {__version__}",
            "started": self.started.isoformat(timespec="seconds"),
            "seconds": round(self.seconds(), 3),
            "interrupted": interrupted,
            "settings": self.settings,
            "model": self.model,
            "counts": self.counts(),
            "files": sorted(self._all(), key=lambda entry: (entry["input"], entry["time"])),
        }
        if self._begun and not lost:
            with suppress(UserError):  # where it does not fit, the report does not either, and says so
                end = {"event": "end", "run": self.run_id, "interrupted": interrupted}
                self.manifest.add(end | {"counts": content["counts"], "seconds": content["seconds"]})
        # ASCII, for file names need not be valid Unicode
        save_bytes(self.path, json.dumps(content, indent=2).encode() + b"\n")

    def close(self) -> None:
        """Let the next run have the manifest."""
        if self.manifest is not None:
            self._begun = False
            self.manifest.close()

    def _take(self, entry: dict[str, Any], sizes: list[int] | None = None) -> None:
        self.files.append(entry)
        if self._begun and entry["status"] != "not tried":
            self._to_manifest(entry, sizes)

    def _to_manifest(self, entry: dict[str, Any], sizes: list[int] | None = None) -> None:
        # the settings stand in the run's line
        told = {key: value for key, value in entry.items() if key != "settings"}
        more = {"bytes": sizes} if sizes else {}
        self.manifest.add({"event": "file", "run": self.run_id, **told, **more})

    def _made_of(self, result: FileResult) -> dict[str, Any]:
        """How the source was when it was coloured, to know it again."""
        digest = result.source_sha256
        if digest is None:
            with suppress(OSError):
                digest = file_hash(result.source)
        return self._sources.get(result.source, {}) | {"sha256": digest}

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
    entry = {"input": source, "original": _original(source), "status": status, "time": now, **more}
    return {key: value for key, value in entry.items() if value is not None}


def _original(source: str) -> str:
    try:
        return os.path.realpath(source)
    except (OSError, ValueError):  # a name that no file could have
        return source


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:  # taken away at once: resuming makes it again
        return -1


def _check_is_report(path: Path) -> None:
    """Raise a UserError for a file that is none of ours, from its beginning: a long one takes seconds."""
    with suppress(FileNotFoundError):
        try:
            with path.open("rb") as file:
                ours = f'"program": "{_PROGRAM} '.encode() in file.read(200)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise UserError(f"cannot read {path}: {error.strerror or error}") from error
        if not ours:
            raise UserError(f"{path}: is no report of this program, or damaged; move it away")


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
