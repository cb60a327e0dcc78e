"""The command in this process, weights of a tiny network, and a folder to work in."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from gan_colorize.models import create_model
from gan_colorize.zoo.checkpoint import save_model

TINY = {
    "encoder_widths": [8] * 5,
    "encoder_blocks": [0] * 5,
    "decoder_widths": [8] * 4,
    "decoder_blocks": [0] * 4,
}


@pytest.fixture(scope="session")
def weights(tmp_path_factory):
    """A random network with strong colours, saved."""
    torch.manual_seed(5)
    model = create_model("unet", TINY)
    torch.nn.init.normal_(model.head.weight, std=2.0)
    torch.nn.init.normal_(model.head.bias, std=2.0)
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    save_model(path, model, {"working_size": 64, "images_seen": 3, "licence": "none"})
    return path


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
