"""A tiny training run, what it leaves when nothing disturbs it, and runs to disturb."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from training_runs import Run, weights_and_metadata, whole_state

SETTINGS = {
    "model.options.encoder_widths": "[8,8,8,8,8]",
    "model.options.decoder_widths": "[8,8,8,8]",
    "model.options.encoder_blocks": "[0,0,0,0,0]",
    "model.options.decoder_blocks": "[0,0,0,1]",
    "discriminator.options.width": "4",
    "data.validation_images": "2",
    "data.validation_size": "64",
    "data.workers": "0",
    "data.cache_gigabytes": "0",
    "run.log_every": "4",
    "run.validate_every": "24",
    "run.checkpoint_every": "8",
    "run.precision": "fp32",
    "run.temperature": "0.5",
    "phases": "[{train: generator, images: 24, crop_size: 64, batch_size: 4},"
    "{train: both, images: 24, crop_size: 64, batch_size: 4}]",
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if os.name != "posix" and here in item.path.parents:
            item.add_marker(pytest.mark.skip(reason="signals and mounts of POSIX"))


@pytest.fixture(scope="session")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve small colourful pictures."""
    folder = tmp_path_factory.mktemp("photographs")
    rng = np.random.default_rng(0)
    for index in range(12):
        coarse = Image.fromarray(rng.integers(0, 256, (5, 5, 3), dtype=np.uint8))
        coarse.resize((80, 80), Image.Resampling.BICUBIC).save(folder / f"{index:02d}.png")
    return folder


@pytest.fixture
def train(tmp_path: Path, photographs: Path) -> Iterator[Callable[..., Run]]:
    """A function that starts ``gan-colorize train`` in a process of its own."""
    begun: list[Run] = []

    def start(
        folder: Path,
        *extra: str,
        fault: Callable[[], None] | None = None,
        data: Path = photographs,
        **changes: str,
    ) -> Run:
        settings = SETTINGS | {key.replace("__", "."): value for key, value in changes.items()}
        overrides = [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]
        arguments = ["train", "--data", str(data), "--output", str(folder), "--device", "cpu", *overrides]
        begun.append(Run([*arguments, *extra], tmp_path / f"{folder.name}.said", fault))
        return begun[-1]

    yield start
    for run in begun:
        run.end()


@pytest.fixture(scope="session")
def undisturbed(photographs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that nothing disturbed."""
    folder = tmp_path_factory.mktemp("undisturbed") / "run"
    overrides = [part for key, value in SETTINGS.items() for part in ("--set", f"{key}={value}")]
    arguments = ["train", "--data", str(photographs), "--output", str(folder), "--device", "cpu", *overrides]
    run = Run(arguments, folder.with_name("run.said"))
    assert run.wait() == 0, run.said
    return folder


@pytest.fixture
def same(undisturbed: Path) -> Callable[[Path], None]:
    """A function that fails unless a run left, bit for bit, what the undisturbed one did."""

    def check(folder: Path) -> None:
        assert (folder / "stats.jsonl").read_text() == (undisturbed / "stats.jsonl").read_text()
        for name in ("model.safetensors", "best/model.safetensors"):
            assert weights_and_metadata(folder / name) == weights_and_metadata(undisturbed / name)
        ours, theirs = (whole_state(there) for there in (folder, undisturbed))
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[key], theirs[key]) for key in ours)

    return check
