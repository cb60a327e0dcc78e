"""The task this package is for: photographs in, their colours learned."""

from __future__ import annotations

import math
from itertools import islice
from pathlib import Path

import torch
from torch import nn

from ..color.grid import GRID_CLASSES, GridEncoder
from ..color.prior import rebalancing_weights, smooth_prior
from ..color.targets import SoftEncoder
from ..config import Config, Loss, Phase
from ..errors import UserError
from ..losses.perceptual import PerceptualLoss
from .batch import BatchMaker, Prepare
from .gan_step import GanStep
from .optim import Precision
from .photographs import PhotographTask, TrainingData, phase_loss
from .validate import Validator

# Crops that a network with a ``fit`` gets to see: some seconds' work.
_FIT_CROPS = 256


class ColorizeTask(PhotographTask):
    """Generator and discriminator on random crops; see :class:`~gan_colorize.training.task.Task`."""

    learns = frozenset({"distribution", "ab"})

    def __init__(
        self,
        config: Config,
        data: TrainingData,
        device: torch.device,
        precision: Precision,
        resume: bool,
        init: Path | None,
    ) -> None:
        super().__init__(config, data, device, resume, init)
        self.initialised = init is not None
        losses = [phase_loss(config, phase) for phase in config.phases]
        for phase, loss in zip(config.phases, losses, strict=True):
            _check_terms(phase, loss, self.networks.generator)
        perceptual = PerceptualLoss().to(device) if any(loss.lpips for loss in losses) else None
        settings = config.optimizer
        self.step = GanStep(
            self.networks,
            losses[0],
            precision,
            settings.clip_gradient,
            perceptual,
            settings.micro_batch,
            config.run.compile,
        )
        maker = _batch_maker(config, data, self.networks.generator, device)
        self.prepare_batch = Prepare(maker, device)
        temperature = config.run.temperature or config.loss.temperature
        self.validator = Validator(data.validation, maker, losses[0], temperature, perceptual)

    def begin_phase(self, index: int, position: int) -> bool:
        """Let a generator that offers it (see :class:`~gan_colorize.models.contract.Contract`) look at the
        crops that come next."""
        phase, fit = self.config.phases[index], getattr(self.networks.generator, "fit", None)
        if fit is None or phase.train == "discriminator" or (index == 0 and self.initialised):
            return False
        stream = self._stream(phase, position, 0, None)
        crops = [raw.rgb for raw in islice(stream, math.ceil(_FIT_CROPS / phase.batch_size))]
        return fit(torch.cat(crops)[:_FIT_CROPS], self.config.run.seed)


TASK = ColorizeTask


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
