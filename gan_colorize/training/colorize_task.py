"""The task this package is for: photographs in, their colours learned."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..color.grid import GRID_CLASSES, GridEncoder
from ..color.prior import rebalancing_weights, smooth_prior
from ..color.targets import SoftEncoder
from ..config import Config, Loss, Phase
from ..data.folder import ImageSource
from ..data.loader import TrainingStream
from ..data.scan import Scan
from ..devices import usable_cores
from ..errors import UserError
from ..losses.perceptual import PerceptualLoss
from .batch import Batch, BatchMaker, Prepare
from .gan_step import GanStep
from .optim import Precision
from .task import create_networks
from .validate import Validator


@dataclass(frozen=True)
class TrainingData:
    """source and scan of the pictures; which of them to learn from; held-out pictures (M, 3, S, S) uint8;
    fingerprint: of pictures and split, to notice that they changed."""

    source: ImageSource
    scan: Scan
    train_indices: np.ndarray
    validation: Tensor
    fingerprint: str


class ColorizeTask:
    """Generator and discriminator on random crops; see :class:`~gan_colorize.training.task.Task`."""

    def __init__(
        self,
        config: Config,
        data: TrainingData,
        device: torch.device,
        precision: Precision,
        resume: bool,
        init: Path | None,
    ) -> None:
        self.config, self.data, self.fingerprint = config, data, data.fingerprint
        self.networks = create_networks(config, device, resume, init)
        losses = [phase_loss(config, phase) for phase in config.phases]
        for phase, loss in zip(config.phases, losses, strict=True):
            _check_terms(phase, loss, self.networks.generator)
        perceptual = PerceptualLoss().to(device) if any(loss.lpips for loss in losses) else None
        self.step = GanStep(self.networks, losses[0], precision, config.optimizer.clip_gradient, perceptual)
        maker = _batch_maker(config, data, self.networks.generator, device)
        self.prepare_batch = Prepare(maker, device)
        temperature = config.run.temperature or config.loss.temperature
        self.validator = Validator(data.validation, maker, losses[0], temperature, perceptual)

    @staticmethod
    def prepare(*arguments: Any) -> TrainingData:
        """See :func:`gan_colorize.training.setup.prepare_data`."""
        from .setup import prepare_data

        return prepare_data(*arguments)

    def batches(self, phase: Phase, position: int) -> Iterable[Batch]:
        """Batches of the phase's size; from here on its losses apply."""
        self.step.loss = self.validator.loss = phase_loss(self.config, phase)
        stream = TrainingStream(
            self.data.source,
            self.data.scan,
            indices=self.data.train_indices,
            batch_size=phase.batch_size,
            crop_size=phase.crop_size,
            min_scale=self.config.data.min_scale,
            seed=self.config.run.seed,
            position=position,
            workers=_workers(self.config.data.workers),
            prepare=self.prepare_batch.in_worker(),
        )
        return map(self.prepare_batch.in_loop, stream)


TASK = ColorizeTask


def phase_loss(config: Config, phase: Phase) -> Loss:
    """The run's loss with what the phase changes of it."""
    return replace(config.loss, **phase.loss)


def _check_terms(phase: Phase, loss: Loss, generator: nn.Module) -> None:
    """Raise a UserError when no term of a phase can teach a network that regresses ab."""
    taught = loss.l1 or loss.smooth_l1 or loss.mse or loss.lpips or generator.contract.classes
    if phase.train == "discriminator" or taught or (phase.train == "both" and loss.adversarial):
        return
    raise UserError(
        f"loss.smooth_l1: 0, but {generator.name} predicts ab here, and classification needs a "
        "distribution; give l1, smooth_l1, mse or lpips a weight"
    )


def _batch_maker(
    config: Config, data: TrainingData, generator: nn.Module, device: torch.device
) -> BatchMaker:
    target = config.target
    if generator.contract.classes == "grid":
        if target.uniform_share != 1.0:
            raise UserError(
                f"target.uniform_share: {target.uniform_share} must be 1 for {generator.name}, whose classes "
                "are a plain grid over ab without a prior"
            )
        encoder, class_weights = GridEncoder(), torch.ones(GRID_CLASSES)
    else:
        encoder = SoftEncoder(target.neighbours, target.sigma)
        prior = smooth_prior(torch.as_tensor(data.scan.histogram), target.prior_sigma)
        class_weights = rebalancing_weights(prior, target.uniform_share)
    return BatchMaker(
        generator.contract, encoder.to(device), class_weights.to(device), config.data, config.run.seed
    )


def _workers(asked: int) -> int:
    """On two cores a worker takes more from the network than it saves: its threads wait for each other."""
    return asked if asked >= 0 else min(8, max(0, usable_cores() - 2))
