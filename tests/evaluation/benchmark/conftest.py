"""A benchmark of networks whose answers are known, on a handful of small pictures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gan_colorize.data.folder import open_source
from gan_colorize.evaluation.benchmark.entries import Entry, External, Grey, Model, ceilings
from gan_colorize.evaluation.benchmark.gather import SetOfPhotographs
from gan_colorize.evaluation.benchmark.parts import Parts
from gan_colorize.evaluation.benchmark.protocol import Tools, measurement
from gan_colorize.evaluation.benchmark.runner import benchmark
from gan_colorize.evaluation.lpips_metric import load_lpips
from gan_colorize.evaluation.protocol import Settings

BLUE, RED = 20, 250
CROP = Settings(size=48, grid=0)


@pytest.fixture(scope="session")
def tools(random_trunk: Path) -> Tools:
    return Tools({"lpips_alex": load_lpips("alex", random_trunk)}, samples=2)


@pytest.fixture
def entries_of(one_colour: type, tools: Tools) -> Callable[..., list[Entry]]:
    """Models by name and the bin that each predicts everywhere, folders by name, and the references."""

    def make(bins: dict[str, int], folders: dict[str, Path] | None = None, settings: Settings = CROP) -> Any:
        models = [
            Model(name, one_colour(number), f"{name}.safetensors", f"{number}", "cpu", tools.samples, 0)
            for name, number in bins.items()
        ]
        others = [
            External(name, str(folder), settings.resize, settings.size)
            for name, folder in (folders or {}).items()
        ]
        return [*models, *others, Grey(), *ceilings(models)]

    return make


@pytest.fixture
def measured(tools: Tools, tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """Run a benchmark of ``entries`` on the folder ``data``; its parts lie in the test's own folder."""

    def run(entries: list[Entry], data: Path, settings: Settings = CROP, **options: Any) -> dict[str, Any]:
        with_tools = options.pop("tools", tools)
        parts = Parts(options.pop("output", tmp_path / "out"), measurement(settings, with_tools))
        sets = options.pop("sets", None) or [SetOfPhotographs("small", open_source(data))]
        return benchmark(entries, sets, settings, with_tools, parts, "cpu", **options)

    return run
