"""What a run learns: its networks, its batches, one step on a batch, and how the result is measured.

The loop, the state and the files of a run know only this. A new task NAME is a file NAME_task.py with a class
TASK, and an entry in config_checks.TASKS.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor, nn

from ..devices import choose_dtype
from ..distributed import current
from ..errors import UserError
from ..models import create_discriminator, create_model
from .optim import Precision, adamw
from .parallel import equalise
from .sync_norm import synchronise_norms

if TYPE_CHECKING:
    from ..config import Config, Phase
    from .gan_step import Networks


class Batch(Protocol):
    """position: items drawn since training began, this batch included."""

    position: int


class Step(Protocol):
    """One optimizer step on what ``train`` names (generator, discriminator, both) -> terms, scalars."""

    scaler: torch.amp.GradScaler

    def __call__(self, batch: Any, train: str) -> dict[str, Tensor]: ...


class Validator(Protocol):
    """Measures a generator on held-out data.

    temperature: of the decoding, where the generator returns a distribution over colours.
    """

    temperature: float

    def __call__(self, model: nn.Module, precision: Precision) -> tuple[dict[str, float], Any]:
        """Metrics by name, "loss" among them, and what :meth:`save_grid` draws."""

    def save_grid(self, pictures: Any, path: Path) -> None: ...


class Task(Protocol):
    """learns: what its generators return (``Contract.returns``), an attribute of the class.
    fingerprint: of the data, to notice that a resumed run was started on other data.

    A task may also have ``begin_phase(index, position) -> bool``; see :func:`begin_phase`.
    """

    learns: frozenset[str]
    networks: Networks
    step: Step
    validator: Validator
    fingerprint: str

    def batches(self, phase: Phase, position: int) -> Iterable[Batch]:
        """Endless batches of a phase, a pure function of the seed and the position they start at."""


def create_task(
    config: Config, data: Any, device: torch.device, precision: Precision, resume: bool, init: Path | None
) -> Task:
    """The task that ``config.task`` names, on the data that its ``prepare`` made."""
    return _find(config.task)(config, data, device, precision, resume, init)


def begin_phase(task: Task, index: int, position: int) -> bool:
    """What a task does once in a run when a phase begins, if it does anything -> whether that changed the
    generator. It must follow from the seed, the weights and the position."""
    begin = getattr(task, "begin_phase", None)
    if begin is None or not begin(index, position):
        return False
    equalise(
        task.networks.generator
    )  # processors of different kinds may have found slightly different things
    return True


def task_preparation(name: str) -> Callable[..., Any]:
    """``prepare(config, paths, validation, folder, say, progress)`` of a task: opens and checks the data."""
    return _find(name).prepare


def _find(name: str) -> Any:
    # Imported when asked for: each task brings packages that the others do not need.
    return import_module(f".{name}_task", __package__).TASK


def check_run(config: Config, device: str, init: Path | None, begins: bool = False) -> list[str]:
    """Whatever of a config can be wrong without looking at the data, told before hours of scanning begin.

    Args:
        begins: a run begins now; then the pretrained weights that it starts from are fetched as well.

    Returns:
        What may be so and is hardly meant, a line each.

    Raises:
        UserError: unknown networks or options, weights that do not fit or are not to be had, a precision or
            a measure that this machine lacks.
    """
    from .checkpoints import check_best_by

    choose_dtype(config.run.precision, torch.device(device))
    generator = create_model(config.model.name, config.model.options)
    _check_generator(config, generator)
    discriminator = create_discriminator(config.discriminator.name, config.discriminator.options)
    smallest = getattr(discriminator, "smallest_side", 1)
    for index, phase in enumerate(config.phases):
        if phase.train != "generator" and phase.crop_size < smallest:
            raise UserError(
                f"phases[{index}].crop_size: {phase.crop_size} is too small for discriminator "
                f"{discriminator.name} with its options, which needs {smallest}"
            )
    check_best_by(config)
    if init is not None:
        _load_weights(generator, init)
    elif config.model.pretrained_encoder and begins:
        _load_pretrained(generator)
    never_learn = {name for name, part in generator.named_modules() if getattr(part, "never_learns", False)}
    if never_learn and init is None and not config.model.pretrained_encoder:
        return [
            f"model.pretrained_encoder: false leaves {min(never_learn)} of {generator.name} at random "
            "numbers for good, for it is never trained; set it to true"
        ]
    return []


def create_networks(config: Config, device: torch.device, resume: bool, init: Path | None) -> Networks:
    """Generator and, where a phase trains it, discriminator of a config with their optimizers; weights from
    ``init`` if given."""
    from .gan_step import Networks

    generator = create_model(config.model.name, config.model.options)
    _check_generator(config, generator)
    if init is not None:
        _load_weights(generator, init)
    elif config.model.pretrained_encoder and not resume:
        _load_pretrained(generator)
    if current().world > 1:
        synchronise_norms(generator, device)
    generator.to(device=device, memory_format=torch.channels_last)
    settings = config.optimizer
    optimizer = adamw(
        generator, settings.learning_rate, settings.betas, settings.weight_decay, settings.encoder_rate
    )
    if all(phase.train == "generator" for phase in config.phases):
        return Networks(generator, None, optimizer, None)
    discriminator = create_discriminator(config.discriminator.name, config.discriminator.options)
    if current().world > 1:
        synchronise_norms(discriminator, device)
    discriminator.to(device=device, memory_format=torch.channels_last)
    betas = settings.discriminator_betas
    return Networks(
        generator, discriminator, optimizer, adamw(discriminator, settings.discriminator_rate, betas, 0.0)
    )


def _check_generator(config: Config, generator: nn.Module) -> None:
    """Raise a UserError when this network's answers are not what the task teaches."""
    wanted, returns = _find(config.task).learns, generator.contract.returns
    if returns not in wanted:
        raise UserError(
            f"model.name: {generator.name} with its options returns {returns}; task {config.task} teaches "
            f"networks that return {' or '.join(sorted(wanted))}"
        )


def _load_pretrained(generator: nn.Module) -> None:
    """Let the network itself, or else its encoder, fetch what was learned elsewhere."""
    for part in (generator, getattr(generator, "encoder", None)):
        if hasattr(part, "load_pretrained"):
            part.load_pretrained()
            return
    raise UserError("model.pretrained_encoder: this network has no encoder with pretrained weights")


def _load_weights(generator: nn.Module, weights: Path) -> None:
    from ..zoo.checkpoint import load_model

    source = load_model(weights)
    try:
        missing, surplus = generator.load_state_dict(source.state_dict(), strict=False)
    except RuntimeError as error:  # a tensor of another shape
        raise UserError(f"--init {weights}: does not fit the network in model.options") from error
    silent = tuple(f"{part}." for part in getattr(generator, "silent_at_first", ()))
    missing = [name for name in missing if not name.startswith(silent)]
    if source.name != generator.name or missing or surplus:
        raise UserError(f"--init {weights}: does not fit the network in model.options")
