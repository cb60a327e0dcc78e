"""``gan-colorize train``: options and their validation; the loop is :mod:`gan_colorize.training.loop`."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import click

from .main import termination_interrupts
from .output import make_output


@click.command()
@click.option(
    "--config",
    "config_paths",
    type=click.Path(path_type=Path),
    multiple=True,
    help="YAML file of overrides. Repeat to lay one over the other.",
)
@click.option(
    "--data",
    "data_paths",
    type=click.Path(path_type=Path),
    multiple=True,
    help="Photographs: a folder, .tar shards, or a .txt list. Repeat to join several.",
)
@click.option(
    "--validation",
    "validation_paths",
    type=click.Path(path_type=Path),
    multiple=True,
    help="Photographs to validate on. Without it some of --data are held out.",
)
@click.option("--output", type=click.Path(path_type=Path), help="Run folder for checkpoints, logs, samples.")
@click.option("--resume", is_flag=True, help="Continue the run in --output, or start it.")
@click.option(
    "--init", type=click.Path(path_type=Path), help="Start from these weights ('default': shipped)."
)
@click.option("--set", "overrides", multiple=True, metavar="A.B=C", help="Override one key of the config.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1, mps.")
@click.option("--dry-run", is_flag=True, help="Print the resolved config and stop.")
def command(
    config_paths: tuple[Path, ...],
    data_paths: tuple[Path, ...],
    validation_paths: tuple[Path, ...],
    output: Path | None,
    resume: bool,
    init: Path | None,
    overrides: tuple[str, ...],
    device: str,
    dry_run: bool,
) -> None:
    """Train the adversarial colorizer on a folder of colour photographs."""
    from ..config import config_yaml, load_config
    from ..devices import choose_device
    from ..training.task import check_run, task_preparation

    continuing = resume and output is not None and (output / "last" / "state.pt").is_file()
    saved = (output / "config.yaml",) if continuing else ()
    config = load_config(config_paths or saved, overrides)
    if saved:
        # Schedules may change under way; the networks are what the state was saved of.
        before = load_config(saved)
        config.model, config.discriminator = before.model, before.discriminator
    elif init is not None:
        _adopt_architecture(config, init)
    if dry_run:
        _warn(check_run(config, choose_device(device), init))
        click.echo(config_yaml(config), nl=False)
        return
    if not data_paths:
        raise click.UsageError("--data is missing: name a folder of colour photographs")
    if output is None:
        raise click.UsageError("--output is missing: name a folder for the run")
    chosen = choose_device(device)
    warnings = check_run(config, chosen, None if continuing else init, begins=not continuing)
    _check_output(output, resume, continuing)
    _warn([] if continuing else warnings)

    from ..training.loop import train

    prepare = task_preparation(config.task)
    with termination_interrupts():  # the scan's processes are to end with it
        data = prepare(config, list(data_paths), list(validation_paths), output, _say, _scan_progress)
    finished = train(config, data, output, chosen, continuing, None if continuing else init)
    if not finished:
        _say(f"resume with: {_resume_command()}")


def _adopt_architecture(config: object, init: Path) -> None:
    """``--init`` decides the network: its name and options come from the weights, but for parts that may be
    added to it since they change nothing before they have learned."""
    import json

    from ..config import Generator
    from ..errors import UserError
    from ..models import MODELS
    from ..zoo.checkpoint import model_metadata

    metadata = model_metadata(init)
    if config.model.name not in (Generator().name, metadata["model"]):
        raise UserError(f"model.name={config.model.name} contradicts --init {init}, a {metadata['model']}")
    options = json.loads(metadata["options"])
    asked = {key: value for key, value in config.model.options.items() if options.get(key) != value}
    network = MODELS.get(metadata["model"], (None,))[0]
    for part in getattr(network, "silent_at_first", ()):
        if asked.get(part):
            options[part] = asked.pop(part)
    if asked:
        key, value = next(iter(asked.items()))
        raise UserError(
            f"model.options.{key}={value} contradicts --init {init}, which has {options.get(key)}"
        )
    config.model.name, config.model.options = metadata["model"], options


# What a run that was ended before its first checkpoint leaves; nothing of it is missed when it starts over.
_BEGUN = {"skipped.txt", "config.yaml", "stats.jsonl", "train.log", "curves.png", "samples", "tensorboard"}


def _check_output(output: Path, resume: bool, continuing: bool) -> None:
    from ..errors import UserError

    there = {path.name for path in output.iterdir()} if output.is_dir() else set()
    # A run that found nothing to learn from leaves only its list.
    if not resume and there - {"skipped.txt"}:
        raise UserError(f"--output {output}: not empty; add --resume to continue it or name another folder")
    if resume and not continuing and there - _BEGUN:
        raise UserError(
            f"--output {output}: holds {min(there - _BEGUN)} but no training state (last/state.pt) to go on "
            "from; name another folder, and --init for its weights"
        )
    make_output(output)


def _resume_command() -> str:
    arguments = sys.argv[1:] if "--resume" in sys.argv else [*sys.argv[1:], "--resume"]
    # cmd.exe knows no single quotes.
    return f"gan-colorize {subprocess.list2cmdline(arguments) if os.name == 'nt' else shlex.join(arguments)}"


def _say(message: str) -> None:
    click.echo(message, err=True)


def _warn(lines: list[str]) -> None:
    for line in lines:
        _say(f"Warning: {line}")


def _scan_progress(done: int, total: int) -> None:
    if sys.stderr.isatty():
        end = "\n" if done == total else ""
        click.echo(f"\rscanning {done:,}/{total:,} pictures{end}", nl=False, err=True)
