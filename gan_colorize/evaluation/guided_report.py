"""What :mod:`.guided` measured, as a page and as a curve."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from ..files import save_image

_SIZE, _LEFT, _TOP, _RIGHT, _BOTTOM = (720, 440), 56, 40, 24, 56
_INK, _GRID = (40, 40, 40), (225, 225, 225)
_LINES = (
    ("psnr", "this model", (31, 98, 178)),
    ("network_alone", "its network alone", (110, 165, 220)),
    ("published", "2017 network, as published (other photographs)", (190, 120, 40)),
)


def guided_markdown(guided: dict[str, Any]) -> list[str]:
    """Lines of Markdown under a heading of their own."""
    heads = [str(count) for count in guided["points"]]
    lines = [
        "## Steered",
        "",
        f"PSNR in dB over {guided['photographs']} photographs; {guided['protocol']}.",
        "",
    ]
    lines += ["| revealed points | " + " | ".join(heads) + " |", "|---" * (len(heads) + 1) + "|"]
    for key, title, _ in _LINES:
        lines.append(f"| {title} | " + " | ".join(f"{value:.2f}" for value in _values(guided, key)) + " |")
    lines += ["", "| told of the whole picture | PSNR dB |", "|---|---:|"]
    lines += [f"| {wish} | {value:.2f} |" for wish, value in guided["overall"].items()]
    rings, change = guided["one_hint"]["rings"], guided["one_hint"]["change_of_ab"]
    lines += ["", "| one hint of another colour: distance, shorter sides | mean change of ab |", "|---|---:|"]
    lines.append(f"| at the hint | {change[0]:.1f} |")
    for inner, outer, value in zip([0.0, *rings[:-1]], rings, change[1:], strict=True):
        lines.append(f"| {inner:g} to {outer:g} | {value:.1f} |")
    return [*lines, ""]


def draw_guided(guided: dict[str, Any], path: str | Path) -> None:
    """PSNR against the number of points as a PNG."""
    font = ImageFont.load_default(13)
    sheet = Image.new("RGB", _SIZE, "white")
    draw = ImageDraw.Draw(sheet)
    points = guided["points"]
    every = [value for key, _, _ in _LINES for value in _values(guided, key)]
    low, high = math.floor(min(every)), math.ceil(max(every))
    width, height = _SIZE[0] - _LEFT - _RIGHT, _SIZE[1] - _TOP - _BOTTOM

    def place(count: int, value: float) -> tuple[float, float]:
        x = _LEFT + width * math.log1p(count) / math.log1p(max(points))
        return x, _TOP + height * (high - value) / max(high - low, 1)

    for value in range(low, high + 1):
        draw.line((_LEFT, place(0, value)[1], _SIZE[0] - _RIGHT, place(0, value)[1]), fill=_GRID)
        draw.text((_LEFT - 8, place(0, value)[1]), str(value), fill=_INK, font=font, anchor="rm")
    for count in points:
        draw.text(
            (place(count, low)[0], _SIZE[1] - _BOTTOM + 8), str(count), fill=_INK, font=font, anchor="ma"
        )
    draw.text((_LEFT + width / 2, _SIZE[1] - 20), "revealed points", fill=_INK, font=font, anchor="ma")
    draw.text((8, 10), "PSNR dB", fill=_INK, font=font)
    for row, (key, title, colour) in enumerate(_LINES):
        line = [place(*one) for one in zip(points, _values(guided, key), strict=True)]
        draw.line(line, fill=colour, width=2)
        for x, y in line:
            draw.ellipse((x - 3, y - 3, x + 3, y + 3), fill=colour)
        draw.text((_LEFT + 12, _TOP + 6 + 18 * row), title, fill=colour, font=font)
    save_image(Path(path), sheet, "PNG")


def _values(guided: dict[str, Any], key: str) -> list[float]:
    return guided["published"]["psnr"] if key == "published" else guided[key]
