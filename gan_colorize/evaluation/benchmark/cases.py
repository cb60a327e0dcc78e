"""The photographs that a page shows: worst, median and best for every entry, and where each went wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from PIL import Image

from ...color.fast import rgb8_to_lab
from ...files import encode_image
from ..frames import read_frame
from ..protocol import Settings
from ..ruler import Ruler
from .entries import Entry
from .gather import SetOfPhotographs
from .metrics import BY_KEY, LPIPS_KEYS, Metric

# A page must stay small enough to be sent around: so many photographs in all, each by every entry.
MOST_PHOTOGRAPHS = 32
PICTURE_SIDE, MAP_SIDE = 256, 192  # px, longest
# Colours of a difference map from 0 to LARGEST_ERROR units of ab and beyond, dark to bright.
LARGEST_ERROR = 60.0
SCALE = ((8, 10, 30), (58, 26, 110), (165, 40, 100), (237, 105, 45), (250, 190, 60), (255, 252, 210))


@dataclass
class Case:
    """index: of the photograph in its set; why: what it is an example of ("worst of default")."""

    index: int
    name: str
    why: list[str] = field(default_factory=list)
    values: dict[str, float] = field(default_factory=dict)  # by entry, of the metric that chose
    pictures: dict[str, memoryview] = field(default_factory=dict)  # JPEG by entry, truth and grey among them
    maps: dict[str, memoryview] = field(default_factory=dict)  # JPEG by entry


def deciding_metric(rows: dict[str, dict[str, Any]]) -> Metric:
    """LPIPS where there is one, else PSNR."""
    known = [key for key in LPIPS_KEYS if any(key in row for row in rows.values())]
    return BY_KEY[(known or ["psnr"])[0]]


def choose(table: dict[str, Any], names: Sequence[str], most: int = MOST_PHOTOGRAPHS) -> list[Case]:
    """Photographs of a set's table: two (one where entries are many) for each of worst, median and best.

    Args:
        names: entries that have cases.
    """
    names = [name for name in names if name in table["rows"]]
    if not names:
        return []
    metric, listed = deciding_metric(table["rows"]), table["per_image"]
    each = 2 if 6 * len(names) <= most else 1
    cases: dict[int, Case] = {}
    for kind in ("worst", "median", "best"):
        for name in names:
            values = np.array([one["values"][name][metric.key] for one in listed])
            order = np.argsort(values if metric.better == "higher" else -values, kind="stable")  # worst first
            middle = max(0, (len(order) - each) // 2)
            ranks = {
                "worst": order[:each],
                "median": order[middle : middle + each],
                "best": order[::-1][:each],
            }
            for place in ranks[kind].tolist():
                if place not in cases and len(cases) >= most:
                    continue
                one = listed[place]
                case = cases.setdefault(place, Case(one["index"], one["name"]))
                case.why.append(f"{kind} of {name}")
                case.values = {row: of[metric.key] for row, of in one["values"].items() if metric.key in of}
    return list(cases.values())


@torch.inference_mode()
def draw_cases(
    cases: Sequence[Case], of: SetOfPhotographs, entries: Sequence[Entry], settings: Settings, device: str
) -> None:
    """Colour the photographs again and keep what is shown of them; an entry that fails now has no picture."""
    ruler = Ruler(device, {})
    for case in cases:
        frame = read_frame(of.source, case.index, settings.resize, settings.size)
        if frame.rgb8 is None:
            continue
        truth = ruler.truth(torch.from_numpy(frame.rgb8.copy()).permute(2, 0, 1)[None], [frame.name])
        case.pictures["truth"] = _jpeg(frame.rgb8, PICTURE_SIDE)
        for entry in entries:
            if entry.name in of.failed or entry.kind == "ceiling":
                continue
            try:
                (picture,) = entry.colour(truth, [frame], whole=False).pictures
            except Exception as error:  # its numbers are there: a page without one picture is still a page
                of.notes.append(f"{entry.name}: no picture of {case.name}: {type(error).__name__}: {error}")
                continue
            case.pictures[entry.name] = _jpeg(picture, PICTURE_SIDE)
            case.maps[entry.name] = _jpeg(difference_map(frame.rgb8, picture), MAP_SIDE)


def difference_map(true: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Distance in ab of two pictures (H, W, 3) uint8, as colours of :data:`SCALE`: (H, W, 3) uint8."""
    pair = torch.from_numpy(np.stack([true, other])).permute(0, 3, 1, 2)
    ab = rgb8_to_lab(pair)[:, 1:].numpy()
    error = np.hypot(*(ab[0] - ab[1])) / LARGEST_ERROR
    stops = np.linspace(0.0, 1.0, len(SCALE))
    planes = [np.interp(error, stops, channel) for channel in np.array(SCALE, np.float64).T]
    return np.stack(planes, 2).round().astype(np.uint8)


def _jpeg(rgb8: np.ndarray, side: int) -> memoryview:
    picture = Image.fromarray(rgb8)
    picture.thumbnail((side, side), Image.Resampling.LANCZOS)
    return encode_image("a picture of the page", picture, "JPEG", quality=84)
