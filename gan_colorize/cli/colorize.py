"""``gan-colorize colorize``: options, their validation and the summary of a run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from ..signals import stop_on_signals
from .processes import joined
from .run_files import check_existing, file_options, plan_files, result_options, run_files
from .steer import check_wishes, steer, steering_options, wishes_of

if TYPE_CHECKING:
    from ..inference.plan import Plan
    from ..inference.report import RunReport
    from ..inference.wishes import Wishes
    from .run_task import Task


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
@steering_options
@click.option("--confidence", is_flag=True, help="Also write how sure the model is, as a grey PNG.")
@result_options
@click.option("--bits", type=click.Choice(["8", "16"]), help="Of PNG and TIFF. [default: the input's own]")
@click.option(
    "--if-toned",
    type=click.Choice(["recolour", "leave"]),
    default="recolour",
    show_default=True,
    help="Sepia and other prints of one tone: colours in its place, or no result.",
)
@click.option(
    "--if-coloured",
    type=click.Choice(["recolour", "leave"]),
    default="recolour",
    show_default=True,
    help="Photographs that have colours: others in their place, or no result.",
)
@click.option("--batch-size", type=click.IntRange(1), help="Photographs at once. [default: by device]")
@click.option(
    "--views",
    type=click.Choice(["1", "2", "4", "6"]),
    default="1",
    show_default=True,
    help="Look N times, mirrored (2) and at other sizes (4, 6), and average: about 2, 6, 9 times the work.",
)
@click.option(
    "--runtime",
    type=click.Choice(["torch", "onnx"]),
    default="torch",
    show_default=True,
    help="onnx: onnxruntime, in float32 on the CPU. The network takes 0.8 to 0.95 of torch's time where that "
    "computes in float32 too, but 1.5 to 2.3 times where the CPU multiplies bf16. Needs the extra onnx.",
)
@click.option(
    "--compile",
    "compile_",
    is_flag=True,
    help="Let torch compile the network first: a minute or more. On a CPU no faster than without.",
)
def command(
    inputs: tuple[str, ...],
    files_from: str | None,
    output: Path,
    resume: bool,
    model: str,
    temperature: float | None,
    saturation: float | None,
    samples: int | None,
    seed: int,
    hints: Path | None,
    reference: Path | None,
    palette: str | None,
    text: str | None,
    confidence: bool,
    format_: str | None,
    quality: int,
    overwrite: bool,
    skip_existing: bool,
    device: str,
    precision: str,
    bits: str | None,
    if_toned: str,
    if_coloured: str,
    batch_size: int | None,
    views: str,
    runtime: str,
    compile_: bool,
) -> None:
    """Colour black-and-white photographs at their own size.

    INPUT are image files, folders (taken with all their subfolders) and globs. Originals are never
    changed. A file that fails costs one line; the others go on, and the exit code is 1. OUTPUT gets a
    colorize-report.json that says what became of every file, and a colorize-manifest.jsonl in which it stands
    as it happens: a run that was ended, even by a power cut, goes on with --resume.
    """
    existing = check_existing(overwrite, skip_existing, resume)
    given = click.get_current_context().get_parameter_source("seed")
    if given is ParameterSource.COMMANDLINE and not samples and text is None:
        raise click.UsageError("--seed is of random colourings: say with --samples how many")
    if palette is not None and text is not None:
        raise click.UsageError("--palette and --text exclude each other: the text is for a palette")

    settings = {"temperature": temperature, "saturation": saturation}
    settings |= {"samples": samples or 0, "seed": seed, "confidence": confidence}
    network = {"model": model, "device": device, "precision": precision, "batch_size": batch_size}
    network |= {"views": int(views), "runtime": runtime, "compile": compile_}
    if compile_ and runtime != "torch":
        raise click.UsageError("--compile is for --runtime torch")
    wishes = wishes_of(palette, text, seed, reference)
    drawn = wishes.palette if wishes else None
    asked = {"palette": list(drawn) if drawn else None, "text": text}
    asked |= {"reference": str(reference) if reference else None, "hints": str(hints) if hints else None}
    writing = {"format": format_, "quality": quality, "bits": None if bits is None else int(bits)}
    writing |= {"if_toned": if_toned, "if_coloured": if_coloured}
    # a seed that was not given is that of the file of hints, if it has one
    chosen = settings | {"seed": seed if samples and given is ParameterSource.COMMANDLINE else None}

    def prepare() -> tuple[Plan, RunReport]:
        plan, report = plan_files(
            inputs,
            output,
            {**settings, **network, **writing, **asked},
            existing=existing,
            done="coloured",
            samples=settings["samples"],
            confidence=confidence,
            files_from=files_from,
        )
        steer(plan, hints, wishes)
        return plan, report

    # the CPU is all that onnxruntime is asked for here
    named = "cpu" if runtime == "onnx" and device == "auto" else device
    with joined(named, chosen_later=True) as (_, own):
        on = network | {"device": own}
        run_files(prepare, lambda task: _colour(task, chosen, on, wishes, asked, writing))


def _colour(
    task: Task,
    settings: dict[str, Any],
    network: dict[str, Any],
    wishes: Wishes | None,
    asked: dict[str, Any],
    writing: dict[str, Any],
) -> None:
    from ..data.provenance import Provenance
    from ..devices import choose_device
    from ..inference.batch import Writing, colour_files
    from ..inference.predictor import Predictor, Settings
    from ..inference.runtimes import compiled, load_network
    from ..inference.steering import settings_of
    from ..zoo.checkpoint import file_hash

    model, path, device, precision = load_network(
        network["model"], network["runtime"], network["device"], network["precision"]
    )
    predictor = Predictor(model, choose_device(device), precision, network["views"])
    if network["compile"]:
        predictor.model = compiled(model, predictor.device, predictor.dtype, task.say)
    drawn = Settings(**settings)
    predictor.check(drawn)
    for job in task.jobs:
        if job.wishes is not None:
            check_wishes(predictor, job, drawn, asked)
    if asked["text"]:
        task.say(f"palette for {asked['text']!r}: {','.join(asked['palette'])}")
    common = drawn if wishes is None else settings_of(wishes, drawn)
    sha256 = file_hash(path)
    # What made the colours, for whoever looks at a published picture: no paths of this machine.
    told = {"views": network["views"], "palette": asked["palette"], "text": asked["text"]}
    told["reference"] = Path(asked["reference"]).name if asked["reference"] else None
    left = {kind for kind in ("toned", "coloured") if writing[f"if_{kind}"] == "leave"}
    task.begin(
        path,
        sha256,
        model.metadata,
        device=str(predictor.device),
        precision=str(predictor.dtype).removeprefix("torch."),
        temperature=predictor.temperature_of(common),
        saturation=predictor.saturation_of(common),
        working_size=predictor.size,
    )
    how = Writing(
        writing["quality"],
        writing["bits"],
        Provenance(Path(network["model"]).name, sha256, told),
        frozenset(left),
    )
    with stop_on_signals() as stop:
        task.do(
            lambda jobs, say: colour_files(
                predictor, jobs, drawn, batch_size=network["batch_size"], writing=how, say=say, stop=stop
            ),
            stop,
        )
