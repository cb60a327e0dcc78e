"""Damaged files of every format against the reader: a picture or one line, whatever the bytes are.

    python scripts/fuzz_decoders.py --inputs 100000 [--seed 0] [--start 0] [--findings FOLDER]

Input ``index`` of a seed is the same bytes whenever it is made, so a run goes on with --start, and a finding
is made again with --start INDEX --inputs 1. Reading runs in a process of its own: one that crashes or takes
longer than --deadline is a finding, its input is kept, and the next process goes on behind it. Findings are
also exceptions other than UserError, messages that are not one clean line, and memory that keeps growing. The
exit code is 1 if there are any. What decoders print past the program is counted only.
"""

from __future__ import annotations

import argparse
import importlib
import json
import multiprocessing
import os
import random
import resource
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from hostile.mutate import mutate

TARGET = "fuzz_decoders:read_and_measure"
_LARGEST_SEED = 30_000
_MEGAPIXELS = 20.0
# Memory of a process is compared between its first and its last quarter; caches and tables fill up first.
_GROWTH_ALLOWED = 150e6
_MOST_PRINTED = 1_000_000
_KEPT_OF_A_KIND = 3
_MOST_CRASHES = 200


def seeds() -> list[bytes]:
    """Small good files of every kind, in an order that never changes."""
    names = ("good_png", "good_jpeg", "good_tiff", "good_other")
    every = [case for name in names for case in importlib.import_module(f"hostile.{name}").cases()]
    # Files of programs that may be missing would give every machine its own inputs.
    return [
        case.data
        for case in every
        if case.data and len(case.data) < _LARGEST_SEED and not _foreign(case.kind)
    ]


def _foreign(kind: str) -> bool:
    return any(tool in kind for tool in ("ImageMagick", "gm", "ffmpeg", "tiffcp", "reversed"))


def input_of(index: int, seed: int, files: list[bytes]) -> bytes:
    return mutate(random.Random(f"{seed} {index}"), files)


def read_and_measure(data: bytes) -> str:
    """What becomes of the bytes: "picture", or the refusal's words.

    Raises:
        AssertionError: the refusal is no clean line, or the picture is none.
    """
    from gan_colorize.data.image_io import read_photo
    from gan_colorize.errors import UserError

    try:
        photo = read_photo(data, max_megapixels=_MEGAPIXELS)
        lightness = photo.lightness() if photo.pixels.size < 3e6 else None
    except UserError as error:
        line = str(error)
        assert line and len(line) < 1000, f"a refusal of {len(line)} characters"
        assert line.isprintable(), f"a refusal with control characters: {line!r}"
        return "refused: " + " ".join(word for word in line.split() if word.isalpha())[:60]
    assert photo.pixels.ndim in (2, 3) and photo.pixels.size > 0, "no pixels"
    if lightness is not None:
        assert lightness.shape == photo.pixels.shape[:2], "lightness of another size"
        assert -1e-4 <= float(lightness.min()) <= float(lightness.max()) <= 100.001, (
            "lightness outside 0..100"
        )
    return "picture"


@dataclass
class Tally:
    """What a run found.

    outcomes: how often each. findings: kind and words, with the inputs that gave them. memory: (index,
    resident bytes) of each process. printed: bytes on the standard error stream.
    """

    outcomes: Counter[str] = field(default_factory=Counter)
    findings: dict[tuple[str, str], list[int]] = field(default_factory=dict)
    memory: list[list[tuple[int, int]]] = field(default_factory=list)
    peak: int = 0
    printed: int = 0


