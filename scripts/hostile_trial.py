"""Colour the hostile folder and hold what becomes of it against what was expected.

    python scripts/hostile_trial.py [--model M] [--seed 0] [--small] [--keep FOLDER] [--most-memory 4000]

``gan-colorize colorize`` runs in a process of its own with a deadline. Then: every good file is coloured at
its size, pages, depth and lightness, read back by OpenCV, tifffile and imagecodecs; every bad one is named
once, with its reason, on stderr and in the report; nothing outside the output has changed, nor what was in it
before; nothing half-written is left; the exit code is 1; there is no traceback and no control character on
stderr; memory stays below --most-memory MB. Prints a table; the exit code is 1 if anything is not so.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from hostile.case import BAD, EITHER, GOOD, IGNORED, Case
from hostile.paths import OUTPUT, make_deletable
from hostile.results import problems_of
from hostile_folder import build

ROOT = Path(__file__).resolve().parents[1]
# Lines that are about the whole run.
_RUN_LINES = re.compile(r"^(Error: |Warning: |\d[\d,]*/[\d,]+ |.*left out)")


@dataclass
class Run:
    """What a run left behind: exit code (None past the deadline), seconds, peak memory in bytes, words."""

    code: int | None
    seconds: float
    peak: int
    stdout: str
    stderr: str


@dataclass
class Verdict:
    """problems: a line each; counts of outcomes; foreign: lines on stderr that decoders printed."""

    problems: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    foreign: list[str] = field(default_factory=list)


def snapshot(folder: Path, output: Path) -> dict[str, str]:
    """Everything below ``folder`` except ``output``: its kind, its time of change and its content's hash."""
    found = {}
    for where, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if Path(where, name) != output]
        for name in (*folders, *files):
            path = Path(where, name)
            told = path.lstat()
            kind = f"{told.st_mode:o}"
            if path.is_symlink():
                kind += f" {path.readlink()}"
            elif path.is_file():
                with path.open("rb") as file:
                    kind += f" {told.st_mtime_ns} {hashlib.file_digest(file, 'sha256').hexdigest()}"
            found[str(path)] = kind
    return found


def peak_of(process: int) -> int:
    """Bytes that a running process has held at most; 0 where /proc does not tell.

    (What ``wait4`` tells counts what the parent held when it was started: of a test run, gigabytes.)
    """
    try:
        found = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{process}/status").read_text())
    except OSError:
        return 0
    return int(found[1]) * 1024 if found else 0


def colorize(folder: Path, output: Path, deadline: float, *options: str) -> Run:
    """The command as a user runs it, watched; standard input is a pipe that nobody writes to."""
    command = [
        sys.executable,
        "-m",
        "gan_colorize",
        "colorize",
        str(folder),
        "--output",
        str(output),
        *options,
    ]
    started = time.monotonic()
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        running = subprocess.Popen(
            command, stdout=out, stderr=err, stdin=subprocess.PIPE, env=os.environ | {"PYTHONPATH": str(ROOT)}
        )
        late = threading.Event()
        timer = threading.Timer(deadline, lambda: (late.set(), running.kill()))
        timer.start()
        peak = 0
        while running.poll() is None:
            peak = max(peak, peak_of(running.pid))
            time.sleep(0.02)
        timer.cancel()
        running.stdin.close()
        seconds = time.monotonic() - started
        out.seek(0)
        err.seek(0)
        words = [stream.read().decode("utf-8", "backslashreplace") for stream in (out, err)]
    return Run(None if late.is_set() else running.returncode, seconds, peak, *words)


def judge(root: Path, output: Path, cases: list[Case], run: Run, there: set[Path]) -> Verdict:
    """Hold a run against what was expected of it; ``there`` are files that the output had before."""
    verdict, lines = Verdict(), run.stderr.splitlines()
    if run.code != 1:
        verdict.problems.append(f"exit code {run.code}" if run.code is not None else "past its deadline")
    if "Traceback" in run.stderr + run.stdout:
        verdict.problems.append("a traceback")
    raw = sorted(
        {
            character
            for character in run.stderr + run.stdout
            if not character.isprintable() and character != "\n"
        }
    )
    if raw:
        verdict.problems.append(f"control characters on the terminal: {raw}")
    verdict.foreign = [line for line in lines if not _RUN_LINES.match(line) and str(root) not in line]
    report_file = output / "colorize-report.json"
    if not report_file.exists():
        verdict.problems.append("no report")
        return verdict
    report = json.loads(report_file.read_bytes())
    entries: dict[str, list[dict]] = {}
    for entry in report["files"]:
        entries.setdefault(os.path.relpath(entry["input"], root), []).append(entry)
    for case in cases:
        problems = _problems_of_case(case, entries.get(case.name, []), lines, output, verdict.counts)
        verdict.problems += [f"{case.name!r} ({case.kind}): {problem}" for problem in problems]
    known = {case.name for case in cases}
    for name in entries:
        if name not in known:
            verdict.problems.append(f"{name!r}: told, and nobody knows it")
    claimed = there | {output / one["path"] for entry in report["files"] for one in entry.get("outputs", ())}
    for path in (Path(where, name) for where, _, files in os.walk(output) for name in files):
        if path not in claimed and not (path.parent == output and path.name.startswith("colorize-")):
            verdict.problems.append(f"{path.relative_to(output)!s}: left behind")
    return verdict


