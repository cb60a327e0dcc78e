"""The one training loop, read from top to bottom."""

from __future__ import annotations

import math
import shutil
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ..color.prior import rebalancing_weights, smooth_prior
from ..color.targets import SoftEncoder
from ..config import Config, Phase, save_config
from ..data.folder import ImageSource
from ..data.loader import TrainingStream
from ..data.scan import Scan
from ..devices import choose_dtype
from ..errors import UserError
from ..files import atomic_path
from ..losses.perceptual import PerceptualLoss
from ..models import create_discriminator, create_model
from ..zoo.checkpoint import save_model
from .batch import BatchMaker
from .curves import draw_curves
from .ema import Average
from .gan_step import GanStep, Networks
from .optim import Precision, adamw, rate_factor, set_rate
from .runlog import RunLog
from .state import RunState
from .validate import Validator

# After this many rollbacks without a good checkpoint between them, another try would be hope.
MAX_FAILURES = 3


@dataclass(frozen=True)
class TrainingData:
    """source and scan of the pictures; which of them to learn from; held-out pictures (M, 3, S, S)."""

    source: ImageSource
    scan: Scan
    train_indices: object
    validation: Tensor


def train(
    config: Config, data: TrainingData, folder: Path, device: str, resume: bool, init: Path | None
) -> bool:
    """Train until the phases are done or a signal comes -> True when done.

    Raises:
        UserError: repeated non-finite losses, an unreadable state, a full disk.
    """
    torch.manual_seed(config.run.seed)
    place = torch.device(device)
    precision = Precision(place, choose_dtype(config.run.precision, place))
    generator = create_model(config.model.name, config.model.options)
    if init is not None:
        _load_weights(generator, init)
    elif config.model.pretrained_encoder and not resume:
        generator.encoder.load_pretrained()
    players = _players(config, generator, precision.device)
    perceptual = PerceptualLoss().to(precision.device) if config.loss.lpips else None
    average = Average(players.generator, config.optimizer.ema_images)
    step = GanStep(players, config.loss, precision, config.optimizer.clip_gradient, perceptual)
    state = RunState(players, average, step)
    if resume:
        state.load(folder / "last" / "state.pt")
    progress = state.progress

    encoder = SoftEncoder(config.target.neighbours, config.target.sigma).to(precision.device)
    prior = smooth_prior(torch.as_tensor(data.scan.histogram), config.target.prior_sigma)
    share = config.target.uniform_share if config.target.rebalancing else 1.0  # all uniform: weights of 1
    class_weights = rebalancing_weights(prior, share).to(precision.device)
    maker = BatchMaker(generator.contract, encoder, class_weights, config.data, config.run.seed)
    validator = Validator(data.validation, maker, config.loss, config.run.temperature, perceptual)

    total = sum(phase.images for phase in config.phases)
    save_config(config, folder / "config.yaml")
    log = RunLog(folder, progress.images, total)
    verb = "resuming" if resume else "training"
    log.say(f"{verb} at {log.pace(progress.images)}; {device}, {precision.dtype}")
    state.remember()

    with _stop_on_signal() as stop:
        for index, phase, first in _remaining_phases(config.phases, progress.images):
            last = first + phase.images
            stream = TrainingStream(
                data.source,
                data.scan,
                indices=data.train_indices,
                batch_size=phase.batch_size,
                crop_size=phase.crop_size,
                min_scale=config.data.min_scale,
                seed=config.run.seed,
                position=progress.images,
                workers=config.data.workers,
            )
            name = f"phase {index + 1}/{len(config.phases)} {phase.train} {phase.crop_size} px"
            log.say(f"{name}: {last - progress.images:,} images")
            for raw in stream:
                rate = progress.rate * rate_factor(
                    config.optimizer, phase, progress.images - first, progress.images
                )
                set_rate(players.generator_optimizer, config.optimizer.learning_rate * rate)
                set_rate(players.discriminator_optimizer, config.optimizer.discriminator_rate * rate)
                batch = maker.training(raw.rgb.to(precision.device, non_blocking=True), raw.position)
                terms = step(batch, phase.train)
                before, progress.images = progress.images, progress.images + len(raw.rgb)

                values = dict(zip(terms, torch.stack(list(terms.values())).tolist(), strict=True))
                bad = _not_finite(values, gradients=not step.scaler.is_enabled())
                if bad:
                    _recover(state, log, bad, before)
                else:
                    progress.good_batches += 1
                    for key, value in values.items():
                        entry = progress.sums.setdefault(key, [0.0, 0.0])
                        entry[0], entry[1] = entry[0] + value, entry[1] + 1.0
                    if phase.train != "discriminator":
                        average.update(players.generator, len(raw.rgb), progress.images)

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
                    _validate(config, state, validator, precision, log, folder, index)
                if due["checkpoint_every"] or stop.is_set():
                    _save(config, state, log, folder)
                if stop.is_set():
                    log.say(f"stopped at {progress.images:,} images; the state is saved")
                    log.close()
                    return False
                if done:
                    break
    best, final = folder / "best" / "model.safetensors", folder / "model.safetensors"
    with atomic_path(final) as temporary:
        shutil.copyfile(best if best.exists() else folder / "last" / "model.safetensors", temporary)
    log.say(f"done: {log.pace(progress.images)}; the model is {final}")
    log.close()
    return True


