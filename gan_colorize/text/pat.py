"""Palette-and-Text files: a text and five colours a row (Bahng et al. 2018, section 3).

A CSV file with the columns ``text`` and ``palette_rgb``, the latter five sRGB colours in hexadecimal with
spaces between them.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..color.palette import COLOURS, parse_hex
from ..errors import UserError
from .vectors import split


@dataclass(frozen=True)
class Pair:
    """A text and its palette, (5, 3) uint8 sRGB."""

    text: str
    palette: np.ndarray


def read_pairs(path: Path) -> tuple[list[Pair], list[tuple[str, str]]]:
    """The rows of one file, and what is wrong with those left out: (file and line, reason).

    Raises:
        UserError: not there, no such table, or no good row in it.
    """
    pairs: list[Pair] = []
    bad: list[tuple[str, str]] = []
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(file)
            header = [name.strip().lower() for name in next(rows, [])]
            if not {"text", "palette_rgb"} <= set(header):
                raise UserError(
                    f"{path}: the first line must name the columns text and palette_rgb, as in "
                    "Palette-and-Text; for photographs leave out task=palette"
                )
            columns = header.index("text"), header.index("palette_rgb")
            for row in filter(None, rows):
                try:
                    pairs.append(_pair(row, columns))
                except ValueError as error:
                    bad.append((f"{path}:{rows.line_num}", str(error)))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"{path}: cannot be read as a CSV file of texts and palettes ({reason})") from error
    if not pairs:
        first = f"; line {bad[0][0].rpartition(':')[2]}: {bad[0][1]}" if bad else ""
        raise UserError(f"{path}: no row with a text and {COLOURS} colours{first}")
    return pairs, bad


def _pair(row: list[str], columns: tuple[int, int]) -> Pair:
    if len(row) <= max(columns):
        raise ValueError(f"{len(row)} columns where there should be {max(columns) + 1}")
    text, colours = row[columns[0]].strip(), row[columns[1]].split()
    if not split(text):
        raise ValueError(f"no word in the text {text!r}")
    if len(colours) != COLOURS:
        raise ValueError(f"{len(colours)} colours where there should be {COLOURS}")
    return Pair(text, parse_hex(colours))
