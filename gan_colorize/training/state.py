"""All that a run must remember, as plain types: saved whole or not at all, loaded without unpickling code."""

from __future__ import annotations

import copy
import io
import pickle
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from ..errors import UserError
from ..files import save_bytes
from .ema import Average
from .gan_step import GanStep, Networks

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
)


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
        """Write the training state, atomically."""
        # Into memory first: torch tells of a full disk with an exception of its own, and syncs nothing.
        buffer = io.BytesIO()
        torch.save(self.state_dict(), buffer)
        save_bytes(path, buffer.getbuffer())

    def load(self, path: Path) -> bool:
        """Read a training state of the same networks -> whether it was saved with the same photographs.

        Raises:
            UserError: cut short, not ours, or of networks of another shape.
        """
        advice = "start a new run with --init on last/model.safetensors"
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # torch's page about pickles; the error below is enough
                state = torch.load(path, map_location="cpu", weights_only=True)
            if state.get("format") != FORMAT:
                raise UserError(f"{path}: cannot resume, a training state of another version; {advice}")
        except _UNREADABLE as error:
            raise UserError(
                f"{path}: cannot resume, the file is damaged or no training state; {advice}"
            ) from error
        try:
            self.load_state_dict(state)
            return state["data"] == self.data
        except _UNREADABLE as error:
            raise UserError(f"{path}: cannot resume, it is of other networks; {advice}") from error


def _settings(group: dict[str, Any]) -> dict[str, Any]:
    # "fused" belongs to the device, which may be another one than that of the saved run.
    return {key: group[key] for key in ("scale", "weight_decay", "betas", "fused")}
