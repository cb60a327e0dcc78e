"""A folder of small colourful pictures and a config that trains on it in seconds."""

import numpy as np
import pytest
from PIL import Image

from gan_colorize.config import load_config

TINY = [
    "model.options.encoder_widths=[8,8,8,8,8]",
    "model.options.decoder_widths=[8,8,8,8]",
    "model.options.encoder_blocks=[0,0,0,0,0]",
    "model.options.decoder_blocks=[0,0,0,1]",
    "discriminator.options.width=4",
    "data.validation_images=2",
    "data.validation_size=64",
    "data.workers=0",
    "optimizer.warmup_images=8",
    "run.log_every=8",
    "run.validate_every=16",
    "run.checkpoint_every=16",
    "run.precision=fp32",
    "phases=[{train: generator, images: 32, crop_size: 64, batch_size: 4},"
    "{train: discriminator, images: 16, crop_size: 64, batch_size: 4},"
    "{train: both, images: 32, crop_size: 64, batch_size: 4}]",
]


def make_pictures(folder, count=12, size=80):
    """Two flat halves whose colour follows their lightness: something that can be learnt."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    for index in range(count):
        picture = np.empty((size, size, 3), np.uint8)
        split = int(rng.integers(20, size - 20))
        picture[:split], picture[split:] = (200, 90, 60), (30, 60, 160)
        picture = np.clip(picture + rng.integers(-12, 13, picture.shape), 0, 255).astype(np.uint8)
        Image.fromarray(picture).save(folder / f"{index:02d}.png")
    return folder


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("GAN_COLORIZE_CACHE", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture
def pictures(tmp_path):
    return make_pictures(tmp_path / "pictures")


@pytest.fixture
def config():
    return load_config(None, TINY)
