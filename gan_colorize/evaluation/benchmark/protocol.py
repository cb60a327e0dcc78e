"""What was measured and how, as an id: reports whose ids differ are not comparable."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..lpips_metric import VERSION as LPIPS_VERSION
from ..lpips_metric import Lpips
from ..protocol import Settings, describe
from ..semantic import Recogniser, label_of
from . import bootstrap, calibration, kid, paired
from .inception import LAYER, Inception

# Goes up when a change to this package changes the numbers of an unchanged entry.
BENCHMARK_VERSION = 2


@dataclass(frozen=True)
class Tools:
    """What measures: LPIPS by the name of its column, and what is not there is None.

    samples: how many colourings of a distribution are drawn, the first with ``seed``.
    """

    lpips: Mapping[str, Lpips]
    recogniser: Recogniser | None = None
    inception: Inception | None = None
    samples: int = 4
    seed: int = 0


def measurement(settings: Settings, tools: Tools) -> dict[str, Any]:
    """Everything that changes what one picture is worth; photographs and statistics are not in it."""
    evaluated = describe(settings, None, [], tools.recogniser)
    left = ("id", "photographs", "photographs_sha256", "lpips")
    measured: dict[str, Any] = {"benchmark_version": BENCHMARK_VERSION}
    measured |= {key: value for key, value in evaluated.items() if key not in left}
    measured["lpips"] = {
        key: f"v{LPIPS_VERSION}, trunk {lpips.trunk_sha256}" for key, lpips in sorted(tools.lpips.items())
    }
    measured["recogniser"] = None if tools.recogniser is None else tools.recogniser.name
    measured["decoding"] = "annealed mean at each model's own temperature and saturation, float32"
    measured["calibration"] = (
        f"temperature 1, the output grid without padding; NLL of the 5-neighbour soft target; "
        f"{calibration.CONFIDENCE_BINS} bins of equal width; right: the nearest of 313 bins"
    )
    drawn = f"{tools.samples} samples at temperature 1, seeds from {tools.seed}"
    measured["samples"] = f"{drawn}; LPIPS of {_first(tools)}" if tools.samples else None
    measured["inception"] = (
        None if tools.inception is None else f"torch-fidelity, layer {LAYER}, sha256 {tools.inception.sha256}"
    )
    return measured


def _first(tools: Tools) -> str | None:
    return next(iter(tools.lpips), None)


def describe_benchmark(
    settings: Settings, tools: Tools, photographs: Mapping[str, Iterable[tuple[str, str]]]
) -> dict[str, Any]:
    """The protocol of a report and its id.

    Args:
        photographs: of each set, sha256 and name of every measured file. Sets' names, the order of sets and
            of files, and where files lie change nothing (but their names do where the recogniser reads them).
    """
    named = tools.recogniser is not None
    sets = {name: _contents(list(files), named) for name, files in photographs.items()}
    protocol = measurement(settings, tools)
    protocol["kid"] = None
    if tools.inception is not None:
        protocol["kid"] = (
            f"cubic kernel, unbiased; {kid.SUBSETS} subsets of {kid.SUBSET_SIZE} photographs, or one of all "
            f"when they are fewer; seed {kid.SEED}"
        )
    protocol["bootstrap"] = (
        f"percentile, {bootstrap.RESAMPLES} resamples of photographs, seed {bootstrap.SEED}, "
        f"{100 * bootstrap.CONFIDENCE:g} %; rebalanced AuC with weights that keep every colour class "
        "(Rubin 1981); FID and classwise ECE have no interval, "
        f"KID up to {kid.LARGEST_BOOTSTRAP} photographs, over all of them"
    )
    protocol["tests"] = (
        f"sign flips ({paired.FLIPS}, seed {paired.SEED}; exact where they are fewer) for means over "
        "photographs, "
        f"else paired bootstrap; Holm over the pairs of a column and set; level {paired.LEVEL:g}"
    )
    contents = sorted(sets.values(), key=lambda of: of["photographs_sha256"])
    protocol["sets"] = contents
    digest = hashlib.sha256(json.dumps(protocol, sort_keys=True).encode()).hexdigest()
    total = sum(of["photographs"] for of in contents)
    size = {"centre-crop": f"crop{settings.size}", "stretch": f"stretch{settings.size}"}
    first = (_first(tools) or "nolpips").removeprefix("lpips_")
    found = f"bench-{size.get(settings.resize, settings.resize)}-n{total}-{first}-{digest[:12]}"
    return {"id": found, **protocol, "sets": sets}


def _contents(files: list[tuple[str, str]], named: bool) -> dict[str, Any]:
    hashes = sorted(sha256 for sha256, _ in files)
    of: dict[str, Any] = {
        "photographs": len(files),
        "photographs_sha256": hashlib.sha256("\n".join(hashes).encode()).hexdigest(),
    }
    if named:
        labels = sorted(f"{sha256} {label_of(name)}" for sha256, name in files)
        of["labels_sha256"] = hashlib.sha256("\n".join(labels).encode()).hexdigest()
    return of


def differing(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[str]:
    """The fields in which two protocols differ, sets by their content and not by their name."""
    found = []
    for key in sorted((a.keys() | b.keys()) - {"id"}):
        pair = [protocol.get(key) for protocol in (a, b)]
        if key == "sets":
            pair = [sorted(json.dumps(of, sort_keys=True) for of in (sets or {}).values()) for sets in pair]
        if pair[0] != pair[1]:
            found.append(key)
    return found
