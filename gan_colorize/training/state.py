"""All that a run must remember, as plain types: saved whole or not at all, loaded without unpickling code."""

from __future__ import annotations

import copy
import io
import pickle
import warnings
import zipfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from ..distributed import from_main
from ..errors import UserError
from ..files import save_bytes
from .ema import Average
from .gan_step import GanStep, Networks
from .run_folder import PREVIOUS

FORMAT = 1

# What torch and the parts raise on a file that is cut, foreign, or of other networks.
_UNREADABLE = (
    OSError,
    pickle.UnpicklingError,
    RuntimeError,
    EOFError,
    AttributeError,
    KeyError,
    TypeError,
    IndexError,
    ValueError,
    zipfile.BadZipFile,
    zlib.error,
)
_ADVICE = "start a new run with --init on last/model.safetensors"


class DamagedState(UserError):
    """A state's file is not what was written, or gone; an older one may still be there."""


@dataclass
class Progress:
    """images: seen so far. sums: running totals of the terms since the last log line. rate: factor the
    guard has lowered the learning rate to. failures: rollbacks since the last good checkpoint.
    good_batches: finite ones since the last rollback. best, best_phase: of the validation score.
    begun: the last phase that was begun, by its index."""

    images: int = 0
    sums: dict[str, list[float]] = field(default_factory=dict)
    rate: float = 1.0
    failures: int = 0
    good_batches: int = 0
    best: float | None = None
    best_phase: int = -1
    begun: int = -1


class RunState:
    """The networks, their optimizers, the average and the progress, as one thing to save and restore."""

    def __init__(self, networks: Networks, average: Average, step: GanStep, data: str) -> None:
        self.networks, self.average, self.step, self.data = networks, average, step, data
        self.progress = Progress()
        self.notice = ""  # what was wrong with the newest file, when an older one was loaded in its place
        self._good: dict[str, Any] | None = None

    def _parts(self) -> dict[str, Any]:
        players = self.networks
        parts = {
            "generator": players.generator,
            "discriminator": players.discriminator,
            "generator_optimizer": players.generator_optimizer,
            "discriminator_optimizer": players.discriminator_optimizer,
            "average": self.average.model,
            "scaler": self.step.scaler,
        }
        return {name: part for name, part in parts.items() if part is not None}

    def state_dict(self) -> dict[str, Any]:
        """Plain containers, tensors and numbers only: what ``torch.load(weights_only=True)`` accepts."""
        parts = {name: part.state_dict() for name, part in self._parts().items()}
        return {"format": FORMAT, "progress": vars(self.progress), "data": self.data, **parts}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Put everything back, progress included. Moments come from the state, settings from the config."""
        for name, part in self._parts().items():
            if name.startswith("discriminator") and name not in state:  # of a run that had none so far
                continue
            if not state[name]:  # the scaler of a run that began in a precision which needs none
                continue
            settings = [_settings(group) for group in getattr(part, "param_groups", [])]
            part.load_state_dict(state[name])
            for group, own in zip(getattr(part, "param_groups", []), settings, strict=True):
                group.update(own)
        self.progress = Progress(**copy.deepcopy(state["progress"]))

    def remember(self) -> None:
        """Keep a copy in memory as the last good state."""
        self._good = copy.deepcopy(self.state_dict())

    def roll_back(self) -> None:
        """Weights and optimizers of the last good state; the place in the data stays, so that the batch
        that failed is not met again."""
        progress = self.progress
        self.load_state_dict(copy.deepcopy(self._good))
        self.progress = progress

    def save(self, path: Path) -> None:
        """Write the training state, atomically; the one before stays beside it as ``previous.pt``."""
        # Into memory first: torch tells of a full disk with an exception of its own, and syncs nothing.
        buffer = io.BytesIO()
        torch.save(self.state_dict(), buffer)
        # What was found damaged must not take the place of the one that could be read.
        save_bytes(path, buffer.getbuffer(), None if self.notice else path.with_name(PREVIOUS))
        self.notice = ""

    def load(self, path: Path) -> bool:
        """Read a training state of the same networks, or the one before it when its file is damaged or gone;
        ``notice`` then says so -> whether it was saved with the same photographs.

        Raises:
            DamagedState: neither can be read.
            UserError: not ours, or of networks of another shape.
        """
        # Read by one process for all: other machines need not have the file.
        state, used = from_main(lambda: _read_newest(path))
        try:
            self.load_state_dict(state)
        except _UNREADABLE as error:
            raise UserError(f"{used}: cannot resume, it is of other networks; {_ADVICE}") from error
        if used != path:
            self.notice = (
                f"{path} is damaged or gone; going on from the checkpoint before it, at "
                f"{self.progress.images:,} images"
            )
        return state["data"] == self.data


def _read_newest(path: Path) -> tuple[dict[str, Any], Path]:
    """The state in ``path``, or in the file before it when that one is damaged or gone, and which it was."""
    previous = path.with_name(PREVIOUS)
    try:
        return _read(path), path
    except DamagedState:
        if not previous.is_file():
            raise
        return _read(previous), previous


def _read(path: Path) -> dict[str, Any]:
    try:
        _check_sums(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's page about pickles; the error below is enough
            state = torch.load(path, map_location="cpu", weights_only=True)
    except _UNREADABLE as error:
        raise DamagedState(
            f"{path}: cannot resume, the file is damaged or no training state; {_ADVICE}"
        ) from error
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        raise UserError(f"{path}: cannot resume, a training state of another version; {_ADVICE}")
    return state


def _check_sums(path: Path) -> None:
    """Compare every part of the file with the CRC-32 that it was written with: torch does not, and a bit that
    a disk has turned over would train on."""
    with zipfile.ZipFile(path) as archive:
        if archive.testzip() is not None:
            raise zipfile.BadZipFile


def _settings(group: dict[str, Any]) -> dict[str, Any]:
    # "fused" belongs to the device, which may be another one than that of the saved run.
    return {key: group[key] for key in ("scale", "weight_decay", "betas", "fused")}
