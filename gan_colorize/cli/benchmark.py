"""``gan-colorize benchmark``: options and checks; the work is :mod:`gan_colorize.evaluation.benchmark`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..distributed import current, from_main, in_turns
from ..errors import UserError
from .lines import tell
from .main import termination_interrupts
from .output import check_download, make_output
from .processes import joined

if TYPE_CHECKING:
    from ..evaluation.benchmark.protocol import Tools

_NETS = ("alex", "vgg", "squeeze")


@click.command()
@click.option(
    "--model",
    "models",
    multiple=True,
    metavar="[NAME=]MODEL",
    help="A .safetensors file, a run folder, or 'default'. Repeat to compare several.",
)
@click.option(
    "--external",
    "externals",
    multiple=True,
    metavar="[NAME=]FOLDER",
    help="Results of any other colorizer: a picture for every photograph, called as it is.",
)
@click.option(
    "--data",
    multiple=True,
    metavar="[NAME=]PLACE",
    help="Colour photographs: a folder, .tar shards, a .txt list. Repeat to measure on several sets.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for report.html, report.md, report.json and the parts that --resume goes on with.",
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
@click.option("--limit", type=click.IntRange(1), help="Of each set measure this many, evenly spread.")
@click.option(
    "--lpips-net",
    "lpips_nets",
    type=click.Choice(_NETS),
    multiple=True,
    default=["alex"],
    show_default=True,
    help="Network that LPIPS compares features of. Repeat for several; the first also measures diversity.",
)
@click.option(
    "--lpips-trunk",
    "lpips_trunks",
    multiple=True,
    metavar="NET=FILE",
    help="torchvision's weights of that network.  [default: torch's cache, see TORCH_HOME]",
)
@click.option(
    "--inception",
    type=click.Path(path_type=Path),
    help="torch-fidelity's Inception weights, for FID and KID.  [default: torch's cache]",
)
@click.option("--download", is_flag=True, help="Fetch trunks and Inception weights that are not there.")
@click.option("--semantic", is_flag=True, help="Also ask MobileNetV2 what it sees, as evaluate does.")
@click.option(
    "--samples",
    type=click.IntRange(0, 64),
    default=4,
    show_default=True,
    help="Colourings that are drawn of each distribution, for diversity and the best of them.",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the first sample.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1, mps.")
@click.option(
    "--batch-size",
    type=click.IntRange(1, 1024),
    default=16,
    show_default=True,
    help="Pictures of 256x256 at a time; changes no number.",
)
@click.option("--resume", is_flag=True, help="Keep what an earlier run into --output has measured.")
@click.option("--compare", is_flag=True, help="Join REPORTS of one protocol instead of measuring.")
@click.argument("reports", nargs=-1, metavar="[REPORT.json ...]", type=click.Path(path_type=Path))
def command(
    models: tuple[str, ...],
    externals: tuple[str, ...],
    data: tuple[str, ...],
    output: Path | None,
    compare: bool,
    reports: tuple[Path, ...],
    **options: Any,
) -> None:
    """Compare colorizers on the same photographs: one table, and one page to look at.

    Every photograph is made grey, coloured by every entry, and compared with itself. Beside the entries stand
    grey (no colour at all) and what a perfect network of each model's output format would reach. Intervals
    and tests say which differences may be chance. report.html opens from the disk and needs no network.

    Exit code 1 when a file or an entry could not be used; the report is written all the same.

    With --compare two or more report.json of the same protocol become one table; others are refused.
    """
    if compare:
        _compare(reports, output, bool(models or externals or data))
        return
    if reports:
        raise click.UsageError(f"{reports[0]}: only --compare takes reports; name models with --model")
    for option, value in (("--data", data), ("--output", output)):
        if not value:
            raise click.UsageError(f"Missing option {option!r}.")
    check_download(options["download"])
    with joined(options["device"]) as (group, device), termination_interrupts():
        try:
            failed = _measure(models, externals, data, output, options | {"device": device})
        except KeyboardInterrupt:
            if group.main:
                tell(
                    f"what is measured is kept in {output}: the same command with --resume goes on", err=True
                )
            raise
    if failed:
        sys.exit(1)


def _measure(
    models: tuple[str, ...],
    externals: tuple[str, ...],
    data: tuple[str, ...],
    output: Path,
    options: dict[str, Any],
) -> bool:
    """Run and write; whether something could not be used, on the main process."""
    from ..data.folder import open_source
    from ..evaluation.benchmark.entries import External, Grey, ceilings
    from ..evaluation.benchmark.gather import SetOfPhotographs
    from ..evaluation.benchmark.names import named
    from ..evaluation.benchmark.parts import Parts
    from ..evaluation.benchmark.protocol import measurement
    from ..evaluation.benchmark.runner import benchmark
    from ..evaluation.benchmark.write import costs, table_lines, write_all
    from ..evaluation.protocol import Settings

    # Whatever can be wrong is looked at before the first photograph is measured.
    device = options["device"]
    settings = Settings(
        options["resize"], options["size"], None, options["batch_size"], options["limit"], grid=0
    )
    model_paths = named(models, "--model")
    folders = named(externals, "--external", model_paths)
    sets = [SetOfPhotographs(name, open_source(place)) for name, place in named(data, "--data").items()]
    others = [External(name, folder, settings.resize, settings.size) for name, folder in folders.items()]
    from_main(lambda: make_output(output))
    tools, notes = in_turns(lambda _: _tools(options, device))
    loaded, broken = _load(model_paths, device, tools)
    parts = Parts(output, measurement(settings, tools))
    if not options["resume"]:
        from_main(parts.clear)
    entries = [*loaded, *others, Grey(), *ceilings(loaded)]

    report = benchmark(entries, sets, settings, tools, parts, device, _warn, _progress())
    if not report:
        return False
    report["notes"] = notes + report["notes"]
    report["unusable"] = broken
    paths = {entry.name: model_paths[entry.name] for entry in loaded}
    report["machine"] = costs(paths, device, settings, _warn)
    write_all(report, entries, sets, settings, device, output)

    click.echo("\n".join(table_lines(report)))
    click.echo(f"protocol {report['protocol']['id']}; look at {output / 'report.html'}")
    for note in report["notes"]:
        tell(note, err=True)
    for of in sets:
        for item in of.broken:
            tell(f"{of.name}: {item['name']}: {item['reason']}", err=True)
    return bool(broken) or any(of.broken or of.failed for of in sets)


def _tools(options: dict[str, Any], device: str) -> tuple[Tools, list[str]]:
    """What measures, and the lines that say what is not there. What was named must work."""
    from ..evaluation.benchmark.inception import InceptionUnavailable, load_inception
    from ..evaluation.benchmark.protocol import Tools
    from ..evaluation.lpips_metric import LpipsUnavailable, load_lpips
    from ..evaluation.semantic import load_recogniser

    trunks, notes, lpips, inception = _trunks(options["lpips_trunks"]), [], {}, None
    download = options["download"]
    for net in dict.fromkeys((*options["lpips_nets"], *trunks)):
        try:
            lpips[f"lpips_{net}"] = load_lpips(net, trunks.get(net), device, download)
        except LpipsUnavailable as error:
            if net in trunks or download:
                raise
            notes.append(f"LPIPS {net} left out: {error}")
    try:
        inception = load_inception(options["inception"], device, download)
    except InceptionUnavailable as error:
        if options["inception"] is not None or download:
            raise
        notes.append(f"FID and KID left out: {error}")
    recogniser = load_recogniser(device) if options["semantic"] else None
    return Tools(lpips, recogniser, inception, options["samples"], options["seed"]), notes


def _trunks(values: tuple[str, ...]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for value in values:
        net, equals, path = value.partition("=")
        if not equals or net not in _NETS or net in found:
            raise click.UsageError(
                f"--lpips-trunk {value}: write NET=FILE once for each of {', '.join(_NETS)}"
            )
        found[net] = Path(path)
    return found


def _load(paths: dict[str, str], device: str, tools: Tools) -> tuple[list[Any], dict[str, str]]:
    """Models that load, and the reasons of those that do not; a path where nothing is stops at once."""
    from ..evaluation.benchmark.entries import Model
    from ..zoo.checkpoint import file_hash, load_model, resolve_model

    files = {name: resolve_model(path) for name, path in paths.items()}
    loaded, broken = [], {}
    for name, file in files.items():
        try:
            network = load_model(paths[name])
            loaded.append(Model(name, network, file.name, file_hash(file), device, tools.samples, tools.seed))
        except UserError as error:
            broken[name] = str(error)
            if current().main:
                _warn(f"{name}: left out of the table: {error}")
    return loaded, broken


def _compare(reports: tuple[Path, ...], output: Path | None, others: bool) -> None:
    """Join reports; print the table, and write it where --output says."""
    from ..evaluation.benchmark.compare import join, read_report
    from ..evaluation.benchmark.write import table_lines, write_joined

    if others or len(reports) < 2:
        raise click.UsageError(
            "--compare takes two report.json or more, and no --model, --external or --data"
        )
    report = join([(str(path), read_report(path)) for path in reports])
    if output is not None:
        make_output(output)
        write_joined(report, output)
    click.echo("\n".join(table_lines(report)))
    click.echo(f"protocol {report['protocol']['id']}")
    for note in report["notes"]:
        tell(note, err=True)


def _warn(line: str) -> None:
    tell(line, err=True)


def _progress() -> Any:
    if not (sys.stderr.isatty() and current().main):
        return None

    def show(name: str, done: int, total: int) -> None:
        click.echo(f"\r{name}: {done:,}/{total:,}" + ("\n" if done == total else ""), nl=False, err=True)

    return show
