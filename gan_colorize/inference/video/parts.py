"""What is needed to go on after a crash: the finished pieces of a film, and one JSON line about each.

A piece has its line only when it is whole and its name is on the disk; of a line that was cut short nothing
is believed. Beside them lies what the smoothing knew at the end of the last piece.
"""

from __future__ import annotations

import io
import json
import os
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ...errors import UserError
from ...files import PART, save_bytes
from ...locks import lock
from .smoothing import Memory

STATE = "state.jsonl"
_OUR_NAME = re.compile(rf"{re.escape(STATE)}|lock|film\.\w+|\d{{6}}\.(nut|npz)|{re.escape(PART)}.*")


class Parts:
    """The folder of a film that is being made.

    done: what was noted of each finished piece, in order: "number", "frames", "files" (name and bytes, below
        ``results``) and whatever else.
    """

    def __init__(self, folder: Path, results: Path) -> None:
        self.folder, self.results = folder, results
        self.done: list[dict[str, Any]] = []
        self._handle: int | None = None

    @property
    def state(self) -> Path:
        return self.folder / STATE

    def begin(self, about: dict[str, Any], resume: bool, overwrite: bool, say: Callable[[str], None]) -> None:
        """Open the folder for a run; ``about`` says of which film and with which settings, in JSON's types.

        Raises:
            UserError: there is an unfinished run and neither ``resume`` nor ``overwrite``; or it was of
                another film or other settings; or another run works there; or it cannot be written.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._handle = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT, 0o666)
            if lock(self._handle) is False:
                raise UserError(f"{self.folder}: another run works there; let it end first")
            lines = self._read() if resume or not overwrite else []
            if lines and not resume:
                told = "add --resume to go on, or --overwrite to begin anew"
                raise UserError(f"{self.folder}: an unfinished run is there; {told}")
            if lines:
                self._check(lines[0], about)
                self.done = self._whole(lines[1:], say)
            save_bytes(self.state, b"".join(map(_line, [about, *self.done])))
            self._tidy()
        except (OSError, UserError) as error:
            self.close()
            if isinstance(error, UserError):
                raise
            raise UserError(f"cannot write {self.folder}: {error.strerror or error}") from error

    def piece(self, number: int) -> Path:
        """Where the pictures of a piece are."""
        return self.folder / f"{number:06d}.nut"

    def add(self, entry: dict[str, Any], files: list[Path], plane: np.ndarray, memory: Memory | None) -> None:
        """Note that the next piece is on the disk, and what is needed to go on behind it.

        Raises:
            UserError: it cannot be written.
        """
        buffer, arrays = io.BytesIO(), {"plane": plane}
        if memory is not None:
            arrays |= {"mean": memory.mean.cpu().numpy(), "count": memory.count.cpu().numpy()}
        np.savez(buffer, **arrays)
        save_bytes(self._memory(entry["number"]), buffer.getbuffer())
        sizes = [[file.relative_to(self.results).as_posix(), file.stat().st_size] for file in files]
        entry = {**entry, "files": sizes}
        try:
            with self.state.open("ab") as state:
                state.write(_line(entry))
                state.flush()
                os.fsync(state.fileno())
        except OSError as error:
            raise UserError(f"cannot write {self.state}: {error.strerror or error}") from error
        self.done.append(entry)
        self._memory(entry["number"] - 1).unlink(missing_ok=True)

    def last(self, device: torch.device) -> tuple[np.ndarray | None, Memory | None]:
        """To go on behind the last piece: what the network saw of its last frame, and the mean."""
        if not self.done:
            return None, None
        with np.load(self._memory(self.done[-1]["number"])) as arrays:
            plane = arrays["plane"]
            if "mean" not in arrays:
                return plane, None
            mean, count = (torch.from_numpy(arrays[name]).to(device) for name in ("mean", "count"))
        return plane, Memory(mean, count)

    def close(self) -> None:
        """Let another run have the folder."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def remove(self) -> None:
        """The film is done: nothing of this is needed any more."""
        self.close()
        with suppress(OSError):
            # first, for a run that is killed in here has nothing to go on with
            self.state.unlink(missing_ok=True)
            for file in self._ours():
                file.unlink()
            self.folder.rmdir()

    def _memory(self, number: int) -> Path:
        return self.folder / f"{number:06d}.npz"

    def _read(self) -> list[dict[str, Any]]:
        try:
            lines = self.state.read_bytes().split(b"\n")[
                :-1
            ]  # what follows the last line's end was cut short
            return [json.loads(line) for line in lines]
        except FileNotFoundError:
            return []
        except ValueError as error:
            raise UserError(f"{self.state}: is damaged; --overwrite begins anew") from error

    def _check(self, before: dict[str, Any], now: dict[str, Any]) -> None:
        changed = [key for key in {**before, **now} if before.get(key) != now.get(key)]
        if changed:
            told = ", ".join(f"{key} {before.get(key)} (now {now.get(key)})" for key in changed)
            raise UserError(f"{self.folder}: was begun with {told}; --overwrite begins anew")

    def _whole(self, entries: list[dict[str, Any]], say: Callable[[str], None]) -> list[dict[str, Any]]:
        """The pieces, if all of them and what is needed to go on are still there."""
        there = all(_is_whole(self.results / name, size) for one in entries for name, size in one["files"])
        if entries and not (there and self._memory(entries[-1]["number"]).is_file()):
            say(f"{self.folder}: pieces are missing; beginning anew")
            return []
        return entries

    def _tidy(self) -> None:
        """Remove what a killed run left: pieces without a line, temporary files."""
        known = {self.results / name for one in self.done for name, _ in one["files"]}
        known |= {self.state, self.folder / "lock"}
        if self.done:
            known.add(self._memory(self.done[-1]["number"]))
        for file in self._ours():
            if file not in known:
                file.unlink()

    def _ours(self) -> list[Path]:
        """Files that runs leave here; others are somebody's."""
        return [file for file in self.folder.iterdir() if _OUR_NAME.fullmatch(file.name) and file.is_file()]


def _is_whole(file: Path, size: int) -> bool:
    return file.is_file() and file.stat().st_size == size


def _line(entry: dict[str, Any]) -> bytes:
    # ASCII, for file names need not be valid Unicode
    return json.dumps(entry, separators=(",", ":")).encode() + b"\n"
