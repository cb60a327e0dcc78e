"""From numbers a photograph to numbers a report."""

from __future__ import annotations

import math
from typing import Any

import torch

from .colorfulness import delta_of_means, mean_delta

DIGITS = 6  # significant ones, of every number in a report


def summarise(
    per_image: list[dict[str, dict[str, float | None]]],
    over_all: dict[str, dict[str, float]] | None = None,
) -> dict[str, dict[str, Any]]:
    """Rows of means over photographs, with both kinds of colourfulness difference.

    Args:
        per_image: row -> metric -> number for each photograph. None is no number, and left out of the mean.
        over_all: row -> metric -> number of all photographs together, for what is no mean over them.
    """
    columns = {
        row: {
            key: torch.tensor(
                [values[row][key] for values in per_image if values[row][key] is not None],
                dtype=torch.float64,
            )
            for key in first
        }
        for row, first in per_image[0].items()
    }
    truth = columns["truth"]
    rows: dict[str, dict[str, Any]] = {}
    for name, column in columns.items():
        rows[name] = row = {
            key: float(values.mean()) if len(values) else None for key, values in column.items()
        }
        row |= (over_all or {}).get(name, {})
        if name == "truth":
            continue
        row["colorfulness_ratio"] = float(column["colorfulness"].mean() / truth["colorfulness"].mean())
        for suffix in ("", "_abs"):
            pair = truth["colorfulness" + suffix], column["colorfulness" + suffix]
            row[f"delta_colorfulness{suffix}_of_means"] = delta_of_means(*pair)
            row[f"mean_delta_colorfulness{suffix}"] = mean_delta(*pair)
    rows["model"]["truth_colorfulness"] = rows["truth"]["colorfulness"]
    rows["model"]["truth_colorfulness_abs"] = rows["truth"]["colorfulness_abs"]
    if len(per_image) > 1:
        rows["model"]["ci95"] = {
            key: float(1.96 * values.std() / math.sqrt(len(values)))
            for key, values in columns["model"].items()
            if len(values) > 1
        }
    return rounded(rows)


def rounded(value: Any) -> Any:
    """The same nested values with numbers of six significant digits: batch order is the noise below."""
    if isinstance(value, dict):
        return {key: rounded(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(inner) for inner in value]
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value
