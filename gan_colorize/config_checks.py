"""Values that have the right type and still make no sense, told before anything runs."""

from __future__ import annotations

import math
from dataclasses import fields, replace
from typing import TYPE_CHECKING

from .devices import PRECISIONS
from .errors import UserError

if TYPE_CHECKING:
    from .config import Config, Loss, Phase

TASKS = ("colorize", "denoise", "palette")
PHASES = ("generator", "discriminator", "both")
ADVERSARIAL = ("hinge", "least_squares", "non_saturating")
BEST_BY = ("loss", "psnr", "lpips")


def check(config: Config) -> None:
    """Raise a UserError that names the first key whose value cannot work, the value, and what could."""
    _need(config.task in TASKS, "task", config.task, f"one of {', '.join(TASKS)}")
    _check_data(config)
    _check_target_and_loss(config)
    _check_optimizer(config)
    _check_run(config)
    _need(len(config.phases) > 0, "phases", "[]", "a list with at least one phase")
    for index, phase in enumerate(config.phases):
        _check_phase(config, phase, f"phases[{index}]")


def check_processes(config: Config, processes: int) -> None:
    """Raise a UserError when so many processes cannot share the work of a config."""
    if processes == 1:
        return
    if config.task == "palette":
        raise UserError("task palette: trains in one process; its networks are too small to share the work")
    micro = config.optimizer.micro_batch
    each = f" times optimizer.micro_batch {micro}" if micro else ""
    share = processes * max(1, micro)
    for index, phase in enumerate(config.phases):
        good = phase.batch_size % share == 0
        wanted = f"a multiple of {share}: {processes} processes{each}"
        _need(good, f"phases[{index}].batch_size", phase.batch_size, wanted)


def _need(good: bool, key: str, value: object, wanted: str) -> None:
    if not good:
        raise UserError(f"{key}: {value} must be {wanted}")


def _at_least(section: object, prefix: str, keys: tuple[str, ...], low: float, strict: bool = False) -> None:
    for key in keys:
        value = getattr(section, key)
        good = math.isfinite(value) and (value > low if strict else value >= low)
        _need(good, f"{prefix}.{key}", value, f"{'above' if strict else 'at least'} {low:g}")


