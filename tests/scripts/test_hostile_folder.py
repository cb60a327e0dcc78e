"""A part of the hostile folder through the command line: good ones coloured, bad ones named, no others.

What is expected of every file is written down by whoever made it, from the numbers that went in.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

pytest.importorskip("cv2", reason="one of the folder's independent encoders")

from gan_colorize.models import create_model
from gan_colorize.zoo.checkpoint import save_model

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse many of the names")


@pytest.fixture(scope="module")
def tiny_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(5)
    options = {"encoder_widths": [8] * 5, "decoder_widths": [8] * 4}
    model = create_model("unet", options | {"encoder_blocks": [0] * 5, "decoder_blocks": [0] * 4})
    path = tmp_path_factory.mktemp("hostile") / "tiny.safetensors"
    save_model(path, model, {"working_size": 64, "images_seen": 3, "licence": "none"})
    return path


@linux_only
def test_hostile_folder(script: Callable[[str], ModuleType], tmp_path: Path, tiny_weights: Path) -> None:
    trial = script("hostile_trial")
    options = ("--model", str(tiny_weights), "--device", "cpu", "--precision", "fp32")
    verdict, run, cases = trial.trial(tmp_path / "trial", 0, True, 200, 2500, *options)
    assert verdict.problems == []
    assert run.code == 1
    assert len(cases) >= 120 and len({case.kind for case in cases}) >= 60
    assert verdict.counts["coloured"] >= 80 and verdict.counts["failed"] >= 40


@linux_only
def test_the_judge_is_strict(script: Callable[[str], ModuleType], tmp_path: Path) -> None:
    """A program that does nothing, or too much, does not pass."""
    trial, folder = script("hostile_trial"), script("hostile_folder")
    cases = folder.build(tmp_path / "trial", small=True)
    root = tmp_path / "trial" / "hostile"
    output = root / "colour"
    good = next(case for case in cases if case.outcome == "good" and case.name.endswith(".png"))
    bad = next(case for case in cases if case.outcome == "bad" and case.data is None)
    entries = [
        {"input": str(root / good.name), "status": "coloured", "outputs": [{"path": "wrong.png"}]},
        {"input": str(root / bad.name), "status": "coloured", "outputs": []},
    ]
    turned = script("hostile.by_hand").png(np.full((7, 5, 3), 90, np.uint8), 8, 2)
    (output / "wrong.png").write_bytes(turned)
    (output / ".part-left").write_bytes(b"half")
    (output / "colorize-report.json").write_text(json.dumps({"files": entries}))
    run = trial.Run(0, 1.0, 0, "", "Traceback\nError: \x1b[31mred\n")
    problems = "\n".join(trial.judge(root, output, cases, run, set()).problems)
    for words in (
        "exit code 0",
        "a traceback",
        "control characters",
        "size (5, 7) instead",
        "coloured, and is bad",
    ):
        assert words in problems
    assert ".part-left: left behind" in problems
    assert problems.count("told 0 times") > 100
    before = trial.snapshot(tmp_path / "trial", output)
    (tmp_path / "trial" / "outside" / "canary.txt").write_text("sung")
    os.utime(root / good.name, ns=(1, 1))
    after = trial.snapshot(tmp_path / "trial", output)
    changed = {name for name in before if before[name] != after.get(name)}
    assert changed == {str(tmp_path / "trial" / "outside" / "canary.txt"), str(root / good.name)}


def test_quarters_tell_every_turn_apart(script: Callable[[str], ModuleType]) -> None:
    case, png = script("hostile.case"), script("hostile.good_png")
    upright = case.photograph(seed=1)
    seen = {tuple(case.quarters(png.turned_away(upright, turn))) for turn in range(1, 9)}
    assert len(seen) == 8
    assert np.abs(np.subtract(case.quarters(upright), case.quarters(1 - upright))).max() > 0.3
