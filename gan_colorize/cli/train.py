"""``gan-colorize train``: options and their validation; the loop is :mod:`gan_colorize.training.loop`."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..data.urls import path_or_url
from ..distributed import gather, launched
from .main import termination_interrupts
from .output import make_output
from .processes import joined

if TYPE_CHECKING:
    from ..config import Config


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
    type=path_or_url,
    metavar="PATH|URL",
    multiple=True,
    help="Photographs: a folder, .tar shards (https://, s3://, gs:// too), or a .txt list. Repeat to join.",
)
@click.option(
    "--validation",
    "validation_paths",
    type=path_or_url,
    metavar="PATH|URL",
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
    data_paths: tuple[Path | str, ...],
    validation_paths: tuple[Path | str, ...],
    output: Path | None,
    resume: bool,
    init: Path | None,
    overrides: tuple[str, ...],
    device: str,
    dry_run: bool,
) -> None:
    """Train the adversarial colorizer on a folder of colour photographs."""
    from ..config import config_yaml
    from ..config_checks import check_processes
    from ..devices import choose_device
    from ..distributed import from_main, in_turns
    from ..training.run_folder import began_here, own_folder, sign
    from ..training.task import check_run

    if dry_run:
        config, _ = _settle(config_paths, output, resume, init, overrides)
        _warn(check_run(config, choose_device(device), init))
        click.echo(config_yaml(config), nl=False)
        return
    if not data_paths:
        raise click.UsageError("--data is missing: name a folder of colour photographs")
    if output is None:
        raise click.UsageError("--output is missing: name a folder for the run")
    with joined(device) as (group, chosen), ExitStack() as stack:
        # One process looks at the folder for all; those that torchrun starts anew go on where they were.
        # (But what another job began is not gone on with because this one was refused and started anew.)
        resume = resume or (group.restarts > 0 and from_main(lambda: began_here(output)))
        config, continuing = from_main(lambda: _settle(config_paths, output, resume, init, overrides))
        start = None if continuing else init
        warnings = in_turns(lambda first: check_run(config, chosen, start, begins=not continuing))
        check_processes(config, group.world)

        def own() -> None:
            make_output(output)
            stack.enter_context(own_folder(output))
            _check_output(output, resume, continuing)
            sign(output)
            _warn([] if continuing else warnings)

        from_main(own)

        from ..training.loop import train

        with termination_interrupts():  # the scan's processes are to end with it, and the lock on the folder
            data = in_turns(lambda first: _prepare(config, data_paths, validation_paths, output, first))
            _check_same(data.fingerprint)
            finished = train(config, data, output, chosen, continuing, start)
        if not finished and group.main:
            _say(f"resume with: {_resume_command(group.world)}")


def _settle(
    paths: tuple[Path, ...], output: Path | None, resume: bool, init: Path | None, overrides: tuple[str, ...]
) -> tuple[Config, bool]:
    """The config of the run, and whether it continues one."""
    from ..config import load_config
    from ..training.run_folder import has_state

    continuing = resume and output is not None and has_state(output)
    saved = (output / "config.yaml",) if continuing else ()
    config = load_config(paths or saved, overrides)
    if saved:
        # Schedules may change under way; the networks are what the state was saved of.
        before = load_config(saved)
        config.model, config.discriminator = before.model, before.discriminator
    elif init is not None:
        _adopt_architecture(config, init)
    return config, continuing


def _prepare(
    config: Config, data: tuple[Path, ...], validation: tuple[Path, ...], output: Path, first: bool
) -> Any:
    """The task's data. Who is not the first on a machine finds the scan on the disk and says nothing."""
    from ..training.task import task_preparation

    prepare = task_preparation(config.task)
    if first and launched().main:
        return prepare(config, list(data), list(validation), output, _say, _scan_progress)
    with tempfile.TemporaryDirectory() as scratch:  # for the lists that the main process writes
        quiet = (lambda message: None), (lambda done, total: None)
        found = prepare(config, list(data), list(validation), Path(scratch), *quiet)
    # What is skipped later is listed where the main process lists it; elsewhere there is no such folder.
    if getattr(found, "skipped", None) is None:
        return found
    return replace(found, skipped=output / found.skipped.name if output.is_dir() else None)


def _check_same(fingerprint: str) -> None:
    """Raise a UserError when the processes have found different training data."""
    from ..errors import UserError

    if len(set(gather(fingerprint))) > 1:
        raise UserError("--data: the processes see different files there; every machine needs the same ones")


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
    from ..training.run_folder import JOB, LOCK

    # A disk that was full at the first file leaves a folder without any.
    there = {path.name for path in output.iterdir() if not (path.is_dir() and not any(path.iterdir()))}
    there -= {JOB, LOCK}
    # A run that found nothing to learn from leaves only its list.
    if not resume and there - {"skipped.txt"}:
        raise UserError(f"--output {output}: not empty; add --resume to continue it or name another folder")
    if resume and not continuing and there - _BEGUN:
        raise UserError(
            f"--output {output}: holds {min(there - _BEGUN)} but no training state (last/state.pt) to go on "
            "from; name another folder, and --init for its weights"
        )


def _resume_command(processes: int) -> str:
    arguments = sys.argv[1:] if "--resume" in sys.argv else [*sys.argv[1:], "--resume"]
    if processes > 1:
        return "the same torchrun command" + ("" if "--resume" in sys.argv else " and --resume")
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
