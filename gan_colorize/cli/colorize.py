"""``gan-colorize colorize``: options, their validation and the summary of a run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from ..errors import UserError
from ..files import check_writable
from ..signals import stop_on_signals
from .main import termination_interrupts
from .progress import Progress

if TYPE_CHECKING:
    from ..inference.plan import Job, Plan
    from ..inference.report import RunReport

FORMATS = ("jpg", "png", "webp", "tiff", "avif")


@click.command()
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@click.option(
    "--output",
    required=True,
    type=click.Path(path_type=Path),
    help="Folder for the results (an input folder's tree is kept), or one image file for one input.",
)
@click.option("--model", default="default", show_default=True, help="A .safetensors file or a run folder.")
@click.option("--temperature", type=float, help="Below 1 vivid, above pale. [default: the model's own]")
@click.option(
    "--saturation",
    type=float,
    help="Factor on the colours; 0 is grey. [default: the model's own; 1 for samples]",
)
@click.option("--samples", type=click.IntRange(1, 100), help="Write N different colourings.")
@click.option(
    "--seed",
    type=click.IntRange(0, 2**63 - 1),  # as Predictor.check, which cannot be asked before torch is imported
    default=0,
    help="Of the first sample; the others count up.",
)
@click.option("--confidence", is_flag=True, help="Also write how sure the model is, as a grey PNG.")
@click.option("--format", "format_", type=click.Choice(FORMATS), help="[default: the input's own, else png]")
@click.option(
    "--quality", type=click.IntRange(1, 100), default=95, show_default=True, help="JPEG, WebP, AVIF."
)
@click.option("--overwrite", is_flag=True, help="Replace results that exist (never an input).")
@click.option("--skip-existing", is_flag=True, help="Leave out inputs whose results exist.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:N, mps.")
@click.option("--precision", default="auto", show_default=True, help="auto, fp32, bf16, fp16.")
@click.option("--batch-size", type=click.IntRange(1), help="Photographs at once. [default: by device]")
@click.option(
    "--views",
    type=click.Choice(["1", "2", "4", "6"]),
    default="1",
    show_default=True,
    help="Look N times, mirrored (2) and at other sizes (4, 6), and average: about 2, 6, 9 times the work.",
)
def command(
    inputs: tuple[str, ...],
    output: Path,
    model: str,
    temperature: float | None,
    saturation: float | None,
    samples: int | None,
    seed: int,
    confidence: bool,
    format_: str | None,
    quality: int,
    overwrite: bool,
    skip_existing: bool,
    device: str,
    precision: str,
    batch_size: int | None,
    views: str,
) -> None:
    """Colour black-and-white photographs at their own size.

    INPUT are image files, folders (taken with all their subfolders) and globs. Originals are never
    changed. A file that fails costs one line; the others go on, and the exit code is 1. OUTPUT gets a
    colorize-report.json that says what became of every file.
    """
    if overwrite and skip_existing:
        raise click.UsageError("--overwrite and --skip-existing exclude each other")
    given = click.get_current_context().get_parameter_source("seed")
    if given is ParameterSource.COMMANDLINE and not samples:
        raise click.UsageError("--seed is of random colourings: say with --samples how many")

    from ..inference import plan as planning
    from ..inference.inputs import find_inputs
    from ..inference.report import REPORT_NAME, RunReport

    settings = {"temperature": temperature, "saturation": saturation}
    settings |= {"samples": samples or 0, "seed": seed, "confidence": confidence}
    network = {"model": model, "device": device, "precision": precision, "batch_size": batch_size}
    network["views"] = int(views)
    writing = {"format": format_, "quality": quality}
    suffix = f".{format_}" if format_ else None
    single_file = planning.names_one_file(list(inputs), output, suffix)
    report_path = output.with_name(f"{output.stem}.{REPORT_NAME}") if single_file else output / REPORT_NAME
    report = RunReport({**settings, **network, **writing}, report_path)
    found, failures = find_inputs(list(inputs), output, say=lambda line: click.echo(line, err=True))
    plan = planning.plan(
        found,
        output,
        suffix=suffix,
        samples=settings["samples"],
        confidence=confidence,
        existing="overwrite" if overwrite else "skip" if skip_existing else "fail",
        single_file=single_file,
        made_from=report.made_from(),
    )
    plan.failures[:0] = failures

    if plan.jobs:
        check_writable(report_path.parent)
    with termination_interrupts():
        well = _run(plan, report, settings, network, quality)
    if not well:
        click.get_current_context().exit(1)


def _run(
    plan: Plan, report: RunReport, settings: dict[str, Any], network: dict[str, Any], quality: int
) -> bool:
    """Colour the plan's files, report, summarise; whether all went well."""
    progress = Progress(len(plan.jobs))
    for source, line in plan.failures:
        report.failed(source, line)
        progress.say(f"Error: {line}")
    for source in plan.skipped:
        report.skipped(source)
    finished = written = False
    try:
        if plan.jobs:
            _colour(plan.jobs, report, progress, settings, network, quality)
        finished = True
    finally:
        progress.clear()
        # a run that was refused, by its inputs or its model, leaves no trace
        if report.model or (finished and plan.skipped):
            written = _write(report, interrupted=not finished)
    for text, sources in report.warnings().items():
        others = f" and {len(sources) - 1} more" if len(sources) > 1 else ""
        click.echo(f"Warning: {sources[0]}{others}: {text}", err=True)
    counts = report.counts()
    if not counts["not tried"]:
        del counts["not tried"]
    told = ", ".join(f"{count} {status}" for status, count in counts.items())
    click.echo(f"{told} in {report.seconds():.1f} s" + (f"; report: {report.path}" if written else ""))
    return written and counts["failed"] == 0


def _write(report: RunReport, interrupted: bool) -> bool:
    """Write the report; where that fails it is one more line, for the summary is still to come."""
    try:
        report.write(interrupted)
    except UserError as error:
        click.echo(f"Error: {error}", err=True)
        return False
    return True


def _colour(
    jobs: list[Job],
    report: RunReport,
    progress: Progress,
    settings: dict[str, Any],
    network: dict[str, Any],
    quality: int,
) -> None:
    from ..devices import choose_device
    from ..inference.batch import colour_files
    from ..inference.predictor import Predictor, Settings
    from ..zoo.checkpoint import file_hash, load_model, resolve_model

    path = resolve_model(network["model"])
    model = load_model(path)
    device = choose_device(network["device"])
    predictor = Predictor(model, device, network["precision"], network["views"])
    wishes = Settings(**settings)
    predictor.check(wishes)
    report.about_model(
        path,
        file_hash(path),
        model.metadata,
        device=str(predictor.device),
        precision=str(predictor.dtype).removeprefix("torch."),
        temperature=predictor.temperature_of(wishes),
        saturation=predictor.saturation_of(wishes),
        working_size=predictor.size,
    )
    progress.start()
    with stop_on_signals() as stop:
        results = colour_files(
            predictor,
            jobs,
            wishes,
            batch_size=network["batch_size"],
            quality=quality,
            say=progress.say,
            stop=stop,
        )
        for result in results:
            report.add(result)
            if result.error:
                progress.say(f"Error: {result.error}")
            progress.step()
    stop.raise_if_set()
