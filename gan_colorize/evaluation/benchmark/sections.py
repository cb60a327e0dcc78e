"""Parts of the page below its tables. Every text that is not ours passes through ``escape``."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape
from typing import Any

from . import charts
from .cases import LARGEST_ERROR, SCALE, Case, deciding_metric
from .metrics import BY_KEY
from .tables import columns, lines, shown, standings

_CHARTS = 8  # columns that are drawn


def in_short(report: dict[str, Any]) -> str:
    """The answer in sentences: who leads by the deciding column, by how much that is more than chance."""
    found = []
    for name, table in report["sets"].items():
        kinds = {entry: report["entries"][entry]["kind"] for entry in table["rows"]}
        metric = deciding_metric(table["rows"])
        of = {e: row[metric.key] for e, row in table["rows"].items() if kinds[e] in ("model", "external")}
        if not of:
            continue
        by, where = escape(metric.title), f" on <b>{escape(name)}</b>" if len(report["sets"]) > 1 else ""
        standing = standings(metric, table, kinds)
        if len(of) > 1:
            best = next(entry for entry, place in standing.items() if place == "best")
            tied = _listed([entry for entry, place in standing.items() if place == "tied"])
            ends = (
                f" {tied} cannot be told apart from it."
                if tied
                else " Its lead over all others is no chance."
            )
            found.append(f"By {by}, <b>{escape(best)}</b> comes nearest to the truth{where}.{ends}")
        lost = [
            entry
            for pair in table["pairs"]
            if pair["metric"] == metric.key and "grey" in (pair["a"], pair["b"])
            for entry in ({pair["a"], pair["b"]} - {"grey"})
            if not _beats(pair, entry)
        ]
        if lost:
            found.append(
                f"By {by}, {_listed(lost)} cannot be shown to be better than no colour at all{where}."
            )
        elif "grey" in table["rows"] and table["photographs"] > 1:
            who = f"{_listed(list(of))} is" if len(of) == 1 else "all of them are"
            found.append(f"By {by}, {who} better than no colour at all{where}.")
    return "".join(f"<p>{sentence}</p>" for sentence in found)


def _beats(pair: dict[str, Any], entry: str) -> bool:
    return pair["verdict"] == ("better" if pair["a"] == entry else "worse")


def _listed(names: list[str]) -> str:
    bold = [f"<b>{escape(name)}</b>" for name in names]
    return bold[0] if len(bold) == 1 else ", ".join(bold[:-1]) + " and " + bold[-1] if bold else ""


def interval_charts(report: dict[str, Any]) -> str:
    """The main columns of every set, drawn."""
    found = []
    for name, table in report["sets"].items():
        heading = f"<h3>{escape(name)}</h3>" if len(report["sets"]) > 1 else ""
        kinds = {entry: report["entries"][entry]["kind"] for entry in table["rows"]}
        order = [line.entry for line in lines(report) if line.of_set == name and line.kind != "ceiling"]
        drawn = []
        for metric in columns(report, True)[:_CHARTS]:
            values = {
                entry: table["rows"][entry][metric.key]
                for entry in order
                if metric.key in table["rows"][entry]
            }
            ci95 = {entry: table["ci95"].get(entry, {}).get(metric.key) for entry in values}
            if values:
                svg = charts.intervals(metric, values, ci95, kinds)
                drawn.append(f"<figure><figcaption>{_heading(metric)}</figcaption>{svg}</figure>")
        found.append(heading + f'<div class="charts">{"".join(drawn)}</div>')
    return "".join(found)


def _heading(metric: Any) -> str:
    side = {"lower": "lower is better", "higher": "higher is better", None: "no better side"}[metric.better]
    return f"{escape(metric.title)} <small>{side}</small>"


def matrices(report: dict[str, Any]) -> str:
    """Everyone against everyone, a column of the table at a time."""
    found = []
    for name, table in report["sets"].items():
        for metric in columns(report):
            pairs = [pair for pair in table["pairs"] if pair["metric"] == metric.key]
            if not pairs:
                continue
            title = escape(f"{name}: {metric.title}" if len(report["sets"]) > 1 else metric.title)
            first = " open" if metric == deciding_metric(table["rows"]) else ""
            found.append(f"<details{first}><summary>{title}</summary>{_matrix(metric, pairs)}</details>")
    return "".join(found)


def _matrix(metric: Any, pairs: list[dict[str, Any]]) -> str:
    names = list(dict.fromkeys(name for pair in pairs for name in (pair["a"], pair["b"])))
    of = {(pair["a"], pair["b"]): pair for pair in pairs}
    turned = {"better": "worse", "worse": "better", "undecided": "undecided"}
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in names)
    rows = []
    for a in names:
        cells = []
        for b in names:
            pair = of.get((a, b)) or of.get((b, a))
            if a == b or pair is None:
                cells.append('<td class="self"></td>')
                continue
            straight = (a, b) in of
            word = pair["verdict"] if straight else turned[pair["verdict"]]
            difference = pair["difference"] if straight else -pair["difference"]
            p = pair["p_holm"]
            text = f"{difference:+.{metric.decimals}f}, p {'< 0.001' if p < 0.001 else f'= {p:.3f}'}"
            cells.append(f'<td class="{word}">{word}<small>{text}</small></td>')
        rows.append(f'<tr><th scope="row">{escape(a)}</th>{"".join(cells)}</tr>')
    return (
        f'<div class="wide" tabindex="0"><table class="matrix"><thead><tr><td></td>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def case_pictures(report: dict[str, Any], cases: dict[str, Sequence[Case]]) -> str:
    """Photographs with every entry's picture of them, and where the colours differ from the truth."""
    stops = ", ".join(f"rgb({r} {g} {b})" for r, g, b in SCALE)
    scale = (
        f'<div class="scale"><span>0</span><i style="background:linear-gradient(90deg, {stops})"></i>'
        f"<span>{LARGEST_ERROR:g} and more, in units of CIE Lab's a and b</span></div>"
    )
    found = []
    for name, of_set in cases.items():
        metric = deciding_metric(report["sets"][name]["rows"])
        where = f"{name}: " if len(cases) > 1 else ""
        for case in of_set:
            cells = []
            for entry, jpeg in case.pictures.items():
                value = (
                    f"{escape(metric.title)} {shown(metric, case.values[entry])}"
                    if entry in case.values
                    else ""
                )
                image = _image(
                    jpeg, f"{case.name} by {entry}" if entry != "truth" else f"{case.name}, the truth"
                )
                error = (
                    _image(case.maps[entry], f"errors of {entry}", "map") if entry in case.maps else "<i></i>"
                )
                cells.append(
                    f"<figure><figcaption><b>{escape(entry)}</b><small>{value}</small></figcaption>{image}{error}</figure>"
                )
            file = case.name.replace("\\", "/").rpartition("/")[2]
            why = ", ".join(case.why)
            found.append(
                f'<article><h3>{escape(why)}</h3><p class="file">{escape(where + file)}</p>'
                f'<div class="wide strip" tabindex="0">{"".join(cells)}</div></article>'
            )
    return scale + "".join(found) if found else ""


