"""Kill a run ten times, resume it each time, and see that nothing is lost, repeated or half-written.

    python scripts/kill_trial.py [--files 500] [--kills 10] [--seed 0] [--model M]

Photographs of several formats in nested folders are coloured by ``gan-colorize colorize --resume`` in a
process that is sent SIGKILL at moments drawn by the seed and spread over the run. At the end there must be as
many results as files, each with the very pixels of a run that nobody disturbed (bytes differ by the dates in
them), no temporary file, and no file that was worked on again after its line stood in the manifest; what was
under way at a kill is done once more. No photograph shares its pass with another and all is computed in
float32, for else the last bit depends on who shares it. Prints what was found; the exit code is 1 if anything
is not so.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parent))

import cv2
import numpy as np
import tifffile
from hostile.case import as8, as16, photograph
from hostile.good_jpeg import jpeg
from hostile.results import read_result

from gan_colorize.inference.manifest import MANIFEST_NAMES

ROOT = Path(__file__).resolve().parents[1]
_DEADLINE = 600.0


@dataclass
class Outcome:
    """kills: files that stood in the manifest at each; again: files whose result was made more than once."""

    kills: list[int] = field(default_factory=list)
    again: int = 0
    problems: list[str] = field(default_factory=list)


def photographs(folder: Path, count: int, seed: int) -> None:
    """JPEG, PNG and TIFF of 8 and 16 bits and of many sizes, in three levels of folders."""
    chance = random.Random(seed)
    for index in range(count):
        picture = photograph(chance.randrange(40, 220), chance.randrange(40, 220), index)
        path = folder / f"{index % 7}" / f"{index % 3}" / f"{index:04d}"
        path.parent.mkdir(parents=True, exist_ok=True)
        kind = index % 4
        if kind == 0:
            path.with_suffix(".jpg").write_bytes(jpeg(as8(picture)))
        elif kind == 1:
            path.with_suffix(".png").write_bytes(cv2.imencode(".png", as8(picture))[1].tobytes())
        else:
            values = as8(picture) if kind == 2 else as16(picture)
            tifffile.imwrite(path.with_suffix(".tif"), values, photometric="minisblack")


def start(folder: Path, output: Path, model: str, *options: str) -> subprocess.Popen:
    command = [sys.executable, "-m", "gan_colorize", "colorize", str(folder), "--output", str(output)]
    command += ["--model", model, "--device", "cpu", "--precision", "fp32", "--batch-size", "1", *options]
    return subprocess.Popen(
        command,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def events(output: Path) -> list[dict]:
    """The manifest's lines; what a kill cut off is left out."""
    path = output / MANIFEST_NAMES["colorize"]
    found = []
    for line in path.read_bytes().splitlines() if path.exists() else ():
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found


def done(output: Path) -> int:
    return sum(event.get("event") == "file" for event in events(output))


def killed_runs(folder: Path, output: Path, model: str, count: int, kills: int, seed: int) -> Outcome:
    """Kill ``kills`` runs and let the last one end."""
    outcome, chance = Outcome(), random.Random(seed)
    # one moment in every part of the run: also before its first and after its last file
    moments = [int(count * (part + chance.random()) / kills) for part in range(kills)]
    for moment in moments:
        running = start(folder, output, model, "--resume")
        began = time.monotonic()
        while running.poll() is None and done(output) < moment and time.monotonic() - began < _DEADLINE:
            time.sleep(0.004)
        time.sleep(chance.random() * 0.06)
        if running.poll() is None:
            os.killpg(running.pid, signal.SIGKILL)
            outcome.kills.append(done(output))
        words = running.communicate()[0].decode(errors="replace")
        if "Traceback" in words:
            outcome.problems.append(f"a traceback: {words[-500:]}")
        if running.returncode not in (0, -signal.SIGKILL):
            outcome.problems.append(f"a resumed run ended with {running.returncode}: {words[-500:]}")
    last = start(folder, output, model, "--resume")
    words = last.communicate(timeout=_DEADLINE)[0].decode(errors="replace")
    if last.returncode != 0:
        outcome.problems.append(f"the last run ended with {last.returncode}: {words[-500:]}")
    return outcome


def judge(outcome: Outcome, folder: Path, output: Path, undisturbed: Path) -> None:
    """Add to ``outcome`` what is wrong with the results."""
    names = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    there = sorted(path.relative_to(output) for path in output.rglob("*") if path.is_file())
    results = [path for path in there if not path.name.startswith("colorize-")]
    for name in sorted(set(names) - set(results)):
        outcome.problems.append(f"{name}: lost")
    for name in sorted(set(results) - set(names)):
        outcome.problems.append(f"{name}: left behind")
    for name in sorted(set(names) & set(results)):
        first, second = read_result(output / name), read_result(undisturbed / name)
        if len(first) != len(second) or not all(map(np.array_equal, first, second)):
            outcome.problems.append(f"{name}: not the pixels of an undisturbed run")
    recorded: set[str] = set()
    times: Counter[str] = Counter()
    in_this_run: Counter[str] = Counter()
    for event in events(output):
        if event["event"] == "run":
            in_this_run.clear()
        elif event["event"] == "placed":
            times[event["path"]] += 1
            in_this_run[event["path"]] += 1
            if event["path"] in recorded:
                outcome.problems.append(f"{event['path']}: made again although the manifest had it")
            if in_this_run[event["path"]] > 1:
                outcome.problems.append(f"{event['path']}: made twice in one run")
        elif event["event"] == "file":
            if event["status"] not in ("coloured", "skipped"):
                outcome.problems.append(f"{event['input']}: {event['status']}: {event.get('error')}")
            recorded |= {one["path"] for one in event.get("outputs", ())}
    outcome.again = sum(count > 1 for count in times.values())
    if times and max(times.values()) > 1 + len(outcome.kills):
        outcome.problems.append("a file was made more often than there were kills")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=500)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--model", default="default")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder, output, undisturbed = (Path(scratch, name) for name in ("photographs", "killed", "whole"))
        photographs(folder, options.files, options.seed)
        began = time.monotonic()
        whole = start(folder, undisturbed, options.model)
        words = whole.communicate(timeout=_DEADLINE)[0].decode(errors="replace")
        if whole.returncode != 0:
            print(f"the undisturbed run failed: {words[-1000:]}")
            return 1
        print(f"undisturbed    {options.files} files in {time.monotonic() - began:.1f} s")
        began = time.monotonic()
        outcome = killed_runs(folder, output, options.model, options.files, options.kills, options.seed)
        seconds = time.monotonic() - began
        judge(outcome, folder, output, undisturbed)
        print(f"killed         {len(outcome.kills)} times, with {outcome.kills} files done; {seconds:.1f} s")
        print(f"made again     {outcome.again} files")
        print(
            f"problems       {len(outcome.problems)}"
            + "".join(f"\n    {line}" for line in outcome.problems[:40])
        )
    return 1 if outcome.problems or len(outcome.kills) < options.kills else 0


if __name__ == "__main__":
    sys.exit(main())