def work(
    target: str, first: int, last: int, seed: int, files: list[bytes], now: Any, pipe: Any, printed: str
) -> None:
    """A process: inputs ``first`` up to ``last``; ``now`` = (index, when it was begun)."""
    handle = os.open(printed, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(handle, 2)  # native libraries print where Python cannot hear them
    module, name = target.split(":")
    function: Callable[[bytes], str] = getattr(importlib.import_module(module), name)
    outcomes: Counter[str] = Counter()
    for index in range(first, last):
        data = input_of(index, seed, files)
        now[0], now[1] = index, time.monotonic()
        try:
            outcomes[function(data)] += 1
        except ImportError:
            raise  # says nothing of the input
        except Exception as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            words = f"{type(error).__name__}: {error} ({Path(where.filename).name}:{where.lineno})"
            pipe.send(("finding", index, "exception", " ".join(words.split())[:400]))
        now[1] = 0
        if index % 100 == 99 or index == last - 1:
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
            pipe.send(("so far", index, dict(outcomes), _resident(), peak))
            outcomes.clear()
            if os.fstat(handle).st_size > _MOST_PRINTED:
                os.ftruncate(handle, 0)
    pipe.send(("end", last))


def _resident() -> int:
    status = Path("/proc/self/statm")
    return int(status.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") if status.exists() else 0


def fuzz(
    inputs: int,
    seed: int = 0,
    start: int = 0,
    deadline: float = 10.0,
    findings: Path | None = None,
    target: str = TARGET,
    files: list[bytes] | None = None,
    say: Callable[[str], None] = print,
) -> Tally:
    """Run ``inputs`` inputs made of ``files``; ``findings`` is a folder for those that were too much."""
    context, tally, files = multiprocessing.get_context("spawn"), Tally(), files or seeds()
    folder = findings or Path("fuzz-findings")
    folder.mkdir(parents=True, exist_ok=True)
    printed = folder / "printed.txt"
    first, last, began, told = start, start + inputs, time.monotonic(), time.monotonic()

    def found(index: int, kind: str, words: str) -> None:
        same = tally.findings.setdefault((kind, words), [])
        same.append(index)
        if len(same) <= _KEPT_OF_A_KIND:
            (folder / f"{seed}-{index}.bin").write_bytes(input_of(index, seed, files))
            say(f"input {index}: {kind}: {words}")

    while first < last:
        now = context.Array("d", [first, 0.0], lock=False)
        mine, its = context.Pipe(duplex=False)
        worker = context.Process(target=work, args=(target, first, last, seed, files, now, its, str(printed)))
        worker.start()
        its.close()
        tally.memory.append([])
        ended = hung = False
        while not ended:
            if mine.poll(0.2):
                try:
                    message = mine.recv()
                except EOFError:
                    break
                if message[0] == "finding":
                    found(*message[1:])
                elif message[0] == "so far":
                    _, index, outcomes, resident, peak = message
                    tally.outcomes.update(outcomes)
                    tally.memory[-1].append((index, resident))
                    tally.peak = max(tally.peak, peak)
                    if time.monotonic() - told > 30:
                        told = time.monotonic()
                        rate = (index + 1 - start) / (told - began)
                        say(f"{index + 1 - start:,}/{inputs:,} inputs, {rate:.0f}/s, {resident / 1e6:.0f} MB")
                ended = message[0] == "end"
            elif now[1] and time.monotonic() - now[1] > deadline:
                hung = True
                worker.kill()
                break
            elif not worker.is_alive() and not mine.poll():
                break
        worker.join()
        if ended:
            first = last
        else:
            index = int(now[0])
            words = f"longer than {deadline:g} s" if hung else f"the process ended with {worker.exitcode}"
            found(index, "hang" if hung else "crash", words)
            first = index + 1
            if len(tally.memory) > _MOST_CRASHES:
                say(f"stopped at {first}: more than {_MOST_CRASHES} processes ended early")
                break
    growth = grown(tally.memory)
    if growth > _GROWTH_ALLOWED:
        tally.findings["leak", f"memory grew by {growth / 1e6:.0f} MB"] = [last]
    tally.printed = printed.stat().st_size if printed.exists() else 0
    return tally


def grown(memory: list[list[tuple[int, int]]]) -> float:
    """Bytes by which the longest-lived process grew from its second quarter to its last, least to least."""
    longest = max(memory, key=len, default=[])
    sizes = [size for _, size in longest]
    quarter = len(sizes) // 4
    if quarter < 2:
        return 0.0
    return float(min(sizes[-quarter:]) - min(sizes[quarter : 2 * quarter]))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--start", type=int, default=0)
    parser.add_argument("--deadline", type=float, default=10.0, help="seconds for one input")
    parser.add_argument("--findings", type=Path, default=Path("fuzz-findings"))
    options = parser.parse_args()
    began = time.monotonic()
    tally = fuzz(options.inputs, options.seed, options.start, options.deadline, options.findings)
    seconds = time.monotonic() - began
    for words, count in tally.outcomes.most_common(25):
        print(f"{count:8,}  {words}")
    print(
        f"{options.inputs:,} inputs in {seconds:.0f} s ({options.inputs / seconds:.0f}/s), "
        f"{len(tally.findings)} kinds of findings, peak {tally.peak / 1e6:.0f} MB, "
        f"grown by {grown(tally.memory) / 1e6:.0f} MB, {tally.printed:,} bytes printed by decoders"
    )
    told = {
        "inputs": options.inputs,
        "seed": options.seed,
        "start": options.start,
        "seconds": round(seconds, 1),
    }
    kinds = [{"kind": kind, "words": words, "inputs": all_} for (kind, words), all_ in tally.findings.items()]
    told |= {"outcomes": dict(tally.outcomes), "findings": kinds, "memory": tally.memory}
    (options.findings / "fuzz.json").write_text(json.dumps(told, indent=1) + "\n")
    return 1 if tally.findings else 0


if __name__ == "__main__":
    sys.exit(main())
