"""The one training loop, read from top to bottom."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..color.prior import rebalancing_weights, smooth_prior
from ..color.targets import SoftEncoder
from ..config import Config, Phase, save_config
from ..data.folder import ImageSource
from ..data.loader import TrainingStream
from ..data.scan import Scan
from ..devices import choose_dtype, keep_freed_memory, usable_cores
from ..errors import UserError
from ..losses.perceptual import PerceptualLoss
from ..models import create_discriminator, create_model
from ..signals import stop_on_signals
from .batch import BatchMaker, Prepare
from .checkpoints import Keeper, check_best_by
from .ema import Average
from .gan_step import GanStep, Networks
from .guard import Guard
from .optim import Precision, adamw, rate_factor, set_rate
from .runlog import RunLog
from .state import Progress, RunState
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


def train(
    config: Config, data: TrainingData, folder: Path, device: str, resume: bool, init: Path | None
) -> bool:
    """Train until the phases are done or a signal comes -> True when done.

    Raises:
        UserError: repeated non-finite losses, an unreadable state, a full disk.
    """
    torch.manual_seed(config.run.seed)
    place = torch.device(device)
    if place.type == "cpu":
        keep_freed_memory()
    precision = Precision(place, choose_dtype(config.run.precision, place))
    players = _players(config, place, resume, init)
    _check_terms(config, players.generator)
    perceptual = PerceptualLoss().to(place) if config.loss.lpips else None
    step = GanStep(players, config.loss, precision, config.optimizer.clip_gradient, perceptual)
    average = Average(players.generator, config.optimizer.ema_images)
    state = RunState(players, average, step, data.fingerprint)
    known_data = state.load(folder / "last" / "state.pt") if resume else True
    maker = _batch_maker(config, data, players.generator, place)
    prepare = Prepare(maker, place)
    temperature = config.run.temperature or config.loss.temperature
    validator = Validator(data.validation, maker, config.loss, temperature, perceptual)
    check_best_by(config, validator)
    save_config(config, folder / "config.yaml")
    total = sum(phase.images for phase in config.phases)
    progress = state.progress
    state.remember()

    with RunLog(folder, progress.images, total) as log, stop_on_signals() as stop:
        guard = Guard(state, log, step.scaler)
        keeper = Keeper(config, folder, state, validator, precision, log)
        verb = "resuming" if resume else "training"
        log.say(f"{verb} at {log.pace(progress.images)}; {device}, {precision.dtype}")
        if not known_data:
            log.say("the photographs are not those of the saved run: its numbers will not go on exactly")
        for index, phase, first in _remaining_phases(config.phases, progress):
            last = first + phase.images
            name = f"phase {index + 1}/{len(config.phases)} {phase.train} {phase.crop_size} px"
            log.say(f"{name}: {last - progress.images:,} images")
            for raw in _stream(config, data, phase, progress.images, prepare):
                factor = rate_factor(config.optimizer, phase, progress.images - first, progress.images)
                rate = progress.rate * factor
                set_rate(players.generator_optimizer, config.optimizer.learning_rate * rate)
                set_rate(players.discriminator_optimizer, config.optimizer.discriminator_rate * rate)
                # What layers draw (stochastic depth) must follow from the position, or resuming would differ.
                batch = prepare.in_loop(raw)
                torch.manual_seed(config.run.seed * 1_000_003 + batch.position)
                terms = step(batch, phase.train)
                before, progress.images = progress.images, batch.position

                values = dict(zip(terms, torch.stack(list(terms.values())).tolist(), strict=True))
                if guard.passes(values, before):
                    _add(progress.sums, values)
                    if phase.train != "discriminator":
                        average.update(players.generator, phase.batch_size, progress.images)

                done = progress.images >= last
                due = {
                    key: done or _crosses(before, progress.images, getattr(config.run, key))
                    for key in ("log_every", "validate_every", "checkpoint_every")
                }
                log.progress(progress.images, name)
                if due["log_every"] and progress.sums:
                    means = {key: entry[0] / entry[1] for key, entry in progress.sums.items()}
                    progress.sums = {}
                    log.record(images=progress.images, phase=index, rate=rate, **means)
                if due["validate_every"] and phase.train != "discriminator":
                    keeper.validate(index)
                if due["checkpoint_every"] or stop.is_set():
                    guard.checkpoint()
                    keeper.save()
                if stop.is_set():
                    log.say(f"stopped at {progress.images:,} images; the state is saved")
                    return False
                if done:
                    break
        if not progress.good_batches:
            raise UserError("training ended on a loss that is not finite; see train.log in the run folder")
        final = keeper.finish()
        log.say(f"done: {log.pace(progress.images)}; the model is {final}")
    return True


def _players(config: Config, device: torch.device, resume: bool, init: Path | None) -> Networks:
    generator = create_model(config.model.name, config.model.options)
    if init is not None:
        _load_weights(generator, init)
    elif config.model.pretrained_encoder and not resume:
        load = getattr(getattr(generator, "encoder", None), "load_pretrained", None)
        if load is None:
            raise UserError("model.pretrained_encoder: this network has no encoder with pretrained weights")
        load()
    discriminator = create_discriminator(config.discriminator.name, config.discriminator.options)
    for network in (generator, discriminator):
        network.to(device=device, memory_format=torch.channels_last)
    settings = config.optimizer
    return Networks(
        generator,
        discriminator,
        adamw(
            generator, settings.learning_rate, settings.betas, settings.weight_decay, settings.encoder_rate
        ),
        adamw(discriminator, settings.discriminator_rate, settings.discriminator_betas, 0.0),
    )


def _check_terms(config: Config, generator: torch.nn.Module) -> None:
    """Raise a UserError when no term can teach a network that regresses ab."""
    loss = config.loss
    if generator.contract.returns == "distribution" or loss.smooth_l1 or loss.lpips:
        return
    if any(phase.train == "generator" or not loss.adversarial for phase in config.phases):
        raise UserError(
            f"loss.smooth_l1: 0, but {config.model.name} predicts ab here, and classification needs a "
            "distribution; give smooth_l1 or lpips a weight"
        )


def _load_weights(generator: torch.nn.Module, weights: Path) -> None:
    from ..zoo.checkpoint import load_model

    source = load_model(weights)
    try:
        generator.load_state_dict(source.state_dict())
    except RuntimeError as error:
        raise UserError(f"--init {weights}: does not fit the network in model.options") from error


def _batch_maker(
    config: Config, data: TrainingData, generator: torch.nn.Module, device: torch.device
) -> BatchMaker:
    target = config.target
    encoder = SoftEncoder(target.neighbours, target.sigma).to(device)
    prior = smooth_prior(torch.as_tensor(data.scan.histogram), target.prior_sigma)
    class_weights = rebalancing_weights(prior, target.uniform_share).to(device)
    return BatchMaker(generator.contract, encoder, class_weights, config.data, config.run.seed)


def _stream(
    config: Config, data: TrainingData, phase: Phase, position: int, prepare: Prepare
) -> TrainingStream:
    return TrainingStream(
        data.source,
        data.scan,
        indices=data.train_indices,
        batch_size=phase.batch_size,
        crop_size=phase.crop_size,
        min_scale=config.data.min_scale,
        seed=config.run.seed,
        position=position,
        workers=_workers(config.data.workers),
        prepare=prepare.in_worker(),
    )


def _workers(asked: int) -> int:
    """On two cores a worker takes more from the network than it saves: its threads wait for each other."""
    return asked if asked >= 0 else min(8, max(0, usable_cores() - 2))


def _remaining_phases(phases: list[Phase], progress: Progress) -> Iterator[tuple[int, Phase, int]]:
    """Asked anew when a phase ends: it may have passed its mark by part of a batch, and a run that is
    resumed there must come to the same answer."""
    first = 0
    for index, phase in enumerate(phases):
        if progress.images < first + phase.images:
            yield index, phase, first
        first += phase.images


def _add(sums: dict[str, list[float]], values: dict[str, float]) -> None:
    for key, value in values.items():
        if math.isfinite(value):  # an overflow that the fp16 scaler skipped is no part of the mean
            entry = sums.setdefault(key, [0.0, 0.0])
            entry[0], entry[1] = entry[0] + value, entry[1] + 1.0


def _crosses(before: int, after: int, interval: int) -> bool:
    return before // interval != after // interval
