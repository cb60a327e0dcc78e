"""Going on with a run that did not come to its end: what need not be done, and what must not be touched.

A file is left out when the manifest says that it is done with these settings and this model, its source is
as it was then, and its results are there. It is made again when a result is missing, or was left by a run
that was killed before it could say that it was done. Whatever else is there - made with other settings, of
a photograph that was changed since, or by somebody else - is only replaced with ``overwrite``.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..files import file_hash
from .history import History
from .making import changes
from .plan import Job, Plan


@dataclass(frozen=True)
class Now:
    """How results would be made now."""

    settings: dict[str, Any]
    model_sha256: str


def sort_out(
    plan: Plan,
    history: History,
    folder: Path,
    now: Now,
    *,
    overwrite: bool = False,
    say: Callable[[str], None] = lambda line: None,
) -> None:
    """Move jobs of ``plan`` that are done to its skipped ones, those that must not be done to its failures.

    history: of the manifest in ``folder``. say: receives one line that names the settings that have changed.
    """
    jobs, seen = [], Counter()
    for job in plan.jobs:
        done, problem, differences = _judge(job, history, folder, now)
        seen.update(differences)
        if done:
            plan.skipped.append(job.source)
        elif problem and not overwrite:
            plan.failures.append(
                (str(job.source), f"{job.source}: {problem}; add --overwrite to make it again")
            )
        else:
            jobs.append(job)
    if seen:
        told = "; ".join(
            f"{text} ({count} {'files' if count > 1 else 'file'})" for text, count in seen.items()
        )
        say(f"changed since the earlier run: {told}")
    plan.jobs[:] = jobs


def _judge(job: Job, history: History, folder: Path, now: Now) -> tuple[bool, str | None, list[str]]:
    """(nothing to do, why not to touch what is there, what has changed since)."""
    without = history.without.get(os.path.realpath(job.source))
    if without is not None and not any(map(os.path.lexists, job.targets)):
        same = not changes(without, now.settings, now.model_sha256, job.hints_hash())
        return same and _is_unchanged(job.source, without), None, []
    complete = True
    for target in job.targets:
        if not os.path.lexists(target):
            complete = False
            continue
        name = Path(os.path.relpath(target, folder)).as_posix()
        if history.is_unfinished(name, target):
            complete = False
            continue
        entry = history.made.get(name)
        if entry is None:
            return False, f"{target} exists and is not of an earlier run", []
        size = history.sizes.get(name)
        if size is not None and os.lstat(target).st_size != size:
            return False, f"its result {target} was changed after it was made", []
        differences = changes(entry, now.settings, now.model_sha256, job.hints_hash())
        if differences:
            told = "; ".join(differences)
            return False, f"its result {target} was made with other settings ({told})", differences
        if not _is_unchanged(job.source, entry):
            return False, f"the photograph was changed after its result {target} was made", []
    return complete, None, []


def _is_unchanged(source: Path, entry: dict[str, Any]) -> bool:
    """Whether a source is what it was: by size and time, else by content."""
    then = entry.get("made_of") or {}
    try:
        found = source.stat()
        same_original = os.path.realpath(source) == entry["original"]
        if same_original and (found.st_size, found.st_mtime_ns) == (then.get("bytes"), then.get("mtime_ns")):
            return True
        if "bytes" in then and found.st_size != then["bytes"]:
            return False
        return then.get("sha256") is not None and file_hash(source) == then["sha256"]
    except OSError:
        return False
