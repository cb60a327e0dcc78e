"""What the tasks that learn from photographs share: the data, and the stream of crops."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from ..config import Config, Loss, Phase
from ..data.folder import ImageSource
from ..data.loader import RawBatch, TrainingStream
from ..data.scan import Scan
from ..devices import usable_cores
from ..distributed import current
from .task import Batch, Step, Validator, create_networks

if TYPE_CHECKING:
    from .batch import Prepare


@dataclass(frozen=True)
class TrainingData:
    """source and scan of the pictures; which of them to learn from; held-out pictures (M, 3, S, S) uint8;
    fingerprint: of pictures and split, to notice that they changed; skipped: the file that lists what could
    not be read."""

    source: ImageSource
    scan: Scan
    train_indices: np.ndarray
    validation: Tensor
    fingerprint: str
    skipped: Path | None = None


class PhotographTask:
    """A task (see :class:`~gan_colorize.training.task.Task`) on random crops of photographs.

    Who inherits sets ``prepare_batch``, ``step`` and ``validator``; the last two follow a phase's loss.
    """

    prepare_batch: Prepare
    step: Step
    validator: Validator

    def __init__(
        self, config: Config, data: TrainingData, device: torch.device, resume: bool, init: Path | None
    ) -> None:
        self.config, self.data, self.fingerprint = config, data, data.fingerprint
        self.networks = create_networks(config, device, resume, init)

    @staticmethod
    def prepare(*arguments: Any) -> TrainingData:
        """See :func:`gan_colorize.training.setup.prepare_data`."""
        from .setup import prepare_data

        return prepare_data(*arguments)

    def batches(self, phase: Phase, position: int) -> Iterable[Batch]:
        """Batches of the phase's size; from here on its losses apply."""
        self.step.loss = self.validator.loss = phase_loss(self.config, phase)
        workers = _workers(self.config.data.workers)
        group = current()
        stream = self._stream(
            phase, position, workers, self.prepare_batch.in_worker(), group.rank, group.world
        )
        return map(self.prepare_batch.in_loop, stream)

    def _stream(
        self,
        phase: Phase,
        position: int,
        workers: int,
        prepare: Callable[[RawBatch], Any] | None,
        rank: int = 0,
        world: int = 1,
    ) -> TrainingStream:
        return TrainingStream(
            self.data.source,
            self.data.scan,
            indices=self.data.train_indices,
            batch_size=phase.batch_size,
            crop_size=phase.crop_size,
            min_scale=self.config.data.min_scale,
            seed=self.config.run.seed,
            position=position,
            workers=workers,
            prepare=prepare,
            rank=rank,
            world=world,
            lanes=self.config.data.shard_lanes,
            report=self.data.skipped,
        )


def phase_loss(config: Config, phase: Phase) -> Loss:
    """The run's loss with what the phase changes of it."""
    return replace(config.loss, **phase.loss)


def _workers(asked: int) -> int:
    """On two cores a worker takes more from the network than it saves: its threads wait for each other."""
    cores = usable_cores() // current().local_world
    return asked if asked >= 0 else min(8, max(0, cores - 2))
