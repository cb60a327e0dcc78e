"""The files of a benchmark: report.json for programs, report.md for people, report.html to look at."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ...errors import UserError
from ...files import save_bytes
from ..protocol import Settings
from .cases import MOST_PHOTOGRAPHS, Case, choose, draw_cases
from .cost import machine, measure_cost
from .entries import Entry
from .gather import SetOfPhotographs
from .page import page
from .tables import columns, markdown_table, marked_down

_NATIVE_SIDE = 256  # of the photographs that times are measured on, where they have no one size


def costs(
    paths: Mapping[str, str], device: str, settings: Settings, warn: Callable[[str], None]
) -> dict[str, Any]:
    """The machine, and each model's time and memory on it."""
    found = machine(device)
    side = _NATIVE_SIDE if settings.resize == "native" else settings.size
    found["cost"] = {}
    for name, path in paths.items():
        try:
            found["cost"][name] = measure_cost(path, device, side, settings.batch_size, found["threads"])
        except UserError as error:
            warn(f"{name}: {error}")
    return found


def write_all(
    report: dict[str, Any],
    entries: Sequence[Entry],
    sets: Sequence[SetOfPhotographs],
    settings: Settings,
    device: str,
    output: Path,
) -> None:
    """Draw the pictures and write the three files; each is whole or absent.

    Raises:
        UserError: the folder cannot be written.
    """
    names = [entry.name for entry in entries if entry.kind in ("model", "external")]
    cases: dict[str, Sequence[Case]] = {}
    for of in sets:
        chosen = choose(report["sets"][of.name], names, max(3, MOST_PHOTOGRAPHS // len(sets)))
        for entry in entries:  # a folder of results knows the last set that it was opened for
            if entry.name not in of.failed:
                entry.open(of.source, [case.index for case in chosen])
        draw_cases(chosen, of, entries, settings, device)
        cases[of.name] = chosen
    _write(report, cases, output)


def write_joined(report: dict[str, Any], output: Path) -> None:
    """The three files of a report that others were joined into: without pictures."""
    _write(report, {}, output)


def _write(report: dict[str, Any], cases: dict[str, Sequence[Case]], output: Path) -> None:
    # ASCII: file names need not be valid Unicode; no NaN: it is not JSON
    text = json.dumps(report, indent=1, allow_nan=False)
    save_bytes(output / "report.json", text.encode() + b"\n")
    save_bytes(output / "report.md", markdown(report).encode(errors="backslashreplace"))
    save_bytes(output / "report.html", page(report, cases).encode(errors="backslashreplace"))


def table_lines(report: dict[str, Any]) -> list[str]:
    """The main columns, for a terminal."""
    return markdown_table(report, True, intervals=False)


def markdown(report: dict[str, Any]) -> str:
    """The report as a text: tables, what they mean, what was left out."""
    protocol = report["protocol"]
    lines = [
        "# Colorizers compared",
        "",
        f"Protocol `{protocol['id']}`: values compare only between reports with the same id.",
        "",
        *markdown_table(report, True, intervals=True),
        "",
        "In parentheses: 95 % intervals. Bold: the best model or folder of results.",
        "",
        *markdown_table(report, False, intervals=False),
        "",
        "## Decided differences",
        "",
        *(_differences(report) or ["None."]),
        "",
        "## Columns",
        "",
        *(f"- **{metric.title}**: {metric.means}" for metric in columns(report)),
        "",
    ]
    if cost := report.get("machine", {}).get("cost"):
        lines += ["## Time and memory of this machine", ""]
        for name, of in cost.items():
            lines.append(
                f"- {marked_down(name)}: " + ", ".join(f"{key} {value:g}" for key, value in of.items())
            )
        lines.append("")
    notes = [*report["notes"]]
    for name, table in report["sets"].items():
        notes += [f"{name}: {entry}: {reason}" for entry, reason in table["failed"].items()]
        notes += [f"{name}: {item['name']}: {item['reason']}" for item in table["broken"]]
    if notes:
        lines += ["## Notes", "", *(f"- {marked_down(note)}" for note in notes), ""]
    lines += ["## Protocol", ""]
    lines += [f"- {key}: {marked_down(json.dumps(value))}" for key, value in protocol.items() if key != "id"]
    return "\n".join([*lines, f"- agreement: {report['agreement']}", ""])


def _differences(report: dict[str, Any]) -> list[str]:
    """What the tests decided, a line a column and winner."""
    titles = {metric.key: metric.title for metric in columns(report)}
    beaten: dict[tuple[str, str, str], list[str]] = {}
    for name, table in report["sets"].items():
        for pair in table["pairs"]:
            if pair["verdict"] != "undecided" and pair["metric"] in titles:
                better = pair["verdict"] == "better"
                winner, loser = (pair["a"], pair["b"]) if better else (pair["b"], pair["a"])
                beaten.setdefault((name, titles[pair["metric"]], winner), []).append(loser)
    return [
        f"- {marked_down(name)}, {title}: {marked_down(winner)} better than {marked_down(', '.join(losers))}"
        for (name, title, winner), losers in beaten.items()
    ]
