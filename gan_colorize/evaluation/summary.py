"""From numbers a photograph to numbers a report."""

from __future__ import annotations

import math
from typing import Any

import torch

from .colorfulness import delta_of_means, mean_delta

DIGITS = 6  # significant ones, of every number in a report


def summarise(per_image: list[dict[str, dict[str, float | None]]]) -> dict[str, dict[str, Any]]:
    """Rows of means over photographs, with both kinds of colourfulness difference."""
    columns = {
        row: {
            key: torch.tensor([values[row][key] for values in per_image], dtype=torch.float64)
            for key in first
        }
        for row, first in per_image[0].items()
    }
    truth = columns["truth"]
    rows: dict[str, dict[str, Any]] = {}
    for name, column in columns.items():
        rows[name] = row = {key: float(values.mean()) for key, values in column.items()}
        if name == "truth":
            continue
        row["colorfulness_ratio"] = float(column["colorfulness"].mean() / truth["colorfulness"].mean())
        for suffix in ("", "_abs"):
            pair = truth["colorfulness" + suffix], column["colorfulness" + suffix]
            row[f"delta_colorfulness{suffix}_of_means"] = delta_of_means(*pair)
            row[f"mean_delta_colorfulness{suffix}"] = mean_delta(*pair)
    rows["model"]["truth_colorfulness"] = rows["truth"]["colorfulness"]
    rows["model"]["truth_colorfulness_abs"] = rows["truth"]["colorfulness_abs"]
    count = len(per_image)
    if count > 1:
        spread = {key: float(1.96 * v.std() / math.sqrt(count)) for key, v in columns["model"].items()}
        rows["model"]["ci95"] = spread
    return rounded(rows)


def rounded(value: Any) -> Any:
    """The same nested dicts with numbers of six significant digits: batch order is the noise below."""
    if isinstance(value, dict):
        return {key: rounded(inner) for key, inner in value.items()}
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value
