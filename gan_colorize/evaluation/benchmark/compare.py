"""Reports of one protocol as one table; reports of different protocols not at all."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import UserError
from ..summary import rounded
from .metrics import BY_KEY
from .paired import flipped_p, holm, verdict
from .protocol import differing
from .runner import FORMAT, FORMAT_VERSION


def read_report(path: Path) -> dict[str, Any]:
    """A benchmark's report.json.

    Raises:
        UserError: missing, no JSON, or no report of a benchmark of this version.
    """
    try:
        report = json.loads(path.read_bytes())
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}") from error
    except ValueError as error:
        raise UserError(f"{path}: is no JSON; name a benchmark's report.json") from error
    if not isinstance(report, dict) or report.get("format") != FORMAT:
        raise UserError(f"{path}: is no report of gan-colorize benchmark")
    if report.get("format_version") != FORMAT_VERSION:
        raise UserError(
            f"{path}: has format version {report.get('format_version')}, this release reads {FORMAT_VERSION}"
        )
    missing = {"protocol", "metrics", "entries", "sets", "notes", "agreement"} - report.keys()
    if missing or "id" not in report["protocol"]:
        raise UserError(f"{path}: is incomplete (lacks {', '.join(sorted(missing)) or 'its protocol id'})")
    return report


def join(reports: Sequence[tuple[str, dict[str, Any]]]) -> dict[str, Any]:
    """One report of several, each with the name it is called by in messages.

    Entries of the same fingerprint are one row; those that share a name only are told apart by their report.
    Means over photographs are compared anew, everyone with everyone.

    Raises:
        UserError: the protocols differ; the fields are named.
    """
    first_path, first = reports[0]
    for path, report in reports[1:]:
        if report["protocol"]["id"] != first["protocol"]["id"]:
            fields = differing(first["protocol"], report["protocol"])
            raise UserError(
                f"{first_path} and {path} cannot be compared: their protocols differ in {', '.join(fields)}"
            )
    joined = {key: first[key] for key in ("format", "format_version", "protocol", "agreement")}
    joined |= {"entries": {}, "notes": [], "unusable": {}, "metrics": [], "software": {}}
    joined["sets"] = {name: _empty(table) for name, table in first["sets"].items()}
    for path, report in reports:
        known = [metric["key"] for metric in joined["metrics"]]
        joined["metrics"] += [metric for metric in report["metrics"] if metric["key"] not in known]
        names = _names(path, report, joined)
        for of_set, table in report["sets"].items():
            _add(joined["sets"][_same_set(of_set, report, first)], table, names, joined, path)
        joined["notes"] += [note for note in report["notes"] if note not in joined["notes"]]
        joined["software"] |= {f"{path}: {key}": value for key, value in report.get("software", {}).items()}
        joined["entries"] |= {names[name]: of for name, of in report["entries"].items()}
    order = list(BY_KEY)
    joined["metrics"].sort(key=lambda metric: order.index(metric["key"]) if metric["key"] in order else 99)
    for table in joined["sets"].values():
        table["pairs"] = rounded(_pairs(table, joined["entries"]))
    return joined


def _empty(table: dict[str, Any]) -> dict[str, Any]:
    kept = ("photographs", "truth", "broken", "skipped_grey", "notes")
    fresh = {key: table[key] for key in kept} | {"rows": {}, "ci95": {}, "calibration": {}, "failed": {}}
    fresh["per_image"] = [
        {**one, "values": {"truth": one["values"]["truth"]}}
        for one in sorted(table["per_image"], key=lambda one: one["sha256"])
    ]
    return fresh


def _names(path: str, report: dict[str, Any], joined: dict[str, Any]) -> dict[str, str]:
    """What each entry of a report is called in the joint one."""
    names = {}
    for name, of in report["entries"].items():
        same = [
            other
            for other, about in joined["entries"].items()
            if about["kind"] == of["kind"] and about["fingerprint"] == of["fingerprint"]
        ]
        fresh = name if name not in joined["entries"] else f"{name} ({path})"
        names[name] = same[0] if same else fresh
    return names


def _same_set(name: str, report: dict[str, Any], first: dict[str, Any]) -> str:
    """The set of the first report with the same photographs; names may differ between reports."""
    wanted = report["protocol"]["sets"][name]
    options = [other for other, of in first["protocol"]["sets"].items() if of == wanted]
    return name if name in options else options[0]


def _add(
    table: dict[str, Any], other: dict[str, Any], names: dict[str, str], joined: dict, path: str
) -> None:
    listed = sorted(other["per_image"], key=lambda one: one["sha256"])
    for name, row in other["rows"].items():
        fresh = names[name]
        if fresh in table["rows"]:
            _check_same(fresh, table["rows"][fresh], row, joined, path)
            continue
        table["rows"][fresh] = row
        for key in ("ci95", "calibration"):
            if name in other[key]:
                table[key][fresh] = other[key][name]
        for mine, theirs in zip(table["per_image"], listed, strict=True):
            mine["values"][fresh] = theirs["values"][name]
    table["failed"] |= {names[name]: why for name, why in other["failed"].items() if name in names}


def _check_same(name: str, mine: dict, theirs: dict, joined: dict, path: str) -> None:
    """One entry, measured twice: say so when the values agree worse than the report promises."""
    off = [
        key
        for key in mine.keys() & theirs.keys() & BY_KEY.keys()
        if abs(mine[key] - theirs[key]) > BY_KEY[key].agreement + 1e-5 * abs(mine[key])
    ]
    if off:
        joined["notes"].append(f"{path}: {name} was measured differently: {', '.join(sorted(off))}")


def _pairs(table: dict[str, Any], entries: dict[str, Any]) -> list[dict[str, Any]]:
    """Sign-flip tests of every pair; of columns that are means over photographs."""
    from itertools import combinations

    found = []
    names = [name for name in table["rows"] if entries[name]["kind"] != "ceiling"]
    for metric in BY_KEY.values():
        having = [name for name in names if metric.key in table["rows"][name]]
        pairs = list(combinations(having, 2))
        if metric.better is None or not metric.paired or not pairs:
            continue
        columns = {
            name: np.array([one["values"][name][metric.key] for one in table["per_image"]], np.float64)
            for name in having
        }
        p = flipped_p(np.stack([columns[a] - columns[b] for a, b in pairs], 1)).tolist()
        for (a, b), of_pair, adjusted in zip(pairs, p, holm(p), strict=True):
            difference = table["rows"][a][metric.key] - table["rows"][b][metric.key]
            decided = verdict(difference, adjusted, metric)
            found.append({"metric": metric.key, "a": a, "b": b, "difference": difference, "ci95": None})
            found[-1] |= {"p": of_pair, "p_holm": adjusted, "test": "sign flips", "verdict": decided}
    return found
