"""A tiny network with strong colours, and pictures with structure."""

import numpy as np
import pytest
import torch
from PIL import Image

from gan_colorize.inference.predictor import Predictor
from gan_colorize.models import create_model

TINY = {
    "encoder_widths": [8] * 5,
    "encoder_blocks": [0] * 5,
    "decoder_widths": [8] * 4,
    "decoder_blocks": [0] * 4,
}


@pytest.fixture(scope="session")
def network():
    """Random, with logits so far apart that its colours are vivid and its BatchNorms not trivial."""
    torch.manual_seed(5)
    model = create_model("unet", TINY)
    torch.nn.init.normal_(model.head.weight, std=2.0)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.normal_(module.bias, std=0.2)
            module.running_mean.normal_(0.0, 0.2)
            module.running_var.uniform_(0.5, 1.5)
    model.metadata = {"working_size": "64", "temperature": "0.38"}
    return model.eval()


@pytest.fixture(scope="session")
def predictor(network):
    return Predictor(network, "cpu", "fp32")


@pytest.fixture(scope="session")
def grey_picture():
    """A function (height, width, seed) -> uint8 (H, W) with soft and hard edges."""

    def make(height, width, seed=0):
        coarse = np.random.default_rng(seed).integers(0, 256, (5, 7), dtype=np.uint8)
        picture = np.array(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))
        picture[: height // 3, : width // 4] = 255
        picture[-(height // 4) :, -(width // 5) :] = 0
        return picture

    return make


@pytest.fixture(scope="session")
def tiny_unet():
    """Options of the smallest U-Net."""
    return dict(TINY)


@pytest.fixture(scope="session")
def listener():
    """As ``network``, one that listens to hints, palettes and statistics."""
    torch.manual_seed(5)
    model = create_model("unet", TINY | {"steering": True})
    torch.nn.init.normal_(model.head.weight, std=2.0)
    told = (*model.steering.hints, model.steering.mixed, model.steering.again)
    for layer in (*told, model.histogram[-1], model.saturation[-1]):  # which begin at zero
        torch.nn.init.normal_(layer.weight, std=0.5)
    model.metadata = {"working_size": "64", "temperature": "0.38"}
    return model.eval()


@pytest.fixture(scope="session")
def as_gpu():
    """A function: a kind of Predictor -> one that says it is an accelerator, and works on the CPU."""

    def make(kind):
        class Gpu(kind):
            def __init__(self, network):
                super().__init__(network, "cpu", "fp32")
                self.device = torch.device("meta")

            def _pass(self, planes, conditions=None):
                self.device, before = torch.device("cpu"), self.device
                try:
                    return super()._pass(planes, conditions)
                finally:
                    self.device = before

        return Gpu

    return make
