"""What the commands that make pictures of pictures share: options, the plan, the report and the summary."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import UserError
from ..files import check_writable
from .main import termination_interrupts
from .progress import Progress

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..inference.batch import FileResult
    from ..inference.plan import Plan
    from ..inference.report import RunReport
    from ..signals import Stop

FORMATS = ("jpg", "png", "webp", "tiff", "avif")

_RESULT_OPTIONS = (
    click.option(
        "--format", "format_", type=click.Choice(FORMATS), help="[default: the input's own, else png]"
    ),
    click.option(
        "--quality", type=click.IntRange(1, 100), default=95, show_default=True, help="JPEG, WebP, AVIF."
    ),
    click.option("--overwrite", is_flag=True, help="Replace results that exist (never an input)."),
    click.option("--skip-existing", is_flag=True, help="Leave out inputs whose results exist."),
    click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:N, mps."),
    click.option("--precision", default="auto", show_default=True, help="auto, fp32, bf16, fp16."),
)
_FILE_OPTIONS = (
    click.argument("inputs", nargs=-1, required=True, metavar="INPUT..."),
    click.option(
        "--output",
        required=True,
        type=click.Path(path_type=Path),
        help="Folder for the results (an input folder's tree is kept), or one image file for one input.",
    ),
)


def file_options(command: Callable) -> Callable:
    """INPUT... and --output."""
    return _apply(_FILE_OPTIONS, command)


def result_options(command: Callable) -> Callable:
    """How results are written, and where the network runs."""
    return _apply(_RESULT_OPTIONS, command)


def _apply(options: tuple[Callable, ...], command: Callable) -> Callable:
    for option in reversed(options):
        command = option(command)
    return command


def check_existing(overwrite: bool, skip_existing: bool) -> str:
    """What to do about results that are there: "fail", "skip" or "overwrite"."""
    if overwrite and skip_existing:
        raise click.UsageError("--overwrite and --skip-existing exclude each other")
    return "overwrite" if overwrite else "skip" if skip_existing else "fail"


def plan_files(
    inputs: tuple[str, ...],
    output: Path,
    settings: dict[str, Any],
    *,
    existing: str,
    done: str,
    verb: str = "colorize",
    samples: int = 0,
    confidence: bool = False,
) -> tuple[Plan, RunReport]:
    """Find the inputs and give each its results' paths.

    settings: all that was asked, for the report; "format" among it. done: what a file is called that went
    well, such as "coloured". verb: the command, after which the report is called.
    """
    from ..inference import plan as planning
    from ..inference.inputs import find_inputs
    from ..inference.report import REPORT_NAMES, RunReport

    suffix = f".{settings['format']}" if settings["format"] else None
    single_file = planning.names_one_file(list(inputs), output, suffix)
    name = REPORT_NAMES[verb]
    report_path = output.with_name(f"{output.stem}.{name}") if single_file else output / name
    report = RunReport(settings, report_path, done)
    found, failures = find_inputs(list(inputs), output, say=lambda line: click.echo(line, err=True))
    plan = planning.plan(
        found,
        output,
        suffix=suffix,
        samples=samples,
        confidence=confidence,
        existing=existing,
        single_file=single_file,
        made_from=report.made_from(),
    )
    plan.failures[:0] = failures
    if plan.jobs:
        check_writable(report_path.parent)
    return plan, report


def run_files(plan: Plan, report: RunReport, work: Callable[[Progress], None]) -> None:
    """Let ``work`` do the plan's jobs, report, summarise; ends the command with 1 unless all went well."""
    with termination_interrupts():
        well = _run(plan, report, work)
    if not well:
        click.get_current_context().exit(1)


def take_results(results: Iterable[FileResult], report: RunReport, progress: Progress, stop: Stop) -> None:
    """Report files as they are finished; raises what a signal stands for once that is done."""
    for result in results:
        report.add(result)
        if result.error:
            progress.say(f"Error: {result.error}")
        progress.step()
    stop.raise_if_set()


def _run(plan: Plan, report: RunReport, work: Callable[[Progress], None]) -> bool:
    progress = Progress(len(plan.jobs))
    for source, line in plan.failures:
        report.failed(source, line)
        progress.say(f"Error: {line}")
    for source in plan.skipped:
        report.skipped(source)
    finished = written = False
    try:
        if plan.jobs:
            work(progress)
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
