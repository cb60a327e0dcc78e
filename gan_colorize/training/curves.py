"""A picture of ``stats.jsonl``: one small panel a term, drawn with Pillow alone."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from ..files import save_image

_PANEL, _MARGIN, _COLUMNS = (360, 220), 44, 3
_INK, _LINE, _GRID = (40, 40, 40), (31, 98, 178), (225, 225, 225)


def draw_curves(records: list[dict[str, Any]], path: Path) -> None:
    """Write a PNG with a panel for every numeric key of the records, against images seen."""
    series: dict[str, list[tuple[float, float]]] = {}
    for record in records:
        for key, value in record.items():
            if isinstance(value, float) and math.isfinite(value):
                series.setdefault(key, []).append((record["images"], value))
    series = {key: points for key, points in series.items() if len(points) > 1}
    if not series:
        return
    rows = -(-len(series) // _COLUMNS)
    sheet = Image.new("RGB", (_COLUMNS * _PANEL[0], rows * _PANEL[1]), "white")
    draw = ImageDraw.Draw(sheet)
    for index, (key, points) in enumerate(series.items()):
        corner = (index % _COLUMNS * _PANEL[0], index // _COLUMNS * _PANEL[1])
        _panel(draw, corner, key, points)
    save_image(path, sheet, "PNG")


def _panel(draw: ImageDraw.ImageDraw, corner: tuple[int, int], title: str, points: list) -> None:
    font = ImageFont.load_default(12)
    left, top = corner[0] + _MARGIN + 12, corner[1] + 28
    right, bottom = corner[0] + _PANEL[0] - 16, corner[1] + _PANEL[1] - 26
    xs, ys = [p[0] for p in points], [p[1] for p in points]
    # The first lines of a run are far from the rest and would flatten it.
    settled = sorted(ys[len(ys) // 20 :])
    low, high = settled[len(settled) // 100], settled[-1 - len(settled) // 100]
    span = (high - low) or abs(high) or 1.0
    decimals = max(0, 2 - math.floor(math.log10(span)))
    low, high = low - 0.05 * span if min(ys) < 0 else max(0.0, low - 0.05 * span), high + 0.05 * span
    width = (max(xs) - min(xs)) or 1

    def place(point: tuple[float, float]) -> tuple[float, float]:
        x = left + (point[0] - min(xs)) / width * (right - left)
        share = min(max((point[1] - low) / (high - low), 0.0), 1.0)
        return x, bottom - share * (bottom - top)

    for tick in range(5):
        y = bottom - tick / 4 * (bottom - top)
        draw.line((left, y, right, y), fill=_GRID)
        value = low + tick / 4 * (high - low)
        draw.text((left - 6, y), f"{value:.{decimals}f}", fill=_INK, font=font, anchor="rm")
    draw.text((left, corner[1] + 8), title.replace("_", " "), fill=_INK, font=font)
    draw.text((left, bottom + 6), f"{min(xs):,}", fill=_INK, font=font)
    draw.text((right, bottom + 6), f"{max(xs):,} images", fill=_INK, font=font, anchor="ra")
    draw.line([place(point) for point in points], fill=_LINE, width=2)
