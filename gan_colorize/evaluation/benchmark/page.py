"""report.html: one file that opens from the disk, asks no network for anything, and explains itself."""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape
from importlib.resources import files
from typing import Any

from . import sections
from .cases import Case
from .tables import columns, html_table

# A scatter plot says no more with ten thousand points, and each one weighs.
_MOST_POINTS = 1000
# The browser itself keeps the page from loading anything, whatever a name might hold.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"


def page(report: dict[str, Any], cases: dict[str, Sequence[Case]]) -> str:
    """The whole page.

    Args:
        report: as :func:`gan_colorize.evaluation.benchmark.runner.benchmark` returns it, with machine and
            unusable models.
        cases: pictures by set; empty for a report without them.
    """
    static = files(__package__).joinpath("static")
    css, js = (static.joinpath(name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    count = sum(table["photographs"] for table in report["sets"].values())
    names = [name for name, of in report["entries"].items() if of["kind"] in ("model", "external")]
    title = f"Colorizers compared: {', '.join(names) or 'grey'}"
    body = [
        f"<header><h1>{escape(title)}</h1>{_introduction(report, count)}</header>",
        _section("In short", sections.in_short(report) + _left_out(report)),
        _section("The table", _TABLE + html_table(report, True) + _other_columns(report)),
        _section("How sure the values are", _INTERVALS + sections.interval_charts(report)),
        _section("Who is better than whom", _MATRIX + sections.matrices(report)),
        _section("Pictures", _pictures(report, cases)),
        _section("Photograph by photograph", _scatter(report)),
        _section("Does the model know what it knows?", _calibration(report)),
        _section("Time and memory", _machine(report)),
        _section("What the columns mean", _meanings(report)),
        _section("How it was measured", _protocol(report)),
    ]
    data = json.dumps(_points(report), allow_nan=False)
    # inside a script only "</" and "<!--" could end or change it
    data = data.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>{escape(title)}</title><style>{css}</style></head><body><main>{''.join(body)}</main>"
        f'<script type="application/json" id="points">{data}</script><script>{js}</script></body></html>\n'
    )


_TABLE = (
    "<p>Arrows point to the better side. <b class='best'>Bold</b> is the best entry of a column, "
    "<span class='tied'>dotted</span> those that cannot be told apart from it; below each value is its 95 % "
    "interval. <i>grey</i> is the photograph without any colour, <i>truth through ...</i> what a perfect "
    "model "
    "with the same output format would reach. Click a heading to sort.</p>"
)
_INTERVALS = (
    "<p>The dot is the value on these photographs. The line is where it would lie, 95 times of 100, if "
    "other photographs of the same kind had been chosen.</p>"
)
_MATRIX = (
    "<p>Read a row from left to right: <i>better</i> says that the row's entry beats the column's by more "
    "than chance explains (p below 0.05, corrected for the number of comparisons). <i>undecided</i> does "
    "not say "
    "that they are equal: only that these photographs do not tell.</p>"
)


def _section(title: str, content: str) -> str:
    return f"<section><h2>{title}</h2>{content}</section>" if content else ""


def _introduction(report: dict[str, Any], count: int) -> str:
    sets = " and ".join(f"<b>{escape(name)}</b>" for name in report["sets"])
    return (
        f"<p>Each of {count:,} colour photographs ({sets}) was made grey, coloured by every entry, and "
        "compared "
        "with the original. Colours can be plausible and still differ from those that were there, so read "
        "several columns and look at the pictures.</p>"
        f"<p>Protocol <code>{escape(report['protocol']['id'])}</code>: values compare only between reports "
        "with "
        "the same protocol.</p>"
    )


def _left_out(report: dict[str, Any]) -> str:
    lines = [f"{name}: {reason}" for name, reason in report.get("unusable", {}).items()]
    for name, table in report["sets"].items():
        lines += [f"{name}: {entry}: {reason}" for entry, reason in table["failed"].items()]
        lines += [f"{name}: {item['name']}: {item['reason']}" for item in table["broken"]]
    found = "".join(f"<li>{escape(note)}</li>" for note in report["notes"])
    found = f"<ul class='notes'>{found}</ul>" if found else ""
    if lines:
        items = "".join(f"<li>{escape(line)}</li>" for line in lines)
        found += f"<details open><summary>{len(lines)} could not be used</summary><ul>{items}</ul></details>"
    return found


def _other_columns(report: dict[str, Any]) -> str:
    table = html_table(report, False)
    return f"<details><summary>All other columns</summary>{table}</details>" if table else ""


def _pictures(report: dict[str, Any], cases: dict[str, Sequence[Case]]) -> str:
    drawn = sections.case_pictures(report, cases)
    if not drawn:
        return ""
    return (
        "<p>Of every entry the photographs on which it did worst, middling and best. Below each picture is "
        "the "
        "distance of its colours from the truth: dark is right.</p>" + drawn
    )


def _scatter(report: dict[str, Any]) -> str:
    if not any(of["metrics"] for of in _points(report).values()):
        return ""
    selects = "".join(
        f'<label>{label} <select id="{key}"></select></label>'
        for key, label in (("of-set", "Set"), ("metric", "Column"), ("across", "Across"), ("up", "Upwards"))
    )
    return (
        "<p>Every dot is a photograph, placed by two entries' values. On the line they are equal. Point at "
        "a dot to "
        f'see its name.</p><form class="picks">{selects}</form>'
        '<p id="scatter-says" role="status"></p><div id="scatter"></div>'
    )


def _points(report: dict[str, Any]) -> dict[str, Any]:
    """What the scatter plot needs: numbers of at most 1000 photographs of each set, evenly spread."""
    found = {}
    for name, table in report["sets"].items():
        listed = table["per_image"]
        listed = listed[:: max(1, -(-len(listed) // _MOST_POINTS))]
        entries = list(table["rows"])
        # a column of one entry alone has nothing to be plotted against
        keys = [
            m
            for m in columns(report)
            if listed and sum(m.key in listed[0]["values"][entry] for entry in entries) > 1
        ]
        found[name] = {
            "names": [one["name"].replace("\\", "/").rpartition("/")[2] for one in listed],
            "metrics": {m.key: {"title": m.title, "better": m.better, "decimals": m.decimals} for m in keys},
            "entries": {
                entry: {
                    m.key: [one["values"][entry][m.key] for one in listed]
                    for m in keys
                    if m.key in listed[0]["values"][entry]
                }
                for entry in entries
            },
        }
    return found


def _calibration(report: dict[str, Any]) -> str:
    drawn = sections.calibrations(report)
    if not drawn:
        return ""
    return (
        "<p>These models say how likely they think every colour. Left: how often the likeliest colour was "
        "right, "
        "against how sure the model was; on the dashed line it is exactly as sure as it should be, below "
        "it too "
        "sure (full line: the nearest of 313 colours counts as right; thin line: neighbours count in part, "
        "as in "
        "training). Right: the plane of colours, grey in the middle, red to the right, yellow upwards; "
        "<b class='often'>red</b> squares are colours that the model expects more often than they are there, "
        "<b class='rarely'>blue</b> ones less often.</p>" + drawn
    )


def _machine(report: dict[str, Any]) -> str:
    machine = report.get("machine")
    if not machine or not machine["cost"]:
        return ""
    heads = {
        "ms_alone": "ms, one at a time",
        "ms_in_batches": "ms, in batches",
        "peak_mb": "peak memory, MB",
        "loaded_mb": "of it before the first photograph",
        "peak_device_mb": "peak on the card, MB",
    }
    heads = {key: title for key, title in heads.items() if any(key in of for of in machine["cost"].values())}
    head = "".join(f'<th scope="col"><button type="button">{title}</button></th>' for title in heads.values())
    rows = []
    for name, of in machine["cost"].items():
        cells = "".join(f'<td data-value="{of.get(key, "")}">{of.get(key, "")}</td>' for key in heads)
        rows.append(f'<tr><th scope="row" data-value="{escape(name)}">{escape(name)}</th>{cells}</tr>')
    first = next(iter(machine["cost"].values()))
    where = ", ".join(f"{key} {value}" for key, value in machine.items() if key != "cost")
    return (
        f"<p>Milliseconds a photograph of {first['side']:g} px through network and decoding, float32 "
        "(medians of "
        f"{first['repeats']:g} batches of 1 and of {first['batch_size']:g}), and the most memory that a "
        "process "
        f"with this network alone took. Numbers of this machine ({escape(where)}): no part of the "
        "protocol.</p>"
        '<div class="wide" tabindex="0"><table class="sortable"><thead><tr><th scope="col"><button '
        'type="button">'
        f"Entry</button></th>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _meanings(report: dict[str, Any]) -> str:
    side = {"lower": "Lower is better.", "higher": "Higher is better.", None: "No better side."}
    rows = "".join(
        f"<dt>{escape(m.title)}</dt><dd>{escape(m.means)} <i>{side[m.better]}</i> "
        f"<small>Equal elsewhere to {m.agreement:g}.</small></dd>"
        for m in columns(report)
    )
    return f"<dl>{rows}</dl>"


def _protocol(report: dict[str, Any]) -> str:
    entries = "".join(
        f"<h4>{escape(name)}</h4>{sections.definitions(of)}" for name, of in report["entries"].items()
    )
    return (
        f"<p>{escape(report['agreement'].capitalize())}.</p>"
        f"<details><summary>Protocol</summary>{sections.definitions(report['protocol'])}</details>"
        f"<details><summary>Entries</summary>{entries}</details>"
        f"<details><summary>Software</summary>{sections.definitions(report['software'])}</details>"
    )
