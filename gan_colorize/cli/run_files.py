"""What the commands that make pictures of pictures share: options, the plan, the report and the summary."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..distributed import PeerLost, current, from_main, launched
from ..errors import UserError
from ..files import check_writable, file_hash
from .lines import tell
from .main import ARGUMENTS, termination_interrupts
from .progress import Progress
from .quiet import libraries_kept_quiet
from .run_task import Task

if TYPE_CHECKING:
    from ..inference.plan import Plan
    from ..inference.report import RunReport

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


def _some_input(ctx: click.Context, parameter: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    if not value and ctx.params.get("files_from") is None and not ctx.resilient_parsing:
        raise click.MissingParameter("(or --files-from)", ctx, parameter)
    return value


_FILE_OPTIONS = (
    # eager: INPUT... asks whether it was given
    click.option(
        "--files-from",
        metavar="FILE",
        is_eager=True,
        help="A list of inputs, one a line or as of find -print0; - is standard input.",
    ),
    click.argument("inputs", nargs=-1, metavar="INPUT...", callback=_some_input),
    click.option(
        "--output",
        required=True,
        type=click.Path(path_type=Path),
        help="Folder for the results (an input folder's tree is kept), or one image file for one input.",
    ),
    click.option(
        "--resume",
        is_flag=True,
        help="Go on with a run that was ended or killed: do what is not done, once.",
    ),
)


def file_options(command: Callable) -> Callable:
    """INPUT..., --files-from, --output and --resume."""
    return _apply(_FILE_OPTIONS, command)


def result_options(command: Callable) -> Callable:
    """How results are written, and where the network runs."""
    return _apply(_RESULT_OPTIONS, command)


def _apply(options: tuple[Callable, ...], command: Callable) -> Callable:
    for option in reversed(options):
        command = option(command)
    return command


def check_existing(overwrite: bool, skip_existing: bool, resume: bool = False) -> str:
    """What to do about results that are there: "fail", "skip", "overwrite", "resume", or, with what has
    changed since made again, "resume overwrite". A job that torchrun started anew goes on."""
    if overwrite and skip_existing:
        raise click.UsageError("--overwrite and --skip-existing exclude each other")
    if resume and skip_existing:
        raise click.UsageError("--resume and --skip-existing exclude each other: --resume skips what is done")
    if resume or (launched().restarts and not skip_existing):
        return "resume overwrite" if overwrite else "resume"
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
    files_from: str | None = None,
) -> tuple[Plan, RunReport]:
    """Find the inputs and give each its results' paths.

    settings: all that was asked, for the report; "format" among it. existing: of :func:`check_existing`.
    done: what a file is called that went well, such as "coloured". verb: the command, after which report and
    manifest are called. files_from: a list of more inputs, as "-" among the inputs is.
    """
    from ..inference import plan as planning
    from ..inference.inputs import STDIN, find_inputs, read_list
    from ..inference.manifest import MANIFEST_NAMES, Manifest
    from ..inference.report import REPORT_NAMES, RunReport

    def say(line: str) -> None:
        tell(line, err=True)

    lists = dict.fromkeys([*([STDIN] if STDIN in inputs else []), *([files_from] if files_from else [])])
    listed = [name for source in lists for name in read_list(source)]
    named = [name for name in inputs if name != STDIN]
    suffix = f".{settings['format']}" if settings["format"] else None
    single_file = planning.names_one_file([*named, *listed], output, suffix)
    if single_file and existing.startswith("resume"):
        raise click.UsageError("--resume is for a folder of results, and --output names one image")
    if settings.get("reference"):
        settings = settings | {"reference_sha256": file_hash(settings["reference"])}
    name = REPORT_NAMES[verb]
    report_path = output.with_name(f"{output.stem}.{name}") if single_file else output / name
    manifest = None if single_file else Manifest(output / MANIFEST_NAMES[verb], say)
    if manifest is not None:
        click.get_current_context().call_on_close(manifest.close)
    report = RunReport(settings, report_path, done, manifest)
    found, failures = find_inputs(named, output, say, listed)
    plan = planning.plan(
        found,
        output,
        suffix=suffix,
        samples=samples,
        confidence=confidence,
        existing="resume" if existing.startswith("resume") else existing,
        single_file=single_file,
        made_from=report.made_from(),
    )
    plan.failures[:0] = failures
    if existing.startswith("resume"):
        plan.resume = "overwrite" if existing.endswith("overwrite") else "keep"
    if plan.jobs:
        check_writable(report_path.parent)
    return plan, report


def run_files(prepare: Callable[[], tuple[Plan, RunReport]], work: Callable[[Task], None]) -> None:
    """Plan, let ``work`` do it, report, summarise; ends the command with 1 unless all went well.

    Of a job of several processes the main one plans and reports, and all of them work.
    """
    planned: list[tuple[Plan, RunReport]] = []

    def begin() -> Task:
        plan, report = prepare()
        planned.append((plan, report))
        _resume(plan, report)
        return Task(plan.jobs, report.run_id)

    task = from_main(begin)
    with termination_interrupts():
        if not planned:
            if task.jobs:
                with libraries_kept_quiet():
                    work(task)
            return
        well = _run(*planned[0], work)
    if not well:
        click.get_current_context().exit(1)


def _resume(plan: Plan, report: RunReport) -> None:
    """With --resume, leave out what is done; says what has changed since."""
    if plan.resume is None or report.manifest is None or not plan.jobs:
        return
    from ..inference.resume import Now, sort_out
    from ..zoo.checkpoint import resolve_model

    now = Now(report.settings, file_hash(resolve_model(report.settings["model"])))
    folder, overwrite = report.manifest.path.parent, plan.resume == "overwrite"
    sort_out(
        plan,
        report.manifest.history,
        folder,
        now,
        overwrite=overwrite,
        say=lambda line: tell(f"Warning: {line}", err=True),
    )


def _run(plan: Plan, report: RunReport, work: Callable[[Task], None]) -> bool:
    # a file's size stands for its megapixels, which are not known before it is opened
    progress = Progress(len(plan.jobs), work=report.expect(plan.jobs))
    for source, line in plan.failures:
        report.failed(source, line)
        progress.say(f"Error: {line}")
    for source in plan.skipped:
        report.skipped(source)
    finished = written = interrupted = lost = False
    try:
        if plan.jobs:
            with libraries_kept_quiet():
                work(Task(plan.jobs, report.run_id, report, progress))
        finished = True
    except (KeyboardInterrupt, PeerLost) as error:
        interrupted, lost = report.manifest is not None, isinstance(error, PeerLost)
        raise
    finally:
        progress.clear()
        # a run that was refused, by its inputs or its model, leaves no trace
        if report.model or (finished and plan.skipped):
            written = _write(report, interrupted=not finished, lost=lost)
        report.close()
        if interrupted:
            tell(f"to go on: {_command_to_resume()}")
    for text, sources in report.warnings().items():
        others = f" and {len(sources) - 1} more" if len(sources) > 1 else ""
        tell(f"Warning: {sources[0]}{others}: {text}", err=True)
    counts = report.counts()
    if not counts["not tried"]:
        del counts["not tried"]
    told = ", ".join(f"{count} {status}" for status, count in counts.items())
    tell(f"{told} in {report.seconds():.1f} s" + (f"; report: {report.path}" if written else ""))
    return written and counts["failed"] == 0 and not report.failed_to_write


def _command_to_resume() -> str:
    verb, *arguments = click.get_current_context().meta[ARGUMENTS]
    kept = [one for one in arguments if one not in ("--resume", "--skip-existing")]
    alone = current().world == 1
    program = ["gan-colorize"] if alone else ["torchrun", "...", "-m", "gan_colorize"]
    words = [*program, verb, "--resume", *kept]  # before a "--" that may be among them
    return subprocess.list2cmdline(words) if sys.platform == "win32" else shlex.join(words)


def _write(report: RunReport, interrupted: bool, lost: bool) -> bool:
    """Write the report; where that fails it is one more line, for the summary is still to come."""
    try:
        report.write(interrupted, lost)
    except UserError as error:
        tell(f"Error: {error}", err=True)
        return False
    return True
