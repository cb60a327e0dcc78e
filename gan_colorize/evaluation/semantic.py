"""The semantic check (Zhang, Isola, Efros 2016, section 3.1): does a recogniser know what pictures show?

Top-1 of torchvision's MobileNetV2 (the paper: VGG-16) on coloured pictures, beside the grey picture and the
truth. It was trained on colour photographs, so plausible colours help it and wrong ones mislead it.
"""

from __future__ import annotations

import functools
import hashlib
import io
import re
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from ..errors import UserError
from .lpips_metric import cached_path

if TYPE_CHECKING:
    from torchvision.models import MobileNet_V2_Weights

BATCH = 32  # pictures of 224x224 at a time: small photographs come by the thousand

# Names that two classes of ImageNet share, give or take a capital; only the WordNet id tells which is meant.
# Numbers are positions in torchvision's list, which follows the ids' order.
HOMONYMS = {
    "cardigan": {"n02113186": 264, "n02963159": 474},  # the dog, the garment
    "crane": {"n02012849": 134, "n03126707": 517},  # the bird, the machine
    "maillot": {"n03710637": 638, "n03710721": 639},  # tights, the swimsuit
}
_NAME = re.compile(r"(?:(n\d{8})[ _-]+)?(.*?)(?:[ _-]*\d+)?", re.DOTALL)


def _weights() -> MobileNet_V2_Weights:
    from torchvision.models import MobileNet_V2_Weights

    return MobileNet_V2_Weights.IMAGENET1K_V1


@functools.cache
def _class_of_name() -> dict[str, int]:
    return {_plain(name): index for index, name in enumerate(_weights().meta["categories"])}


def _plain(name: str) -> str:
    """Class names as file names write them differ in case, blanks, apostrophes and hyphens."""
    return re.sub("[^a-z0-9]+", " ", name.lower()).strip()


def label_of(name: str) -> int | None:
    """ImageNet class 0..999 of a photograph whose file, or else its folder, is called after it.

    ``n01440764_tench.webp``, ``tench_12.jpg`` and ``tench/12.jpg`` are all class 0. A name of two classes
    needs the WordNet id; an id alone says nothing here, as no table of ids comes with torchvision.

    Returns:
        None when neither name is a class of torchvision's list.
    """
    path = Path(name)
    for part in (path.stem, path.parent.name):
        wordnet_id, words = _NAME.fullmatch(part).groups()
        plain = _plain(words)
        label = HOMONYMS[plain].get(wordnet_id) if plain in HOMONYMS else _class_of_name().get(plain)
        if label is not None:
            return label
    return None


class Recogniser(nn.Module):
    """Names what a picture shows.

    Args:
        network: (N, 3, 224, 224) normalised as torchvision does -> (N, 1000) logits.
        name: for the report.
    """

    def __init__(self, network: nn.Module, name: str) -> None:
        super().__init__()
        self.network = network.requires_grad_(False).eval()
        self.name = name
        self.prepare = _weights().transforms()  # short side to 256, centre 224, mean and spread of ImageNet

    @torch.no_grad()
    def forward(self, rgb8: Tensor) -> list[int]:
        """The likeliest class of each picture (N, 3, H, W) uint8, in float32."""
        from torchvision.transforms.functional import center_crop

        # the square first: a strip's long side would grow without bound when its short one becomes 256
        square = center_crop(rgb8, min(rgb8.shape[-2:]))
        with torch.autocast(rgb8.device.type, enabled=False):
            logits = [self.network(self.prepare(part)) for part in square.split(BATCH)]
        return torch.cat(logits).argmax(1).tolist()

    def compare(self, pictures: list[int], truth: list[int], names: list[str]) -> dict[str, list]:
        """Numbers of pictures recognised as ``pictures``, whose true photographs are seen as ``truth``.

        Returns:
            ``top1``: 100 when it is the class of the photograph's name, else 0; None without such a name.
            ``top1_agreement``: 100 when it is what the truth is recognised as, right or wrong, else 0.
        """
        labels = [label_of(name) for name in names]
        return {
            "top1": [
                None if label is None else 100.0 * (seen == label)
                for seen, label in zip(pictures, labels, strict=True)
            ],
            "top1_agreement": [100.0 * (a == b) for a, b in zip(pictures, truth, strict=True)],
        }


def load_recogniser(device: str | torch.device = "cpu") -> Recogniser:
    """MobileNetV2 with ImageNet weights from torch's own cache; nothing is downloaded.

    Raises:
        UserError: the file is not there, or not torchvision's.
    """
    from torchvision.models import mobilenet_v2

    url = _weights().url
    path = cached_path(url)
    name, _, digest = path.stem.rpartition("-")  # torchvision names a file after its sha256
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise UserError(f"--semantic: no {path}: set TORCH_HOME, or put {url} there") from error
    except OSError as error:
        raise UserError(f"--semantic: {path}: cannot be read ({error.strerror})") from error
    if not hashlib.sha256(content).hexdigest().startswith(digest):
        raise UserError(f"--semantic: {path}: cut short or another file; delete it and put {url} there")
    with torch.device("meta"):  # no time for random numbers that are thrown away
        network = mobilenet_v2(weights=None)
    network.load_state_dict(
        torch.load(io.BytesIO(content), map_location="cpu", weights_only=True), assign=True
    )
    return Recogniser(network, f"torchvision {name} {_weights().name}, sha256 {digest}").to(device)