def _image(jpeg: memoryview, words: str, kind: str = "picture") -> str:
    data = base64.b64encode(jpeg).decode()
    return f'<img class="{kind}" loading="lazy" alt="{escape(words)}" src="data:image/jpeg;base64,{data}">'


def calibrations(report: dict[str, Any]) -> str:
    """Curves and colour bins of every model that predicts a distribution."""
    found = []
    for name, table in report["sets"].items():
        for entry, of in table["calibration"].items():
            row = table["rows"][entry]
            title = f"{entry} on {name}" if len(report["sets"]) > 1 else entry
            facts = ", ".join(
                f"{BY_KEY[key].title} {shown(BY_KEY[key], row.get(key))}"
                for key in ("nll", "ece", "ece_soft", "classwise_ece")
            )
            found.append(
                f"<article><h3>{escape(title)}</h3><p>{escape(facts)}; the best possible NLL is "
                f'{of["nll_floor"]:.3f}.</p><div class="pair">{charts.reliability(entry, of)}'
                f"{charts.bins(entry, of['bins'])}</div></article>"
            )
    return "".join(found)


def definitions(values: dict[str, Any]) -> str:
    """A list of what is what; nested values as JSON would write them."""
    rows = "".join(
        f"<dt>{escape(str(key))}</dt><dd>{escape(_plain(value))}</dd>"
        for key, value in values.items()
        if value is not None
    )
    return f"<dl>{rows}</dl>"


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return "; ".join(f"{key}: {_plain(inner)}" for key, inner in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
