"""``gan-colorize colorize``: options, their validation and the summary of a run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from ..signals import stop_on_signals
from .run_files import check_existing, file_options, plan_files, result_options, run_files, take_results

if TYPE_CHECKING:
    from ..inference.plan import Job
    from ..inference.report import RunReport
    from .progress import Progress


@click.command()
@file_options
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
    help="Of the first sample; the others count up. Of the palette with --text.",
)
@click.option("--palette", metavar="HEX,...", help="One to five colours to use, such as a1b2c3,d4e5f6.")
@click.option("--text", help='Words to draw the palette for, such as "autumn forest".')
@click.option("--confidence", is_flag=True, help="Also write how sure the model is, as a grey PNG.")
@result_options
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
    palette: str | None,
    text: str | None,
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
    existing = check_existing(overwrite, skip_existing)
    given = click.get_current_context().get_parameter_source("seed")
    if given is ParameterSource.COMMANDLINE and not samples and text is None:
        raise click.UsageError("--seed is of random colourings: say with --samples how many")
    if palette is not None and text is not None:
        raise click.UsageError("--palette and --text exclude each other: the text is for a palette")

    settings = {"temperature": temperature, "saturation": saturation}
    settings |= {"samples": samples or 0, "seed": seed, "confidence": confidence}
    network = {"model": model, "device": device, "precision": precision, "batch_size": batch_size}
    network["views"] = int(views)
    wish = {"palette": _palette(palette, text, seed), "text": text}
    writing = {"format": format_, "quality": quality}
    plan, report = plan_files(
        inputs,
        output,
        {**settings, **network, **writing, **wish},
        existing=existing,
        done="coloured",
        samples=settings["samples"],
        confidence=confidence,
    )
    run_files(plan, report, lambda shown: _colour(plan.jobs, report, shown, settings, network, wish, quality))


def _palette(named: str | None, text: str | None, seed: int) -> list[str] | None:
    """The five colours in hexadecimal that --palette names or that are drawn for --text."""
    if named is None and text is None:
        return None
    from ..color.palette import to_hex
    from ..inference.palettes import PaletteDrawer, named_palette

    if named is not None:
        return to_hex(named_palette(named.replace(",", " ").split()))
    drawn = PaletteDrawer().draw(text, seed=seed)
    if drawn.warning():
        click.echo(f"Warning: {drawn.warning()}", err=True)
    return to_hex(drawn.palettes[0])


def _colour(
    jobs: list[Job],
    report: RunReport,
    progress: Progress,
    settings: dict[str, Any],
    network: dict[str, Any],
    wish: dict[str, Any],
    quality: int,
) -> None:
    from ..devices import choose_device
    from ..inference.batch import colour_files
    from ..inference.palettes import check_takes_palette, named_palette, palette_wish
    from ..inference.predictor import Predictor, Settings
    from ..zoo.checkpoint import file_hash, load_model, resolve_model

    path = resolve_model(network["model"])
    model = load_model(path)
    device = choose_device(network["device"])
    predictor = Predictor(model, device, network["precision"], network["views"])
    conditions = None
    if wish["palette"]:
        check_takes_palette(model.name, predictor.contract, "--text" if wish["text"] else "--palette")
        conditions = palette_wish(named_palette(wish["palette"]))
        if settings["saturation"] is None:
            settings = {**settings, "saturation": 1.0}  # a colour that was named is to be met as it is
    if wish["text"]:
        progress.say(f"palette for {wish['text']!r}: {','.join(wish['palette'])}")
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
            conditions=conditions,
            batch_size=network["batch_size"],
            quality=quality,
            say=progress.say,
            stop=stop,
        )
        take_results(results, report, progress, stop)
