"""The command in this process, and a folder to work in."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def work(tmp_path, monkeypatch):
    """An empty folder, and the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def colorize(run, weights):
    """The verb colorize with the tiny weights on the CPU, in float32 for repeatable results."""

    def invoke(*arguments):
        return run("colorize", *arguments, "--model", weights, "--device", "cpu", "--precision", "fp32")

    return invoke


@pytest.fixture
def video(run, weights):
    """``gan-colorize video`` with a small model, on the CPU."""

    def invoke(*arguments):
        return run("video", *arguments, "--model", weights, "--device", "cpu", "--precision", "fp32")

    return invoke


@pytest.fixture
def grey_files():
    """A function that writes grey pictures of 70x50 with structure under the given names."""

    def write(*names):
        for index, name in enumerate(names):
            coarse = np.random.default_rng(index).integers(0, 256, (5, 7), dtype=np.uint8)
            picture = Image.fromarray(coarse).resize((70, 50), Image.Resampling.BICUBIC)
            Path(name).parent.mkdir(parents=True, exist_ok=True)
            picture.save(name)

    return write
