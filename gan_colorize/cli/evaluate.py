"""``gan-colorize evaluate``: options and checks; the work is :mod:`gan_colorize.evaluation.runner`."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import Any

import click

from ..distributed import current, from_main, gather, in_turns
from ..errors import UserError
from .main import termination_interrupts
from .numbers import NumberRange
from .output import check_download, make_output
from .processes import joined

_GROUPS = {
    "What": ("model", "data", "output"),
    "Protocol (each changes the numbers and is in the report)": ("resize", "size", "limit", "temperature"),
    "LPIPS": ("lpips_net", "lpips_trunk", "download"),
    "Recognition": (
        "semantic",
        "guided",
    ),
    "Running": ("device", "batch_size", "compile_"),
}


class _GroupedCommand(click.Command):
    """Help with the options under headings."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        grouped = {name: title for title, names in _GROUPS.items() for name in names}
        records: dict[str, list[tuple[str, str]]] = {title: [] for title in _GROUPS}
        for param in self.get_params(ctx):
            if record := param.get_help_record(ctx):
                records[grouped.get(param.name, "Running")].append(record)  # --help comes from click
        for title, rows in records.items():
            with formatter.section(title):
                formatter.write_dl(rows)


@click.command(cls=_GroupedCommand)
@click.option(
    "--model", default="default", show_default=True, help="A .safetensors file, a run folder, or 'default'."
)
@click.option(
    "--data",
    multiple=True,
    required=True,
    type=click.Path(path_type=Path),
    help="Colour photographs: a folder, .tar shards, a .txt list. Repeat to join several.",
)
@click.option(
    "--output",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for report.json, report.md and grid.jpg.",
)
@click.option(
    "--resize",
    type=click.Choice(["centre-crop", "stretch", "native"]),
    default="centre-crop",
    show_default=True,
    help="Largest centred square, whole picture squeezed to a square, or as it is.",
)
@click.option(
    "--size",
    type=click.IntRange(32, 2048),
    default=256,
    show_default=True,
    help="Side of that square in pixels.",
)
@click.option("--limit", type=click.IntRange(1), help="Measure this many, evenly spread.  [default: all]")
@click.option(
    "--temperature",
    type=NumberRange(0.01, 10),
    help="Of the decoding: lower is more vivid.  [default: the model's]",
)
@click.option(
    "--lpips-net",
    type=click.Choice(["alex", "vgg", "squeeze"]),
    default="alex",
    show_default=True,
    help="Network that LPIPS compares features of.",
)
@click.option(
    "--lpips-trunk",
    type=click.Path(path_type=Path),
    help="torchvision's weights of that network.  [default: torch's cache, see TORCH_HOME]",
)
@click.option(
    "--download",
    is_flag=True,
    help="Download the trunk (torchvision's, checked by its sha256) when it is not there.",
)
@click.option(
    "--semantic",
    is_flag=True,
    help="Also ask torchvision's MobileNetV2 (in torch's cache, see TORCH_HOME) what it sees: agreement with "
    "the truth, and top-1 where files or folders carry ImageNet's class names.",
)
@click.option(
    "--guided",
    is_flag=True,
    help="Also steer: PSNR against the number of revealed points, and told the truth's overall colours.",
)
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1, mps.")
@click.option(
    "--batch-size",
    type=click.IntRange(1, 1024),
    default=16,
    show_default=True,
    help="Pictures of 256x256 at a time; changes no number.",
)
@click.option(
    "--compile", "compile_", is_flag=True, help="Let torch compile the network first: a minute or more."
)
def command(
    model: str,
    data: tuple[Path, ...],
    output: Path,
    resize: str,
    size: int,
    limit: int | None,
    temperature: float | None,
    lpips_net: str,
    lpips_trunk: Path | None,
    download: bool,
    semantic: bool,
    guided: bool,
    device: str,
    batch_size: int,
    compile_: bool,
) -> None:
    """Measure a model against colour photographs that it has not seen.

    Each photograph is made grey, coloured by the model and compared with itself: LPIPS, PSNR, SSIM, AuC of
    the ab error and colourfulness, beside the same for the grey picture and for the best that the model's
    output format allows. Without LPIPS's trunk on this machine LPIPS is left out and the rest is measured.
    Exit code 1 when a file could not be used; the report is written all the same.
    """
    check_download(download)
    with joined(device) as (group, own), termination_interrupts():
        measured = _measure(
            (model, data, output, own),
            (resize, size, temperature, batch_size, limit),
            (lpips_net, lpips_trunk, download),
            semantic=semantic,
            guided=guided,
            compile_=compile_,
        )
        if group.main:
            _tell(measured, output)
    if group.main and measured["broken"]:
        sys.exit(1)


