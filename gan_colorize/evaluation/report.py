"""A report on disk: ``report.json`` for programs, ``report.md`` for people, ``grid.jpg`` for eyes; and
``guided.png``, a curve, where steering was measured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from ..files import save_bytes, save_image
from .guided_report import draw_guided, guided_markdown

# column heading, key in a row, digits
COLUMNS = (
    ("LPIPS ↓", "lpips", 4),
    ("PSNR dB ↑", "psnr", 2),
    ("SSIM ↑", "ssim", 4),
    ("AuC % ↑", "auc", 2),
    ("AuC rebal. % ↑", "auc_rebalanced", 2),
    ("top-1 % ↑", "top1", 1),
    ("as truth % ↑", "top1_agreement", 1),
    ("Colourfulness", "colorfulness", 2),
    ("abs. variant", "colorfulness_abs", 2),
    ("ΔCF of means ↓", "delta_colorfulness_of_means", 2),
    ("mean ΔCF ↓", "mean_delta_colorfulness", 2),
    ("CF / truth's CF", "colorfulness_ratio", 3),
)
ROW_TITLES = {
    "truth": "truth",
    "grey": "grey",
    "truth_through_bins": "truth through the bins",
    "truth_through_pooling": "truth at the output's resolution",
    "model": "**model**",
}
CELL = 256  # px, longest side of a picture in the grid
HEADING = 22
GAP = 4


def write_report(report: dict[str, Any], grid: list[tuple[np.ndarray, ...]], folder: str | Path) -> None:
    """Write the three files; each is whole or absent.

    Args:
        report: what :func:`gan_colorize.evaluation.runner.evaluate` returns.
        grid: (truth, grey, result) pictures, each (H, W, 3) uint8.

    Raises:
        UserError: the folder cannot be written.
    """
    folder = Path(folder)
    # allow_nan=False: NaN is not JSON, and a reader in another language would stumble
    # and ASCII: file names need not be valid Unicode
    save_bytes(folder / "report.json", json.dumps(report, indent=2, allow_nan=False).encode() + b"\n")
    save_bytes(folder / "report.md", markdown(report).encode(errors="backslashreplace"))
    if guided := report.get("guided"):
        draw_guided(guided, folder / "guided.png")
    if grid:
        save_image(folder / "grid.jpg", picture_grid(grid), "JPEG", quality=92, subsampling=0)


def markdown(report: dict[str, Any]) -> str:
    """The report as a page: the table first, then what it means."""
    protocol, model = report["protocol"], report["model"]
    count = protocol["photographs"]
    lines = [
        f"# Evaluation of {model['name']} on {count} photographs",
        "",
        f"Protocol `{protocol['id']}`: numbers compare only between reports with the same id.",
        "",
        *table(report["rows"]),
        "",
        "Means over the photographs. *grey* is the input as it is, *truth through the bins* what a perfect "
        "network of this model's resolution and temperature would reach. PSNR and plain AuC reward grey: "
        "read them beside LPIPS, rebalanced AuC and colourfulness.",
        "",
    ]
    if ci := report["rows"]["model"].get("ci95"):
        spread = ", ".join(f"{key} ±{value:.2g}" for key, value in ci.items())
        lines += [f"95 % confidence of the model's means over photographs: {spread}.", ""]
    lines += [f"- {note}" for note in report["notes"]]
    if guided := report.get("guided"):
        lines += ["", *guided_markdown(guided)]
    if report["broken"]:
        lines += ["", f"## {len(report['broken'])} files could not be used", ""]
        lines += [f"- `{item['name']}`: {item['reason']}" for item in report["broken"]]
    lines += ["", "## Model", "", *_definitions(model), "", "## Protocol", "", *_definitions(protocol), ""]
    return "\n".join(lines)


def table(rows: dict[str, dict[str, Any]]) -> list[str]:
    """Markdown lines; a column that no row has (LPIPS without a trunk) is left out."""
    columns = [column for column in COLUMNS if any(row.get(column[1]) is not None for row in rows.values())]
    lines = [
        "| | " + " | ".join(title for title, _, _ in columns) + " |",
        "|---|" + "---:|" * len(columns),
    ]
    for name, row in rows.items():
        values = (("–" if row.get(key) is None else f"{row[key]:.{digits}f}") for _, key, digits in columns)
        lines.append(f"| {ROW_TITLES[name]} | " + " | ".join(values) + " |")
    return lines


def picture_grid(rows: list[tuple[np.ndarray, ...]]) -> Image.Image:
    """Rows of truth | grey | result under a heading; large pictures are made smaller."""
    cells = []
    for row in rows:
        pictures = [Image.fromarray(pixels) for pixels in row]
        for picture in pictures:
            picture.thumbnail((CELL, CELL), Image.Resampling.LANCZOS)
        cells.append(pictures)
    width = max(picture.width for row in cells for picture in row)
    heights = [max(picture.height for picture in row) for row in cells]
    columns = ("truth", "grey", "result")
    size = (len(columns) * (width + GAP) + GAP, HEADING + sum(height + GAP for height in heights))
    canvas = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(canvas)
    for column, title in enumerate(columns):
        draw.text((GAP + column * (width + GAP) + 2, 5), title, fill="black")
    top = HEADING
    for row, height in zip(cells, heights, strict=True):
        for column, picture in enumerate(row):
            canvas.paste(picture, (GAP + column * (width + GAP), top))
        top += height + GAP
    return canvas


def _definitions(values: dict[str, Any]) -> list[str]:
    return [f"- {key}: {value}" for key, value in values.items() if value is not None]
