"""``gan-colorize video``: colour a film, or a folder of frames, without flicker."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .. import __version__
from ..errors import UserError
from ..files import check_writable, exists, save_bytes
from ..signals import stop_on_signals
from .main import termination_interrupts
from .progress import Progress
from .run_files import FORMATS
from .steer import colour_options, wishes_of

if TYPE_CHECKING:
    from ..inference.video.run import Film
    from ..inference.video.source import Source


@click.command()
@click.argument("input_", metavar="INPUT", type=click.Path(path_type=Path))
@click.option(
    "--output",
    required=True,
    type=click.Path(path_type=Path),
    help="A film (.mp4, .mov, .mkv), or a folder: for the film, or for the frames of a folder of frames.",
)
@click.option("--model", default="default", show_default=True, help="A .safetensors file or a run folder.")
@click.option(
    "--smooth",
    type=click.FloatRange(0, 1),
    default=0.8,
    show_default=True,
    help="Share of a frame's colours that earlier frames have at most; 0 colours every frame by itself.",
)
@click.option("--temperature", type=float, help="Below 1 vivid, above pale. [default: the model's own]")
@click.option("--saturation", type=float, help="Factor on the colours; 0 is grey. [default: the model's own]")
@colour_options
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), default=0, help="Of the palette with --text.")
@click.option("--codec", type=click.Choice(["h264", "ffv1"]), default="h264", show_default=True)
@click.option(
    "--crf", type=click.IntRange(0, 51), default=16, show_default=True, help="Of h264: 0 lossless, 51 worst."
)
@click.option("--chroma", type=click.Choice(["420", "444"]), default="420", show_default=True)
@click.option(
    "--format",
    "format_",
    type=click.Choice(FORMATS),
    help="Write single images of this kind. [default: as INPUT]",
)
@click.option(
    "--quality", type=click.IntRange(1, 100), default=95, show_default=True, help="JPEG, WebP, AVIF."
)
@click.option("--fps", default="24", show_default=True, help="Of a folder of frames: 18, 23.976, 24000/1001.")
@click.option(
    "--measure", is_flag=True, help="Report how much the smoothed film flickers, and how much unsmoothed."
)
@click.option("--resume", is_flag=True, help="Go on with a film that was interrupted.")
@click.option("--overwrite", is_flag=True, help="Replace a result that exists (never an input).")
@click.option(
    "--segment",
    type=click.IntRange(1),
    default=120,
    show_default=True,
    help="Frames that an interruption costs at most.",
)
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:N, mps.")
@click.option("--precision", default="auto", show_default=True, help="auto, fp32, bf16, fp16.")
@click.option("--batch-size", type=click.IntRange(1), help="Frames at once. [default: by device]")
@click.option("--views", type=click.Choice(["1", "2", "4", "6"]), default="1", show_default=True)
def command(input_: Path, output: Path, **options: Any) -> None:
    """Colour a film at its own size, with colours that stay.

    INPUT is a video file or a folder of frames. Times, sound, subtitles and words of a film are kept as they
    are. What cannot be decoded costs a line each and exit code 1. A video-report.json beside the result tells
    of cuts, flaws and settings.
    """
    if options["resume"] and options["overwrite"]:
        raise click.UsageError("--resume and --overwrite exclude each other")
    with termination_interrupts():
        well = _colour(input_, output, options)
    if not well:
        click.get_current_context().exit(1)


def _colour(path: Path, output: Path, options: dict[str, Any]) -> bool:
    from ..inference.report import REPORT_NAMES
    from ..inference.video.result import result_of
    from ..inference.video.source import open_source

    source = open_source(path, frame_rate(options["fps"]))
    result, files = result_of(source, output, options["format_"], options["codec"])
    name = REPORT_NAMES["video"]
    report = result / name if files else result.with_name(f"{result.name}.{name}")
    check_writable(report.parent)
    wishes = wishes_of(options["palette"], options["text"], options["seed"], options["reference"])
    progress = Progress(source.facts.frames, unit="frames")
    film, about, model = _film(source, result, files, options, wishes, progress)
    if not _is_to_do(film, result, report, about, options):
        film.end()  # a run may have been killed while it did so
        click.echo(f"{result}: is done already; nothing to resume")
        return True
    started, finished = datetime.now(UTC), False
    with stop_on_signals() as stop:
        try:
            finished = film.make(about, options["resume"], options["overwrite"], stop)
        finally:
            progress.clear()
            told = film.results()
            if told["frames"]:
                seconds = (datetime.now(UTC) - started).total_seconds()
                content = {
                    "program": f"gan_colorize {__version__}",
                    "input": str(path),
                    "output": str(result),
                }
                content |= {"started": started.isoformat(timespec="seconds"), "seconds": round(seconds, 3)}
                content |= {"interrupted": not finished, "about": about, "model": model, **told}
                save_bytes(report, json.dumps(content, indent=2).encode() + b"\n")
                if finished:
                    film.end()
        if not finished:
            goes_on = "; --resume goes on" if told["frames"] else ""
            click.echo(f"{told['frames']:,} frames are kept{goes_on}", err=True)
        stop.raise_if_set()
    counts = f"{told['frames']:,} frames coloured, {len(told['cuts'])} cuts, {len(told['problems'])} problems"
    click.echo(f"{counts} in {seconds:.1f} s; {result}; report: {report}")
    return not told["problems"]


def frame_rate(text: str) -> Fraction:
    """--fps as an exact number.

    Raises:
        UserError: it is none, or none that a film has.
    """
    try:
        rate = Fraction(text).limit_denominator(1001)
    except (ValueError, ZeroDivisionError):
        rate = Fraction(0)
    if not Fraction(1, 100) <= rate <= 1000:
        raise UserError(f"--fps {text}: must be a number or a fraction between 0.01 and 1000")
    return rate


def _film(
    source: Source, result: Path, files: bool, options: dict[str, Any], wishes: Any, progress: Progress
) -> tuple[Film, dict[str, Any], dict[str, Any]]:
    """The film, what it is made of and how, and what the report says of the model."""
    from dataclasses import asdict

    from ..data.provenance import Provenance
    from ..devices import choose_device
    from ..evaluation.flicker import FlickerMeter
    from ..inference import steering
    from ..inference.predictor import Predictor, Settings
    from ..inference.video.motion import opencv
    from ..inference.video.run import Film, Making
    from ..inference.video.writing import Encoding
    from ..zoo.checkpoint import file_hash, load_model, resolve_model

    if options["smooth"] > 0 or options["measure"]:
        opencv()
    weights = resolve_model(options["model"])
    model = load_model(weights)
    device = choose_device(options["device"])
    predictor = Predictor(model, device, options["precision"], int(options["views"]))
    drawn = Settings(temperature=options["temperature"], saturation=options["saturation"])
    predictor.check(drawn)
    conditions = None
    if wishes is not None:
        steering.check_takes(predictor.name, predictor.contract, wishes)
        drawn = steering.settings_of(wishes, drawn)
        conditions = steering.tell(wishes, (0, 0), None, predictor.contract).conditions
    encoding = Encoding(options["codec"], options["chroma"], options["crf"])
    making = Making(
        drawn,
        options["smooth"],
        encoding,
        files=files,
        suffix=f".{options['format_']}" if options["format_"] else None,
        quality=options["quality"],
        meter=FlickerMeter if options["measure"] else None,
        conditions=conditions,
        batch_size=options["batch_size"],
        segment=options["segment"],
    )
    settings = {"temperature": predictor.temperature_of(drawn), "saturation": predictor.saturation_of(drawn)}
    settings |= {"smooth": making.smooth, "views": int(options["views"])}
    settings |= {"palette": list(wishes.palette) if wishes and wishes.palette else None}
    sha256 = file_hash(weights)
    precision = str(predictor.dtype).removeprefix("torch.")
    about = {"version": __version__, "film": source.identity(), "model_sha256": sha256, **settings}
    about |= {"precision": precision, "measure": options["measure"], "segment": making.segment}
    about |= {"reference": file_hash(options["reference"]) if options["reference"] else None}
    about |= {"suffix": making.suffix, "quality": making.quality} if files else {"encoding": asdict(encoding)}
    told = {"path": str(weights), "sha256": sha256, "device": str(predictor.device), "precision": precision}
    provenance = Provenance(predictor.name, sha256, settings)
    film = Film(predictor, source, result, making, provenance, progress)
    return film, about, {**told, "working_size": predictor.size, "metadata": model.metadata}


def _is_to_do(film: Film, result: Path, report: Path, about: dict[str, Any], options: dict[str, Any]) -> bool:
    """Whether anything is left to do.

    Raises:
        UserError: a result is there that may not be replaced.
    """
    there = [target for target in (report, *film.targets()) if exists(target)]
    if not there or options["overwrite"] or exists(film.parts.state):
        return True
    if not options["resume"]:
        raise UserError(f"{there[0]}: is there already; add --overwrite")
    try:
        before = json.loads(report.read_bytes())
    except (OSError, ValueError):
        before = {}
    if before.get("about") != json.loads(json.dumps(about)) or before.get("interrupted"):
        raise UserError(
            f"{result}: exists, and was made of another film or with other settings; add --overwrite"
        )
    return False