def _problems_of_case(
    case: Case, entries: list[dict], lines: list[str], output: Path, counts: Counter[str]
) -> list[str]:
    token = re.search(r"c\d{3}", case.name).group()
    named = [line for line in lines if line.startswith("Error: ") and re.search(token + r"(?!\d)", line)]
    statuses = [entry["status"] for entry in entries]
    if case.outcome == IGNORED or (case.outcome == EITHER and not entries and not case.reason):
        counts["ignored"] += not entries
        return [f"not ignored: {statuses}"] if entries else []
    if len(entries) != 1:
        return [f"told {len(entries)} times in the report"]
    (entry,) = entries
    counts[entry["status"]] += 1
    if entry["status"] == "coloured":
        if case.outcome == BAD:
            return ["coloured, and is bad"]
        if named:
            return [f"coloured, and named: {named[0]}"]
        return problems_of(case, [output / one["path"] for one in entry["outputs"]])
    if case.outcome == GOOD:
        return [f"{entry['status']}, and is good: {entry.get('error')}"]
    if len(named) != 1:
        return [f"named {len(named)} times on stderr"]
    reason = entry.get("error", "")
    if len(reason) < len(case.name) or "unexpected" in reason or len(named[0]) > 1000:
        return [f"no good reason: {reason}"]
    return []


def trial(
    out: Path, seed: int, small: bool, deadline: float, most_memory: float, *options: str
) -> tuple[Verdict, Run, list[Case]]:
    """Build the folder in ``out``, colour it into a folder inside of it, and judge."""
    cases = build(out, seed, small)
    root = out / "hostile"
    output = root / OUTPUT
    before, there = snapshot(out, output), snapshot(output, output)
    run = colorize(root, output, deadline, *options)
    verdict = judge(root, output, cases, run, {Path(path) for path in there})
    before |= there
    after = snapshot(out, output) | {
        path: told for path, told in snapshot(output, output).items() if path in there
    }
    for path in sorted(before.keys() | after.keys()):
        if before.get(path) != after.get(path) and Path(path) != root:
            verdict.problems.append(f"{path}: changed from {before.get(path)} to {after.get(path)}")
    for name in ("postscript", "pickle", "shell", "name"):
        if Path(f"{name}-was-run").exists():
            verdict.problems.append(f"{name} was run")
    if run.peak > most_memory * 1e6:
        verdict.problems.append(f"peak of memory: {run.peak / 1e6:.0f} MB")
    return verdict, run, cases


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="default")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--small", action="store_true", help="a quarter of the files")
    parser.add_argument("--keep", type=Path, help="build it here and leave it")
    parser.add_argument("--deadline", type=float, default=1800, help="seconds for the whole run")
    parser.add_argument("--most-memory", type=float, default=4000, help="MB")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        out = options.keep or Path(scratch, "trial")
        verdict, run, cases = trial(
            out, options.seed, options.small, options.deadline, options.most_memory, "--model", options.model
        )
        make_deletable(out)
    kinds = len({case.kind for case in cases})
    expected = Counter(case.outcome for case in cases)
    print(f"files          {len(cases)} in {kinds} kinds; expected: " + _listed(expected))
    print(f"outcomes       {_listed(verdict.counts)}")
    print(f"run            exit code {run.code}, {run.seconds:.1f} s, peak {run.peak / 1e6:.0f} MB")
    print(
        f"foreign lines  {len(verdict.foreign)} on stderr"
        + "".join(f"\n    {line[:150]}" for line in verdict.foreign[:5])
    )
    print(
        f"problems       {len(verdict.problems)}"
        + "".join(f"\n    {line[:400]}" for line in verdict.problems)
    )
    return 1 if verdict.problems else 0


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))


if __name__ == "__main__":
    sys.exit(main())
