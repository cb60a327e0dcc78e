"""Every knob of training, its type and its default; unknown keys and wrong types are errors.

A YAML file or ``--set a.b=c`` only overrides. Schedules count images, never steps or epochs, so that a
change of batch size changes nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from .config_checks import check
from .errors import UserError
from .files import atomic_path


@dataclass
class Network:
    """A network by its registry name and the options that its own dataclass documents."""

    name: str = "unet"
    options: dict[str, Any] = field(default_factory=dict)


@dataclass
class Generator(Network):
    """pretrained_encoder: start the part that was a classifier from its ImageNet weights."""

    pretrained_encoder: bool = False


@dataclass
class Data:
    """What the networks are shown."""

    min_scale: float = 0.5  # smallest random crop, as a share of the largest square in the picture
    min_colourfulness: float = 15.0  # Hasler-Suesstrunk; greyer pictures teach grey
    grey_simulation: float = 0.5  # share of pictures whose L is that of a real black-and-white photograph
    hints: float = 0.5  # share of pictures that come with revealed points
    noise: list[float] = field(default_factory=lambda: [8.0, 50.0])  # sigma in 8-bit levels (task denoise)
    statistics: float = 0.25  # share of pictures that come with their histogram; likewise saturation
    palettes: float = 0.5  # share of pictures that come with their palette; above half: validation's as well
    validation_images: int = 64  # held out, or at most as many of the validation folder, evenly spread
    validation_size: int = 128
    workers: int = -1  # processes that prepare batches; -1: the cores beyond the first two, at most 8
    cache_gigabytes: float = 4.0  # decoded pixels kept on disk when they fit; 0 turns it off
    shard_cache_gigabytes: float = 20.0  # of shards that are fetched: those kept on this machine's disk
    shard_lanes: int = 8  # rows of such shards that pictures are drawn from in turn; a multiple of processes


@dataclass
class Target:
    """Soft encoding and class rebalancing (Zhang et al. 2016, sections 2.1 and 2.2)."""

    neighbours: int = 5
    sigma: float = 5.0
    uniform_share: float = 0.5  # lambda of the paper; 1: every colour weighs the same
    prior_sigma: float = 5.0


@dataclass
class Loss:
    """Weights of the generator's terms; a term of weight 0 is not computed."""

    classification: float = 1.0
    adversarial: float = 0.1
    adversarial_kind: str = "hinge"  # hinge, least_squares, non_saturating
    r1: float = 0.0
    feature_matching: float = 0.0  # distance in the discriminator's own features, beside the adversarial term
    l1: float = 0.0
    smooth_l1: float = 0.0
    smooth_l1_delta: float = 1.0  # error, as a share of 110, up to which smooth_l1 is quadratic
    mse: float = 0.0
    mse_blurs: list[int] = field(default_factory=list)  # widths in pixels of blurs under which mse also looks
    lpips: float = 0.0
    kl: float = 0.0  # of the states that palettes are drawn from; this and the next: task palette
    energy: float = 0.0  # score of several palettes for one text, per 100 of Lab
    temperature: float = 0.38  # of the annealed mean that the ab terms and the discriminator see


@dataclass
class Optimizer:
    """AdamW for both networks; learning rates are per phase times these."""

    learning_rate: float = 5e-4
    encoder_rate: float = 1.0  # factor for the encoder, below 1 when it is pretrained
    discriminator_rate: float = 2e-4
    betas: list[float] = field(default_factory=lambda: [0.9, 0.99])
    discriminator_betas: list[float] = field(default_factory=lambda: [0.0, 0.99])
    weight_decay: float = 1e-2
    warmup_images: int = 10_000
    clip_gradient: float = 1.0
    micro_batch: int = 0  # images a process takes at once, gradients added up; 0: its whole part of a batch
    ema_images: int = 10_000  # half-life of the generator's average


@dataclass
class Phase:
    """One stretch of training; phases follow each other."""

    train: str = "generator"  # generator, discriminator, both
    images: int = 300_000
    crop_size: int = 96
    batch_size: int = 32
    learning_rate: float = 1.0  # factor on the optimizer's rates when the phase begins
    final_rate: float = 0.02  # and when it ends; a cosine between
    loss: dict[str, Any] = field(default_factory=dict)  # keys of the run's loss that differ in this phase


