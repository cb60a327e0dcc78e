"""Small drawings as SVG: intervals, curves of confidence, colour bins. No library, no script."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from ...color.bins import bin_centres
from .metrics import Metric

_ROW, _LEFT, _WIDTH, _RIGHT = 24, 100, 190, 64
_LETTERS = 14  # of a name that fit


def intervals(
    metric: Metric,
    values: Mapping[str, float],
    ci95: Mapping[str, Sequence[float] | None],
    kinds: Mapping[str, str],
) -> str:
    """Every entry's value as a dot on its 95 % interval, one below the other on one scale."""
    ends = [end for name in values for end in (ci95.get(name) or [values[name]])]
    low, high = min([*ends, *values.values()]), max([*ends, *values.values()])
    room = (high - low) * 0.06 or 0.5
    low, high = low - room, high + room
    height = _ROW * len(values) + 30

    def x(value: float) -> float:
        return _LEFT + (value - low) / (high - low) * _WIDTH

    arrow = {"lower": "lower is better", "higher": "higher is better", None: "neither side is better"}
    label = f"{metric.title}: value and 95 % interval of every entry, {arrow[metric.better]}"
    parts = [_svg(_LEFT + _WIDTH + _RIGHT, height, label)]
    for number, (name, value) in enumerate(values.items()):
        y = 14 + _ROW * number
        kind = escape(kinds.get(name, ""))
        text = f"{value:.{metric.decimals}f}"
        parts.append(f'<text x="{_LEFT - 10}" y="{y + 4}" text-anchor="end">{escape(_cut(name))}</text>')
        parts.append(f'<line class="rail" x1="{_LEFT}" x2="{_LEFT + _WIDTH}" y1="{y}" y2="{y}"/>')
        if interval := ci95.get(name):
            text += f" ({interval[0]:.{metric.decimals}f} to {interval[1]:.{metric.decimals}f})"
            a, b = (x(end) for end in interval)
            parts.append(f'<line class="whisker {kind}" x1="{a:.1f}" x2="{b:.1f}" y1="{y}" y2="{y}"/>')
        title = f"<title>{escape(name)}: {text}</title>"
        parts.append(f'<circle class="dot {kind}" cx="{x(value):.1f}" cy="{y}" r="5">{title}</circle>')
        shown = f"{value:.{metric.decimals}f}"
        parts.append(f'<text class="number" x="{_LEFT + _WIDTH + 10}" y="{y + 4}">{shown}</text>')
    y = _ROW * len(values) + 8
    for end, anchor in ((low, "start"), (high, "end")):
        shown = f"{end:.{min(metric.decimals, 3)}f}"
        parts.append(
            f'<text class="tick" x="{x(end):.1f}" y="{y + 12}" text-anchor="{anchor}">{shown}</text>'
        )
    return "".join([*parts, "</svg>"])


def reliability(name: str, of: Mapping[str, Any]) -> str:
    """Confidence against being right; the diagonal is a model that knows what it knows."""
    side, margin = 220, 34

    def at(value: float, up: float) -> str:
        return f"{margin + value * side:.1f},{margin + (1 - up) * side - 24:.1f}"

    label = f"{name}: how often right (upwards) against how sure (to the right)"
    parts = [_svg(side + margin + 12, side + margin + 30, label)]
    corners = " ".join(at(*corner) for corner in ((0, 0), (1, 0), (1, 1), (0, 1)))
    parts.append(f'<polygon class="frame" points="{corners}"/>')
    parts.append(f'<polyline class="ideal" points="{at(0, 0)} {at(1, 1)}"/>')
    for key, kind in (("right", "model"), ("right_soft", "soft")):
        points = [
            at(c, r)
            for c, r in zip(of["confidence"], of[key], strict=True)
            if c is not None and r is not None
        ]
        parts.append(f'<polyline class="curve {kind}" points="{" ".join(points)}"/>')
        for point, share in zip(points, [share for share in of["share"] if share > 0], strict=False):
            x, y = point.split(",")
            title = f"<title>{100 * share:.1f} % of the pixels</title>"
            radius = 1.5 + 7 * math.sqrt(share)
            parts.append(f'<circle class="dot {kind}" cx="{x}" cy="{y}" r="{radius:.1f}">{title}</circle>')
    bottom = side + margin
    parts.append(f'<text class="tick" x="{margin}" y="{bottom - 8}">0</text>')
    parts.append(f'<text class="tick" x="{margin + side}" y="{bottom - 8}" text-anchor="end">1</text>')
    middle = margin + side / 2
    parts.append(f'<text class="tick" x="{middle}" y="{bottom + 10}" text-anchor="middle">how sure</text>')
    parts.append(
        f'<text class="tick" transform="translate(14 {margin + side / 2 - 24}) rotate(-90)" '
        'text-anchor="middle">how often right</text>'
    )
    return "".join([*parts, "</svg>"])


def bins(name: str, of: Mapping[str, Sequence[float]]) -> str:
    """The 313 colour bins in the ab plane: blue where the model expects one too rarely, red too often."""
    side = 10
    label = f"{name}: colours that are expected too rarely (blue) or too often (red)"
    parts = [_svg(23 * side, 23 * side, label)]
    for (a, b), expected, seen in zip(
        bin_centres().tolist(), of["predicted"], of["observed_soft"], strict=True
    ):
        x, y = (a + 110) / 10 * side, (110 - b) / 10 * side
        if seen <= 0 and expected < 1e-6:
            kind, strength, said = "none", 0.25, "never there"
        else:
            # factors of two; a colour in a millionth of the pixels says nothing
            ratio = math.log2((expected + 1e-6) / (seen + 1e-6))
            kind = "often" if ratio > 0 else "rarely"
            strength = min(1.0, abs(ratio) / 3)
            said = f"expected {100 * expected:.3f} %, there {100 * seen:.3f} %"
        parts.append(
            f'<rect class="bin {kind}" style="fill-opacity:{strength:.2f}" x="{x:g}" y="{y:g}" '
            f'width="{side - 1}" '
            f'height="{side - 1}"><title>a {a:g}, b {b:g}: {said}</title></rect>'
        )
    return "".join([*parts, "</svg>"])


def _svg(width: float, height: float, label: str) -> str:
    size = f'viewBox="0 0 {width:g} {height:g}" style="max-width:{width:g}px"'
    return f'<svg {size} role="img" aria-label="{escape(label)}">'


def _cut(name: str) -> str:
    return name if len(name) <= _LETTERS else name[: _LETTERS - 1] + "\N{HORIZONTAL ELLIPSIS}"
