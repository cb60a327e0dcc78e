"""``gan-colorize pack``: options and their validation; the work is :mod:`gan_colorize.packing`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ..data.urls import path_or_url
from .main import termination_interrupts
from .output import make_output
from .progress import Progress

_FORMATS = ("webp", "jpg", "keep")  # packing.photo.FORMATS, which would import the decoders


@click.command()
@click.argument("photos", type=path_or_url, nargs=-1, required=True, metavar="PHOTOS...")
@click.option("--output", type=click.Path(path_type=Path), help="Folder for the shards; empty or new.")
@click.option("--shard-megabytes", type=click.FloatRange(0.001), help="A shard is full then. [default: 64]")
@click.option("--images-per-shard", type=click.IntRange(1), help="Or by so many images.")
@click.option("--short-side", type=click.IntRange(32), help="Make pictures smaller. [default: 256 pixels]")
@click.option("--format", "kind", type=click.Choice(_FORMATS), default="webp", show_default=True)
@click.option("--quality", type=click.IntRange(1, 100), help="Of webp and jpg. [default: 90]")
@click.option("--min-colourfulness", type=click.FloatRange(0), default=0.0, help="Leave out greyer pictures.")
@click.option("--min-side", type=click.IntRange(16), default=16, help="Leave out smaller ones.")
@click.option(
    "--no-duplicates",
    is_flag=True,
    help="Leave out what is there already: equal pixels, or 59 of 63 low frequencies and the colours alike.",
)
@click.option("--jobs", type=click.IntRange(1), help="Processes. [default: the cores of this machine]")
@click.option("--resume", is_flag=True, help="Go on with a packing that was ended.")
@click.option("--index-only", is_flag=True, help="PHOTOS are shards: write only the index beside them.")
def command(
    photos: tuple[Path | str, ...],
    output: Path | None,
    shard_megabytes: float | None,
    images_per_shard: int | None,
    short_side: int | None,
    kind: str,
    quality: int | None,
    min_colourfulness: float,
    min_side: int,
    no_duplicates: bool,
    jobs: int | None,
    resume: bool,
    index_only: bool,
) -> None:
    """Pack photographs into tar shards that training reads from anywhere, with an index beside them.

    Exits with 1 when a photograph could not be read; report.jsonl says what became of each.
    """
    from ..devices import usable_cores

    workers = jobs or usable_cores()
    workers = 0 if workers == 1 else workers
    if index_only:
        if output is not None or resume:
            raise click.UsageError("--index-only writes beside the shards: leave out --output and --resume")
        _index(photos, workers)
        return
    if output is None:
        raise click.UsageError("--output is missing: name a folder for the shards")
    if shard_megabytes and images_per_shard:
        raise click.UsageError("--shard-megabytes and --images-per-shard: give one of them")
    if kind == "keep" and (short_side or quality):
        raise click.UsageError("--format keep packs files as they are: leave out --short-side and --quality")

    from ..data.folder import open_sources
    from ..packing.pack import PackOptions, pack
    from ..packing.state import REPORT_NAME

    options = PackOptions(
        images_per_shard=images_per_shard or 0,
        shard_megabytes=shard_megabytes or 64.0,
        short_side=short_side or 256,
        format=kind,
        quality=quality or 90,
        min_colourfulness=min_colourfulness,
        min_side=min_side,
        no_duplicates=no_duplicates,
    )
    source = open_sources(photos)
    make_output(output)
    progress = Progress(len(source))
    with termination_interrupts():
        result = pack(
            source,
            output,
            options,
            workers=workers,
            resume=resume,
            step=lambda failed: progress.step(failed=failed),
        )
    kinds = "".join(f", {count:,} {what}" for what, count in sorted(result.left_out.items()))
    progress.say(
        f"{result.images:,} of {len(source):,} photographs in {result.shards:,} shards, "
        f"{result.bytes / 1e6:,.1f} MB{kinds}; {output / REPORT_NAME} lists them all"
    )
    if result.left_out["unreadable"]:
        sys.exit(1)


def _index(shards: tuple[Path | str, ...], workers: int) -> None:
    from ..packing.indexing import find_shards, index_shards

    paths = find_shards(shards)
    progress = Progress(len(paths), unit="shards")
    with termination_interrupts():
        index = index_shards(paths, workers, progress.step)
    images = sum(len(record) for record in index.records)
    damaged = sum(record.widths.count(0) for record in index.records)
    words = f", {damaged:,} of which cannot be decoded" if damaged else ""
    progress.say(f"{images:,} images in {len(paths):,} shards{words}")
    if damaged:
        sys.exit(1)