@dataclass
class Run:
    """Bookkeeping. All intervals in images."""

    seed: int = 0
    precision: str = "auto"  # auto, fp32, bf16, fp16
    compile: bool = False  # let torch.compile make code of the networks: minutes before the first step
    log_every: int = 1_000
    validate_every: int = 10_000
    checkpoint_every: int = 10_000
    best_by: str = "loss"  # loss, psnr, lpips
    working_size: int = 0  # short side in pixels that the finished model works at; 0: 4/3 of the last crop
    temperature: float = 0.0  # of the finished model's decoding; 0: measured on the held-out pictures
    licence: str = "not stated"
    training_data: str = "not stated"


@dataclass
class Config:
    """Everything that shapes a run."""

    task: str = "colorize"
    model: Generator = field(default_factory=Generator)
    discriminator: Network = field(default_factory=lambda: Network(name="patchgan"))
    data: Data = field(default_factory=Data)
    target: Target = field(default_factory=Target)
    loss: Loss = field(default_factory=Loss)
    optimizer: Optimizer = field(default_factory=Optimizer)
    phases: list[Phase] = field(
        default_factory=lambda: [
            Phase("generator", 300_000),
            Phase("discriminator", 10_000, final_rate=1.0),
            Phase("both", 10_000, learning_rate=0.2, final_rate=0.2),
        ]
    )
    run: Run = field(default_factory=Run)


def load_config(paths: str | Path | Iterable[str | Path] = (), overrides: Iterable[str] = ()) -> Config:
    """The defaults, then the YAML file or files in their order, then ``a.b=c`` overrides, as a typed Config.

    Raises:
        UserError: missing file, broken YAML, unknown key, wrong type, impossible value.
    """
    merged = OmegaConf.structured(Config)
    paths = [paths] if isinstance(paths, str | Path) else list(paths)
    for path in paths:
        merged = _merge(merged, _read(Path(path)), str(path))
    for override in overrides:
        merged = _override(merged, override)
    try:
        config: Config = OmegaConf.to_object(merged)
    except OmegaConfBaseException as error:
        source = ", ".join(map(str, paths)) or "--set"
        raise UserError(f"{source}: {_one_line(error)}") from error
    check(config)
    return config


def save_config(config: Config, path: str | Path) -> None:
    """Write every knob with its resolved value."""
    with atomic_path(path) as temporary:
        temporary.write_text(config_yaml(config), encoding="utf-8")


def config_yaml(config: Config) -> str:
    """The resolved config as YAML, which :func:`load_config` reads back."""
    return OmegaConf.to_yaml(OmegaConf.structured(config))


def _read(path: Path) -> DictConfig:
    import yaml

    if not path.is_file():
        raise UserError(f"--config {path}: no such file")
    try:
        loaded = OmegaConf.load(path)
    except (OSError, yaml.YAMLError, UnicodeDecodeError, OmegaConfBaseException) as error:
        raise UserError(f"--config {path}: not a YAML file ({_one_line(error)})") from error
    if not isinstance(loaded, DictConfig):
        raise UserError(f"--config {path}: expected keys such as 'data:' at the top, found something else")
    return loaded


def _merge(base: DictConfig, other: DictConfig, source: str) -> DictConfig:
    try:
        return OmegaConf.merge(base, other)
    except (OmegaConfBaseException, TypeError) as error:  # TypeError: a mapping where a list belongs
        raise UserError(f"{source}: {_one_line(error)}") from error


def _override(config: DictConfig, text: str) -> DictConfig:
    import yaml

    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise UserError(f"--set {text}: expected key=value, such as data.min_scale=0.6")
    key = key.strip()
    try:
        current = OmegaConf.select(config, key)
    except OmegaConfBaseException as error:
        raise UserError(f"--set {text}: {_one_line(error)}") from error
    free = key.startswith(("model.options.", "discriminator.options."))  # checked by the network itself
    if current is None and not free:
        raise UserError(f"--set {text}: there is no {key}; see --dry-run for every key")
    try:
        # OmegaConf's own reader knows that 1e-4 is a number; text stays text, even "no".
        parsed = OmegaConf.select(OmegaConf.from_dotlist([f"value={value}"]), "value")
        wanted = value if isinstance(current, str) else parsed
        OmegaConf.update(config, key, wanted, force_add=free)
    except (OmegaConfBaseException, yaml.YAMLError, ValueError) as error:
        raise UserError(f"--set {text}: {_one_line(error)}") from error
    return config


def _one_line(error: Exception) -> str:
    """OmegaConf's messages span lines; the first two say what and where."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return "; ".join(lines[:2])