def _check_phase(config: Config, phase: Phase, name: str) -> None:
    _need(phase.train in PHASES, f"{name}.train", phase.train, f"one of {', '.join(PHASES)}")
    _at_least(phase, name, ("images", "batch_size"), 1)
    _at_least(phase, name, ("learning_rate", "final_rate"), 0)
    size = phase.crop_size
    _need(size >= 32 and size % 32 == 0, f"{name}.crop_size", size, "a multiple of 32")
    smallest = phase.batch_size * (size // 32) ** 2
    _need(
        smallest > 1,
        f"{name}.batch_size",
        phase.batch_size,
        "at least 2 at crops of 32 px: norms over a batch need more than one value",
    )
    micro = config.optimizer.micro_batch
    whole = micro == 0 or phase.batch_size % micro == 0
    _need(whole, f"{name}.batch_size", phase.batch_size, f"a multiple of optimizer.micro_batch, {micro}")
    loss = _phase_loss(config, phase, name)
    terms = loss.classification + loss.l1 + loss.smooth_l1 + loss.mse + loss.lpips + loss.energy
    terms += loss.adversarial if phase.train == "both" else 0.0
    needless = phase.train == "discriminator"
    _need(terms > 0 or needless, "loss", f"no term above 0 for {name}", "given a weight")
    if config.task == "denoise":
        _need(phase.train == "generator", f"{name}.train", phase.train, "generator for task denoise")
        _need(loss.l1 + loss.smooth_l1 + loss.mse > 0, "loss.mse", loss.mse, "above 0 for task denoise")
        _need(loss.lpips == 0, "loss.lpips", loss.lpips, "0 for task denoise, which has no colours")


def _phase_loss(config: Config, phase: Phase, name: str) -> Loss:
    """The run's loss with the phase's changes, each of which must be a key of it and of its type."""
    known = {f.name: f.type for f in fields(config.loss)}
    for key, value in phase.loss.items():
        _need(key in known, f"{name}.loss.{key}", "this key", f"one of {', '.join(known)}")
        default = getattr(config.loss, key)
        number = isinstance(default, float) and isinstance(value, int | float) and not isinstance(value, bool)
        _need(
            number or type(value) is type(default),
            f"{name}.loss.{key}",
            value,
            f"of the type of {default!r}",
        )
    loss = replace(config.loss, **phase.loss)
    _check_loss(loss, f"{name}.loss")
    return loss


def _check_data(config: Config) -> None:
    data = config.data
    for key in ("grey_simulation", "hints", "statistics", "palettes"):
        value = getattr(data, key)
        _need(0.0 <= value <= 1.0, f"data.{key}", value, "within 0..1")
    _need(0.0 < data.min_scale <= 1.0, "data.min_scale", data.min_scale, "above 0 and at most 1")
    noise = data.noise
    good = len(noise) == 2 and 0.0 <= noise[0] <= noise[1] <= 255.0
    _need(good, "data.noise", noise, "two numbers in 0..255, the lower one first, such as [8, 50]")
    size = data.validation_size
    _need(size >= 32 and size % 32 == 0, "data.validation_size", size, "a multiple of 32")
    _at_least(data, "data", ("validation_images",), 1)
    _at_least(data, "data", ("cache_gigabytes", "min_colourfulness"), 0)
    _at_least(data, "data", ("shard_cache_gigabytes",), 0, strict=True)
    _at_least(data, "data", ("shard_lanes",), 1)
    _at_least(data, "data", ("workers",), -1)


def _check_target_and_loss(config: Config) -> None:
    target = config.target
    _need(1 <= target.neighbours <= 32, "target.neighbours", target.neighbours, "within 1..32")
    _at_least(target, "target", ("sigma", "prior_sigma"), 0, strict=True)
    share = target.uniform_share
    _need(0.0 < share <= 1.0, "target.uniform_share", share, "above 0 and at most 1")
    _check_loss(config.loss, "loss")


def _check_loss(loss: Loss, name: str) -> None:
    weights = ("classification", "adversarial", "r1", "feature_matching", "l1", "smooth_l1", "mse", "lpips")
    _at_least(loss, name, (*weights, "kl", "energy"), 0)
    _at_least(loss, name, ("temperature", "smooth_l1_delta"), 0, strict=True)
    kind, blurs = loss.adversarial_kind, loss.mse_blurs
    _need(kind in ADVERSARIAL, f"{name}.adversarial_kind", kind, f"one of {', '.join(ADVERSARIAL)}")
    odd = all(isinstance(width, int) and width % 2 == 1 and 3 <= width <= 31 for width in blurs)
    _need(odd, f"{name}.mse_blurs", blurs, "odd numbers of pixels from 3 to 31, such as [3, 5]")


def _check_optimizer(config: Config) -> None:
    optimizer = config.optimizer
    rates = ("learning_rate", "encoder_rate", "discriminator_rate", "weight_decay", "warmup_images")
    _at_least(optimizer, "optimizer", ("micro_batch",), 0)
    _at_least(optimizer, "optimizer", rates, 0)
    _at_least(optimizer, "optimizer", ("clip_gradient", "ema_images"), 0, strict=True)
    for key in ("betas", "discriminator_betas"):
        betas = getattr(optimizer, key)
        good = len(betas) == 2 and all(0.0 <= beta < 1.0 for beta in betas)
        _need(good, f"optimizer.{key}", betas, "two numbers in 0..1, such as [0.9, 0.99]")


def _check_run(config: Config) -> None:
    run = config.run
    _at_least(run, "run", ("log_every", "validate_every", "checkpoint_every"), 1)
    _at_least(run, "run", ("seed", "working_size", "temperature"), 0)
    _need(run.precision in PRECISIONS, "run.precision", run.precision, f"one of {', '.join(PRECISIONS)}")
    small = run.compile and config.task == "palette"
    _need(not small, "run.compile", "true", "false for task palette: its networks are small")
    _need(run.best_by in BEST_BY, "run.best_by", run.best_by, f"one of {', '.join(BEST_BY)}")