def _players(config: Config, generator: torch.nn.Module, device: torch.device) -> Networks:
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


def _load_weights(generator: torch.nn.Module, weights: Path) -> None:
    from ..zoo.checkpoint import load_model

    source = load_model(weights)
    try:
        generator.load_state_dict(source.state_dict())
    except RuntimeError as error:
        raise UserError(
            f"--init {weights}: a network of another shape than model.options describes"
        ) from error


def _remaining_phases(phases: list[Phase], images: int) -> Iterator[tuple[int, Phase, int]]:
    first = 0
    for index, phase in enumerate(phases):
        if images < first + phase.images:
            yield index, phase, first
            # A phase ends on a whole batch and may pass its mark; the next begins where it should have.
        first += phase.images


def _crosses(before: int, after: int, interval: int) -> bool:
    return before // interval != after // interval


def _not_finite(values: dict[str, float], gradients: bool) -> str | None:
    """The first term that is not finite. Under fp16 gradients overflow by design: its scaler skips them."""
    for name, value in values.items():
        if not math.isfinite(value) and (gradients or not name.endswith("_gradient")):
            return name
    return None


def _recover(state: RunState, log: RunLog, term: str, position: int) -> None:
    """A non-finite term: name it, go back to the last good state, go on more slowly, or give up."""
    progress = state.progress
    progress.failures, progress.good_batches = progress.failures + 1, 0
    progress.rate *= 0.5
    progress.sums = {}
    state.roll_back()
    message = f"{term} is not finite in the batch that begins at image {position:,}"
    log.record(images=progress.images, rolled_back=term, batch=position)
    if progress.failures > MAX_FAILURES:
        log.close()
        raise UserError(
            f"{message}, {progress.failures} times since the last good checkpoint; training stopped there. "
            "Lower optimizer.learning_rate or the term's weight and use --resume"
        )
    log.say(f"{message}; back to the last good state, learning rate now x{progress.rate:g}")


def _validate(
    config: Config,
    state: RunState,
    validator: Validator,
    precision: Precision,
    log: RunLog,
    folder: Path,
    phase: int,
) -> None:
    progress = state.progress
    metrics, pictures = validator(state.average.model, precision)
    log.record(images=progress.images, **{f"validation_{name}": value for name, value in metrics.items()})
    shown = "  ".join(f"{name} {value:.4g}" for name, value in metrics.items())
    log.say(f"{log.pace(progress.images)}  {shown}")
    validator.save_grid(pictures, folder / "samples" / f"{progress.images:09d}.jpg")
    if config.run.best_by not in metrics:
        raise UserError(f"run.best_by: {config.run.best_by} cannot be measured here; choose loss or psnr")
    score = metrics[config.run.best_by] * (-1.0 if config.run.best_by == "psnr" else 1.0)
    # Each phase has its own best: losses before and after the discriminator joins are not comparable.
    if progress.best is None or progress.best_phase != phase or score < progress.best:
        progress.best, progress.best_phase = score, phase
        _save_model(config, state, folder / "best" / "model.safetensors")


def _save(config: Config, state: RunState, log: RunLog, folder: Path) -> None:
    if state.progress.good_batches:
        state.progress.failures = 0
        state.remember()
    _save_model(config, state, folder / "last" / "model.safetensors")
    state.save(folder / "last" / "state.pt")
    draw_curves(log.read(), folder / "curves.png")


def _save_model(config: Config, state: RunState, path: Path) -> None:
    run = config.run
    save_model(
        path,
        state.average.model,
        {
            "images_seen": state.progress.images,
            "licence": run.licence,
            "training_data": run.training_data,
            "temperature": run.temperature,
            "working_size": run.working_size or config.phases[-1].crop_size * 4 // 3,
        },
    )


@contextmanager
def _stop_on_signal() -> Iterator[threading.Event]:
    """An event that SIGINT and SIGTERM set; a second SIGINT interrupts at once."""
    stop = threading.Event()

    def handle(number: int, frame: object) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    previous = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
