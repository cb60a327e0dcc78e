"""What was measured so far, kept on disk batch by batch, so that a benchmark that was ended goes on.

A part holds some photographs of one set by one entry: numbers and arrays with a first axis of photographs,
and sums over them. Parts lie in a folder named after everything that changes them: settings that differ
never meet.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ...files import save_bytes

Numbers = dict[str, list[float | None]]
FOLDER = "parts"


@dataclass
class Part:
    """index: (n,) positions in the set; sha256: of the photographs' files.

    numbers: metric -> (n,) with None where it does not apply; arrays: name -> (n, ...).
    sums:    name -> array, added up over the photographs.
    files:   sha256 of an external entry's own files.
    """

    index: list[int]
    names: list[str]
    sha256: list[str]
    numbers: Numbers
    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    sums: dict[str, np.ndarray] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)

    def encoded(self) -> memoryview:
        """The part as a file: numpy arrays and JSON, nothing that unpickles."""
        about = {key: getattr(self, key) for key in ("index", "names", "sha256", "numbers", "files")}
        buffer = io.BytesIO()
        np.savez_compressed(
            buffer,
            about=np.frombuffer(json.dumps(about).encode(), np.uint8),
            **{f"array-{key}": value for key, value in self.arrays.items()},
            **{f"sum-{key}": value for key, value in self.sums.items()},
        )
        return buffer.getbuffer()

    @staticmethod
    def read(path: Path) -> Part:
        """Raises ValueError for a file that is none."""
        try:
            with np.load(path, allow_pickle=False) as file:
                about = json.loads(file["about"].tobytes())
                of = {kind: {} for kind in ("array", "sum")}
                for key in file.files:
                    kind, _, name = key.partition("-")
                    if kind in of:
                        of[kind][name] = file[key]
            return Part(**about, arrays=of["array"], sums=of["sum"])
        except (OSError, KeyError, TypeError, ValueError, EOFError, zipfile.BadZipFile) as error:
            raise ValueError(f"{path}: no part of a benchmark") from error


def key_of(value: Any) -> str:
    """A short name for plain values."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:12]


class Parts:
    """The parts below an output folder that belong to one measurement.

    Args:
        measurement: plain values, all that changes the numbers of a photograph but the entry and the set.
    """

    def __init__(self, output: Path, measurement: Mapping[str, Any]) -> None:
        self.root = output / FOLDER
        self.folder = self.root / key_of(measurement)

    def clear(self) -> None:
        """Forget what earlier runs left below this output folder."""
        for path in sorted(self.root.rglob("*"), reverse=True):
            with suppress(OSError):
                path.unlink() if path.suffix == ".npz" else path.rmdir()
        with suppress(OSError):
            self.root.rmdir()

    def place(self, set_key: str, entry_key: str) -> Path:
        """The folder of an entry's parts."""
        return self.folder / set_key / entry_key

    def add(self, place: Path, part: Part) -> None:
        """Keep a part; it is whole on the disk when this returns."""
        save_bytes(place / f"{part.index[0]:08d}-{len(part.index)}.npz", part.encoded())

    def load(self, place: Path) -> list[Part]:
        """Parts in order; of two that hold the same photograph only the first, damaged files not at all."""
        found, met = [], set()
        for path in sorted(place.glob("*.npz")):
            with suppress(ValueError):
                part = Part.read(path)
                if met.isdisjoint(part.index):
                    met.update(part.index)
                    found.append(part)
        return found


def joined(parts: list[Part]) -> Part:
    """All photographs of several parts as one, in the order of their hashes.

    Bootstraps draw photographs by their place: what they are called and where they lie must not matter.
    """
    hashes = [sha256 for part in parts for sha256 in part.sha256]
    places = [index for part in parts for index in part.index]
    order = sorted(range(len(places)), key=lambda i: (hashes[i], places[i]))

    def listed(values: list[Any]) -> list[Any]:
        return [values[i] for i in order]

    return Part(
        index=listed([index for part in parts for index in part.index]),
        names=listed([name for part in parts for name in part.names]),
        sha256=listed([sha256 for part in parts for sha256 in part.sha256]),
        numbers={
            key: listed([value for part in parts for value in part.numbers[key]]) for key in parts[0].numbers
        },
        arrays={key: np.concatenate([part.arrays[key] for part in parts])[order] for key in parts[0].arrays},
        sums={key: sum(part.sums[key] for part in parts) for key in parts[0].sums},
        files=sorted(sha256 for part in parts for sha256 in part.files),
    )
