"""The table of a report: which columns and rows, in which order, and who is best; as plain text and HTML."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Any

from .metrics import BY_KEY, LPIPS_KEYS, Metric

# What a stranger should read first; the other columns stand in a table of their own.
MAIN = (
    *LPIPS_KEYS,
    "fid",
    "kid",
    "psnr",
    "ssim",
    "auc_rebalanced",
    "top1_agreement",
    "mean_delta_colorfulness",
    "colorfulness_ratio",
)
_KINDS = ("model", "external", "grey", "ceiling")
_NONE = "\N{EN DASH}"
ARROWS = {"lower": " \N{DOWNWARDS ARROW}", "higher": " \N{UPWARDS ARROW}", None: ""}


@dataclass(frozen=True)
class Line:
    """One entry on one set; ``standing``: of each column "best", "tied" (not told apart from it) or ""."""

    of_set: str
    entry: str
    kind: str
    values: dict[str, float]
    ci95: dict[str, list[float]]
    standing: dict[str, str]


def columns(report: dict[str, Any], main: bool | None = None) -> list[Metric]:
    """Columns of the report; only the main ones, or only the others."""
    listed = [BY_KEY[of["key"]] for of in report["metrics"] if of["key"] in BY_KEY]
    if main is None:
        return listed
    if main:
        return sorted((m for m in listed if m.key in MAIN), key=lambda m: MAIN.index(m.key))
    return [metric for metric in listed if metric.key not in MAIN]


def lines(report: dict[str, Any], truth: bool = False) -> list[Line]:
    """Models and folders of results first, then what they are held against; ``truth``: the truth too."""
    found = []
    for name, table in report["sets"].items():
        kinds = {entry: report["entries"][entry]["kind"] for entry in table["rows"]}
        best = {metric.key: standings(metric, table, kinds) for metric in columns(report)}
        for entry in sorted(table["rows"], key=lambda e: _KINDS.index(kinds[e])):
            standing = {key: of[entry] for key, of in best.items() if entry in of}
            ci95 = table["ci95"].get(entry, {})
            found.append(Line(name, entry, kinds[entry], table["rows"][entry], ci95, standing))
        if truth:
            found.append(Line(name, "truth", "ceiling", table["truth"], {}, {}))
    return found


def standings(metric: Metric, table: dict[str, Any], kinds: dict[str, str]) -> dict[str, str]:
    """Who is best among models and folders of results, and who cannot be told apart from that one."""
    values = {
        name: row[metric.key]
        for name, row in table["rows"].items()
        if metric.key in row and kinds[name] in ("model", "external")
    }
    if metric.better is None or len(values) < 2:
        return {}
    best = (max if metric.better == "higher" else min)(values, key=values.get)
    found = {best: "best"}
    for pair in table["pairs"]:
        if pair["metric"] == metric.key and pair["verdict"] == "undecided" and best in (pair["a"], pair["b"]):
            other = pair["b"] if pair["a"] == best else pair["a"]
            if other in values:
                found[other] = "tied"
    return found


def shown(metric: Metric, value: float | None) -> str:
    """A value with the column's decimals."""
    return _NONE if value is None else f"{value:.{metric.decimals}f}"


def markdown_table(report: dict[str, Any], main: bool | None, intervals: bool) -> list[str]:
    """Lines of a table; ``intervals``: with 95 % intervals behind the values."""
    chosen, several = columns(report, main), len(report["sets"]) > 1
    heads = (["set"] if several else []) + ["entry"] + [m.title + ARROWS[m.better] for m in chosen]
    found = [
        "| " + " | ".join(heads) + " |",
        "|---" * (len(heads) - len(chosen)) + "|---:" * len(chosen) + "|",
    ]
    for line in lines(report, truth=main is False):
        cells = ([line.of_set] if several else []) + [line.entry]
        for metric in chosen:
            text = shown(metric, line.values.get(metric.key))
            if intervals and (ends := line.ci95.get(metric.key)):
                text += f" ({shown(metric, ends[0])} to {shown(metric, ends[1])})"
            cells.append(f"**{text}**" if line.standing.get(metric.key) == "best" else text)
        found.append("| " + " | ".join(marked_down(cell) for cell in cells) + " |")
    return found


def marked_down(text: str) -> str:
    """Text for Markdown: a name may hold what Markdown or HTML would take for its own."""
    return escape(text, quote=False).replace("|", "\\|").replace("`", "'").replace("\n", " ")


def html_table(report: dict[str, Any], main: bool) -> str:
    """A sortable table."""
    chosen, several = columns(report, main), len(report["sets"]) > 1
    if not chosen:
        return ""
    heads = [("Set", "")] if several else []
    heads += [("Entry", "")] + [(m.title + ARROWS[m.better], m.means) for m in chosen]
    head = "".join(
        f'<th scope="col" title="{escape(means)}"><button type="button">{escape(title)}</button></th>'
        for title, means in heads
    )
    body = []
    for line in lines(report, truth=not main):
        cells = [f'<td data-value="{escape(line.of_set)}">{escape(line.of_set)}</td>'] if several else []
        cells.append(f'<th scope="row" data-value="{escape(line.entry)}">{escape(line.entry)}</th>')
        for metric in chosen:
            value, ends = line.values.get(metric.key), line.ci95.get(metric.key)
            small = f"<small>{shown(metric, ends[0])} to {shown(metric, ends[1])}</small>" if ends else ""
            key = "" if value is None else repr(value)
            standing = line.standing.get(metric.key, "")
            cells.append(
                f'<td class="{standing}" data-value="{key}"><span>{shown(metric, value)}</span>{small}</td>'
            )
        body.append(f'<tr class="{line.kind}">{"".join(cells)}</tr>')
    return (
        f'<div class="wide" tabindex="0"><table class="sortable"><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(body)}</tbody></table></div>"
    )
