"""``gan-colorize palette``: words in, palettes of five colours out."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    import numpy as np

_SUFFIXES = (".png", ".jpg", ".webp")


@click.command()
@click.argument("words", nargs=-1, required=True, metavar="TEXT...")
@click.option(
    "--samples", type=click.IntRange(1, 100), default=1, show_default=True, help="How many palettes."
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**63 - 1),  # torch takes 64 bits, and so the samples that count up fit as well
    default=0,
    show_default=True,
    help="Of the first palette; the others count up.",
)
@click.option("--model", default="default", show_default=True, help="A .safetensors file or a run folder.")
@click.option("--output", type=click.Path(path_type=Path), help="Also write a picture of the palettes.")
@click.option("--overwrite", is_flag=True, help="Replace a picture that exists.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of lines.")
def command(
    words: tuple[str, ...],
    samples: int,
    seed: int,
    model: str,
    output: Path | None,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Draw palettes for a TEXT such as "autumn forest".

    A line is a palette, as colorize --palette takes it. The same seed draws the same palette. Words that are
    not known in any form are left out.
    """
    if output is not None:
        _check_output(output, overwrite)

    from ..color.palette import to_hex
    from ..inference.palettes import PaletteDrawer

    text = " ".join(words)
    drawn = PaletteDrawer(model).draw(text, samples, seed)
    if output is not None:
        _write(output, text, drawn.palettes)
    if drawn.warning():
        click.echo(f"Warning: {drawn.warning()}", err=True)
    if as_json:
        told = [{"seed": seed + k, "colours": to_hex(one)} for k, one in enumerate(drawn.palettes)]
        click.echo(json.dumps({"text": text, "left_out": drawn.left_out, "palettes": told}, indent=2))
        return
    for palette in drawn.palettes:
        click.echo(_blocks(palette) + ",".join(to_hex(palette)))


def _check_output(output: Path, overwrite: bool) -> None:
    from ..errors import UserError
    from ..files import check_writable, exists, is_folder

    if output.suffix.lower() not in _SUFFIXES:
        raise click.UsageError(f"--output {output}: the name must end in {', '.join(_SUFFIXES)}")
    if is_folder(output):
        raise UserError(f"--output {output}: is a folder; name a picture")
    if exists(output) and not overwrite:
        raise UserError(f"--output {output}: exists; add --overwrite or name another picture")
    check_writable(output.parent)


def _blocks(palette: np.ndarray) -> str:
    """The colours themselves, where the output is a terminal that may show them (no-color.org)."""
    if not sys.stdout.isatty() or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return ""
    return "".join("\033[48;2;{};{};{}m      ".format(*colour) for colour in palette.tolist()) + "\033[0m  "


def _write(path: Path, text: str, palettes: np.ndarray) -> None:
    from ..files import save_image
    from ..inference.swatches import draw_swatches

    # One palette under the other: the sheet puts the palettes of one text side by side.
    rows = [(text if k == 0 else "", palette[None]) for k, palette in enumerate(palettes)]
    formats = {".png": "PNG", ".jpg": "JPEG", ".webp": "WEBP"}
    save_image(path, draw_swatches(rows), formats[path.suffix.lower()])
