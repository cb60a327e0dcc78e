"""The whole benchmark: sets through entries, tables, intervals, comparisons."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

from ... import __version__
from ...distributed import current
from ..protocol import Settings
from ..runner import software
from ..summary import rounded
from . import bootstrap, paired
from .calibration import CONFIDENCE, RIGHT, RIGHT_SOFT, SHARE
from .entries import Entry
from .fid import FEW
from .gather import TRUTH, Gatherer, SetOfPhotographs
from .inception import Inception
from .metrics import AGREEMENT, METRICS, present
from .parts import Part, Parts
from .protocol import Tools, describe_benchmark

FORMAT = "gan_colorize benchmark"
FORMAT_VERSION = 1


def benchmark(
    entries: Sequence[Entry],
    sets: Sequence[SetOfPhotographs],
    settings: Settings,
    tools: Tools,
    parts: Parts,
    device: str,
    warn: Callable[[str], None] = lambda line: None,
    progress: Callable[[str, int, int], None] | None = None,
) -> dict[str, Any]:
    """Measure every entry on every set, in float32.

    Returns:
        The report in plain types that JSON knows; what machines and pictures add is the command's. Empty on
        all processes but the main one.

    Raises:
        UserError: a set without a photograph that could be measured.
    """
    gatherer = Gatherer(entries, settings, tools, parts, device, warn, progress)
    for of in sets:
        gatherer.gather(of)
    if not current().main:
        return {}
    photographs = {
        of.name: list(zip(of.rows[TRUTH].sha256, of.rows[TRUTH].names, strict=True)) for of in sets
    }
    order = [TRUTH, *(entry.name for entry in entries)]
    tables = {of.name: _table(of, order, {entry.name: entry.kind for entry in entries}) for of in sets}
    rows = [row for table in tables.values() for row in table["rows"].values()]
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "protocol": describe_benchmark(settings, tools, photographs),
        "agreement": AGREEMENT,
        "metrics": [
            {
                "key": metric.key,
                "title": metric.title,
                "decimals": metric.decimals,
                "better": metric.better,
                "agreement": metric.agreement,
                "means": metric.means,
            }
            for metric in present(rows)
        ],
        "entries": {entry.name: _about(entry, sets) for entry in entries},
        "sets": tables,
        "notes": _notes(tools, tables),
        "software": {"gan_colorize": __version__, **software()},
    }


def _table(of: SetOfPhotographs, order: list[str], kinds: dict[str, str]) -> dict[str, Any]:
    """What the report says of one set."""
    truth = of.rows[TRUTH]
    rows = {name: bootstrap.Row(of.rows[name], truth) for name in order if name in of.rows and name != TRUTH}
    values = {name: row.value() for name, row in rows.items()}
    draws = bootstrap.draw(rows)
    ci95 = {
        name: {key: bootstrap.interval(of_key) for key, of_key in of_row.items()}
        for name, of_row in draws.items()
    }
    compared = {name: row for name, row in rows.items() if kinds[name] != "ceiling"}
    listed = {key: list(part) for key, part in truth.numbers.items()}
    return rounded(
        {
            "photographs": len(truth.index),
            "truth": {key: _mean(column) for key, column in listed.items()},
            "rows": values,
            "ci95": {name: {k: list(v) for k, v in of_row.items() if v} for name, of_row in ci95.items()},
            "pairs": paired.compare(compared, values, draws, METRICS),
            "calibration": {
                name: _calibration(row.part) for name, row in rows.items() if "classwise" in row.part.sums
            },
            "failed": of.failed,
            "broken": of.broken,
            "skipped_grey": of.grey,
            "notes": of.notes,
            "per_image": _per_image(truth, {name: row.part for name, row in rows.items()}),
        }
    )


def _about(entry: Entry, sets: Sequence[SetOfPhotographs]) -> dict[str, Any]:
    """What the report says of an entry; a folder of results is known by what its files hold."""
    about = {"kind": entry.kind, **entry.about}
    if files := sorted(
        {sha256 for of in sets if entry.name in of.rows for sha256 in of.rows[entry.name].files}
    ):
        about["fingerprint"] = hashlib.sha256("\n".join(files).encode()).hexdigest()
    return about


def _mean(column: list[float | None]) -> float | None:
    known = [value for value in column if value is not None]
    return sum(known) / len(known) if known else None


def _per_image(truth: Part, rows: dict[str, Part]) -> list[dict[str, Any]]:
    """Photograph by photograph, in the order of the set."""
    order = sorted(range(len(truth.index)), key=lambda i: truth.index[i])
    parts = {TRUTH: truth, **rows}
    return [
        {
            "index": truth.index[i],
            "name": truth.names[i],
            "sha256": truth.sha256[i],
            "values": {
                name: {key: column[i] for key, column in part.numbers.items()} for name, part in parts.items()
            },
        }
        for i in order
    ]


def _calibration(part: Part) -> dict[str, Any]:
    """The curve of confidence, and predicted against observed mass of every colour bin."""
    count = len(part.index)
    sums = part.arrays["reliability"].sum(0) / count  # (15, 4)
    met = sums[:, SHARE] > 0
    curve = {
        key: [
            float(v / s) if m else None for v, s, m in zip(sums[:, column], sums[:, SHARE], met, strict=True)
        ]
        for key, column in (("confidence", CONFIDENCE), ("right", RIGHT), ("right_soft", RIGHT_SOFT))
    }
    mass = part.sums["mass"] / count
    floor = part.numbers["nll_floor"]
    return {
        "nll_floor": sum(floor) / len(floor),
        "share": sums[:, SHARE].tolist(),
        **curve,
        "bins": {
            "predicted": mass[:, 0].tolist(),
            "observed": mass[:, 1].tolist(),
            "observed_soft": mass[:, 2].tolist(),
        },
    }


def _notes(tools: Tools, tables: dict[str, dict[str, Any]]) -> list[str]:
    """What to know before reading the tables."""
    notes = []
    for name, table in tables.items():
        count = table["photographs"]
        if tools.inception is not None and count < FEW:
            notes.append(
                f"{name}: FID of {count} photographs is biased upwards (2048 features need thousands): "
                "only rows of this table compare, and KID suffers less from it"
            )
        if grey := len(table["skipped_grey"]):
            notes.append(f"{name}: {grey} grey photographs left out: they have no colours to compare with")
        if broken := len(table["broken"]):
            notes.append(f"{name}: {broken} files could not be used and were left out for every row")
        notes += table["notes"]
    if isinstance(tools.inception, Inception) and not tools.inception.known:
        notes.append(
            "FID and KID are of other Inception weights than those of papers: compare them with none"
        )
    return notes
