"""``gan-colorize denoise``: restore noisy grey photographs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..signals import stop_on_signals
from .processes import joined
from .run_files import check_existing, file_options, plan_files, result_options, run_files

if TYPE_CHECKING:
    from ..inference.plan import Plan
    from ..inference.report import RunReport
    from .run_task import Task


@click.command()
@file_options
@click.option(
    "--model", required=True, help="A .safetensors file or a run folder, trained with task: denoise."
)
@result_options
def command(
    inputs: tuple[str, ...],
    files_from: str | None,
    output: Path,
    resume: bool,
    model: str,
    format_: str | None,
    quality: int,
    overwrite: bool,
    skip_existing: bool,
    device: str,
    precision: str,
) -> None:
    """Take the noise out of grey photographs, whatever its strength; before they are coloured, for instance.

    INPUT are those of colorize, and a run that was ended goes on with --resume. Results are grey, with 8
    bits. OUTPUT gets a denoise-report.json that says what became of every file.
    """
    existing = check_existing(overwrite, skip_existing, resume)
    settings = {"model": model, "device": device, "precision": precision}
    settings |= {"format": format_, "quality": quality}

    def prepare() -> tuple[Plan, RunReport]:
        return plan_files(
            inputs,
            output,
            settings,
            existing=existing,
            done="restored",
            verb="denoise",
            files_from=files_from,
        )

    with joined(device, chosen_later=True) as (_, own):
        run_files(prepare, lambda task: _restore(task, settings | {"device": own}))


def _restore(task: Task, settings: dict[str, Any]) -> None:
    from ..inference.denoiser import Denoiser, restore_files
    from ..zoo.checkpoint import file_hash, load_model, resolve_model

    path = resolve_model(settings["model"])
    model = load_model(path)
    denoiser = Denoiser(model, settings["device"], settings["precision"])
    precision = str(denoiser.dtype).removeprefix("torch.")
    task.begin(path, file_hash(path), model.metadata, device=str(denoiser.device), precision=precision)
    with stop_on_signals() as stop:
        task.do(lambda jobs, _: restore_files(denoiser, jobs, settings["quality"], stop), stop)
