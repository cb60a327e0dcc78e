"""Pictures of palettes, drawn with Pillow alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

_SIDE, _GAP, _LINE = 40, 16, 26
_LONGEST = 200  # letters of a text that are looked at
_PAPER, _INK = (255, 255, 255), (40, 40, 40)


def draw_swatches(rows: Sequence[tuple[str, np.ndarray]]) -> Image.Image:
    """Each row a text and under it its palettes, (palettes, colours, 3) uint8, side by side; without a text
    a row moves up."""
    most = max(len(palettes) for _, palettes in rows)
    colours = max(palettes.shape[1] for _, palettes in rows)
    tall = sum(_SIDE + _GAP + (_LINE if text else 0) for text, _ in rows)
    sheet = Image.new("RGB", (_GAP + most * (colours * _SIDE + _GAP), _GAP + tall), _PAPER)
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(16)
    top = _GAP
    for text, palettes in rows:
        if text:
            # The built-in font knows Latin letters; others show as boxes and are no error.
            draw.text((_GAP, top), _fitted(text, draw, font, sheet.width - 2 * _GAP), fill=_INK, font=font)
            top += _LINE
        for column, palette in enumerate(palettes):
            left = _GAP + column * (colours * _SIDE + _GAP)
            for place, colour in enumerate(palette.tolist()):
                corner = (left + place * _SIDE, top)
                draw.rectangle((*corner, corner[0] + _SIDE - 1, top + _SIDE - 1), fill=tuple(colour))
        top += _SIDE + _GAP
    return sheet


def _fitted(text: str, draw: ImageDraw.ImageDraw, font: ImageFont.FreeTypeFont, width: int) -> str:
    """The text on one line of at most ``width`` pixels, its end left out where it is longer."""
    line = " ".join(text[:_LONGEST].split())
    fits = line == " ".join(text.split())
    while line and draw.textlength(line if fits else f"{line}...", font=font) > width:
        line, fits = line[:-1].rstrip(), False
    return line if fits else f"{line}..."
