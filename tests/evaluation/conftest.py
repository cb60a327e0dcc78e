"""Networks whose answers are known, pictures, and an LPIPS trunk that needs no real weights."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from gan_colorize.models.contract import Conditions, Contract, Prediction

ALEX_LAYERS = {
    0: (64, 3, 11, 11),
    3: (192, 64, 5, 5),
    6: (384, 192, 3, 3),
    8: (256, 384, 3, 3),
    10: (256, 256, 3, 3),
}


@pytest.fixture(scope="session")
def random_trunk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with the convolutions of AlexNet and none of its classifier."""
    generator = torch.Generator().manual_seed(0)
    state = {}
    for number, shape in ALEX_LAYERS.items():
        state[f"features.{number}.weight"] = (
            torch.randn(shape, generator=generator) / (shape[1] * shape[2] ** 2) ** 0.5
        )
        state[f"features.{number}.bias"] = torch.randn(shape[0], generator=generator) * 0.1
    path = tmp_path_factory.mktemp("trunk") / "alexnet-random.pth"
    torch.save(state, path)
    return path


class OneColour(nn.Module):
    """Predicts one bin everywhere, whatever it sees; its numbers can be worked out."""

    name = "one-colour"
    contract = Contract(frozenset(), "distribution", output_stride=4, size_divisor=8)

    def __init__(self, bin_index: int, working_size: int = 32) -> None:
        super().__init__()
        self.bin_index = bin_index
        self.metadata = {"working_size": str(working_size), "temperature": "0.5"}

    def forward(self, lightness: Tensor, conditions: Conditions | None = None) -> Prediction:
        height, width = (side // 4 for side in lightness.shape[-2:])
        logits = torch.zeros(len(lightness), 313, height, width)
        logits[:, self.bin_index] = 100.0
        return Prediction(logits=logits)


class Grey(OneColour):
    """A regression network without any colour."""

    contract = Contract(frozenset(), "ab", output_stride=2, size_divisor=8)

    def __init__(self) -> None:
        super().__init__(0)

    def forward(self, lightness: Tensor, conditions: Conditions | None = None) -> Prediction:
        height, width = (side // 2 for side in lightness.shape[-2:])
        return Prediction(ab=torch.zeros(len(lightness), 2, height, width))


@pytest.fixture(scope="session")
def one_colour() -> type[OneColour]:
    return OneColour


@pytest.fixture(scope="session")
def grey_network() -> Grey:
    return Grey()


def smooth_colours(seed: int, height: int, width: int) -> np.ndarray:
    """(H, W, 3) uint8: a soft-edged picture of a few colours."""
    coarse = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    """A folder of five colour pictures of two sizes, lossless."""
    folder = tmp_path / "photographs"
    folder.mkdir()
    for number, size in enumerate([(48, 48), (40, 56), (48, 48), (40, 56), (48, 48)]):
        Image.fromarray(smooth_colours(number, *size)).save(folder / f"{number}.png")
    return folder
