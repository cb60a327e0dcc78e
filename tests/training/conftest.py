"""A config that trains in seconds."""

import pytest

from gan_colorize.config import Config, load_config


@pytest.fixture
def config(tiny_overrides: list[str]) -> Config:
    return load_config((), tiny_overrides)