def _measure(
    what: tuple[str, tuple[Path, ...], Path, str],
    protocol: tuple[Any, ...],
    lpips_of: tuple[str, Path | None, bool],
    *,
    semantic: bool,
    guided: bool,
    compile_: bool,
) -> dict[str, Any]:
    """Measure and write; the report, which is empty on all processes but the main one.

    Args:
        what: --model, --data, --output, and this process's device.
        protocol: :class:`~gan_colorize.evaluation.protocol.Settings`. lpips_of: the options of LPIPS.
    """
    from ..data.folder import open_sources
    from ..evaluation.guided import check_listens, evaluate_guided
    from ..evaluation.protocol import Settings
    from ..evaluation.report import write_report
    from ..evaluation.runner import evaluate
    from ..evaluation.semantic import load_recogniser
    from ..zoo.checkpoint import file_hash, load_model, resolve_model

    # Whatever can be wrong is looked at before the first photograph is measured.
    model, data, output, device = what
    source = open_sources(data)
    if current().world > 1 and len(set(gather(_names(source)))) > 1:
        raise UserError("--data: the processes see different files there; every machine needs the same ones")
    network = load_model(model)
    if guided:
        check_listens(network)
    from_main(lambda: make_output(output))
    lpips, missing = in_turns(lambda _: _lpips(*lpips_of, device))
    if from_main(lambda: lpips is None) != (lpips is None):
        raise UserError("LPIPS's trunk is on some machines of this job and not on others: put it on all")
    recogniser = load_recogniser(device) if semantic else None
    settings = Settings(*protocol)
    progress = _progress if sys.stderr.isatty() else None
    if compile_:
        network = _compiled(network, device)
    report, grid = evaluate(network, source, settings, device, lpips, progress, recogniser)

    steered = evaluate_guided(network, source, settings, device, progress) if guided else None
    if not report:
        return report
    if guided:
        report["guided"] = steered
    report["notes"] += _notes(report, missing)
    weights = resolve_model(model)
    report["model"] |= {"file": weights.name, "sha256": file_hash(weights)}
    carried = ("images_seen", "training_data", "licence")
    report["model"] |= {key: network.metadata[key] for key in carried if key in network.metadata}
    write_report(report, grid, output)
    return report


def _tell(report: dict[str, Any], output: Path) -> None:
    from ..evaluation.guided_report import guided_markdown
    from ..evaluation.report import table

    click.echo("\n".join(table(report["rows"])))
    if "guided" in report:
        click.echo("\n".join(["", *guided_markdown(report["guided"])]))
    click.echo(f"protocol {report['protocol']['id']}; written to {output}")
    for note in report["notes"]:
        click.echo(note, err=True)
    for item in report["broken"]:
        click.echo(f"{item['name']}: {item['reason']}", err=True)


def _names(source: Any) -> str:
    """sha256 of the photographs' names in their order."""
    digest = hashlib.sha256()
    for index in range(len(source)):
        digest.update(source.name(index).encode(errors="surrogatepass") + b"\0")
    return digest.hexdigest()


def _compiled(network: Any, device: str) -> Any:
    import torch

    from ..inference.runtimes import compiled

    def say(line: str) -> None:
        if current().main:
            click.echo(line, err=True)

    return compiled(network, torch.device(device), torch.float32, say)


def _lpips(net: str, trunk: Path | None, download: bool, device: Any) -> tuple[Any, str | None]:
    """LPIPS, or None and the line that says why. A trunk that was named must work."""
    from ..evaluation.lpips_metric import LpipsUnavailable, load_lpips

    try:
        return load_lpips(net, trunk, device, download), None
    except LpipsUnavailable as error:
        if trunk is not None or download:
            raise
        return None, f"LPIPS left out: {error}"


def _notes(report: dict[str, Any], missing: str | None) -> list[str]:
    notes = [missing] if missing else []
    if grey := len(report["skipped_grey"]):
        notes.append(f"{grey} grey photographs left out: they have no colours to compare with")
    return notes


def _progress(done: int, total: int) -> None:
    click.echo(f"\rmeasuring {done:,}/{total:,}" + ("\n" if done == total else ""), nl=False, err=True)
