"""LPIPS (Zhang et al. 2018): distance between deep features, with the package's calibrated heads v0.1.

The heads ship with the ``lpips`` package. The trunk (AlexNet, VGG-16, SqueezeNet) is torchvision's and has to
be on this machine: nothing is downloaded unless asked, so a machine without a network never waits for one.
"""

from __future__ import annotations

import hashlib
import pickle
import re
import sys
import warnings
from pathlib import Path

import torch
from torch import Tensor, nn

from ..downloads import fetch, torchvision_file
from ..errors import UserError
from .pixels import SMALLEST_SIDE, same_shape, unit_rgb

VERSION = "0.1"  # of the heads; 0.0 had unscaled input
NETS = ("alex", "vgg", "squeeze")


class LpipsUnavailable(UserError):
    """LPIPS cannot be computed here; the line says why. Other metrics are unaffected."""


def cached_path(url: str) -> Path:
    """Where torch's own cache (``$TORCH_HOME/hub/checkpoints``) has, or would have, the file of ``url``."""
    return Path(torch.hub.get_dir(), "checkpoints", url.rpartition("/")[2])


def find_trunk(net: str, download: bool = False) -> Path:
    """The trunk's file in torch's own cache, where torchvision puts it.

    Args:
        net: one of :data:`NETS`.
        download: fetch it from torchvision's server when it is not there (alex 233 MB, vgg 528 MB), and
            check its sha256 (:mod:`gan_colorize.downloads`).

    Raises:
        LpipsUnavailable: it is not there and was not, or could not be, downloaded.
    """
    from torchvision.models import AlexNet_Weights, SqueezeNet1_1_Weights, VGG16_Weights

    weights = {"alex": AlexNet_Weights, "vgg": VGG16_Weights, "squeeze": SqueezeNet1_1_Weights}
    url = weights[net].IMAGENET1K_V1.url
    path = cached_path(url)
    if path.is_file():
        return path
    if not download:
        raise LpipsUnavailable(
            f"no {net} trunk at {path}: set TORCH_HOME, or run evaluate with --lpips-trunk FILE or --download"
        )
    try:
        return fetch(torchvision_file(url), path, sys.stderr.isatty())
    except UserError as error:
        raise LpipsUnavailable(str(error)) from error


class Lpips(nn.Module):
    """LPIPS with features that can be computed once and compared many times.

    Args:
        net: trunk, one of :data:`NETS`.
        trunk: torchvision state dict of that network; only its ``features.*`` are read (weights_only).

    Raises:
        LpipsUnavailable: the file is missing, not a state dict, or of another network.
    """

    def __init__(self, net: str, trunk: str | Path) -> None:
        super().__init__()
        import lpips

        with warnings.catch_warnings(), torch.device("meta"):
            # the package still says pretrained=False to torchvision, which warns twice
            warnings.filterwarnings("ignore", category=UserWarning, module="torchvision")
            # meta: torchvision would spend seconds on random numbers for a classifier nobody uses
            self.network = lpips.LPIPS(
                pretrained=False, net=net, version=VERSION, pnet_rand=True, verbose=False
            )
        heads_path = Path(lpips.__file__).parent / f"weights/v{VERSION}/{net}.pth"
        heads = torch.load(heads_path, map_location="cpu", weights_only=True)
        trunk_state = _read_trunk(net, Path(trunk), self.network.state_dict())
        self.network.load_state_dict(heads | trunk_state, strict=False, assign=True)
        self.network.requires_grad_(False).eval()
        digest = hashlib.sha256()
        for key in sorted(trunk_state):
            digest.update(trunk_state[key].numpy().tobytes())
        # of the convolutions alone: the same whether the file kept its classifier or not
        self.trunk_sha256 = digest.hexdigest()
        self.net_name = net

    def features(self, rgb: Tensor) -> list[Tensor]:
        """Unit-length features of every layer: one pass of the trunk, in float32.

        Args:
            rgb: (N, 3, H, W) floating point in the package's range -1..1 (:func:`signed_rgb` makes it), sides
                of at least 32 px. Values beyond the range keep their gradient: a training term needs it.
        """
        import lpips

        if rgb.ndim != 4 or rgb.shape[1] != 3 or not rgb.is_floating_point():
            raise ValueError(f"LPIPS takes floating-point (N, 3, H, W), got {rgb.dtype} {tuple(rgb.shape)}")
        if min(rgb.shape[-2:]) < SMALLEST_SIDE:
            raise ValueError(f"LPIPS needs sides of at least {SMALLEST_SIDE} px, got {tuple(rgb.shape[-2:])}")
        with torch.autocast(rgb.device.type, enabled=False):
            layers = self.network.net(self.network.scaling_layer(rgb.float()))
            return [lpips.normalize_tensor(layer) for layer in layers]

    def distance(self, true: list[Tensor], other: list[Tensor]) -> Tensor:
        """LPIPS (N,) float32 between two batches' :meth:`features`."""
        with torch.autocast(true[0].device.type, enabled=False):
            layers = zip(self.network.lins, true, other, strict=True)
            return sum(head((a - b).square()).mean((1, 2, 3)) for head, a, b in layers)

    def forward(self, true: Tensor, other: Tensor) -> Tensor:
        """LPIPS (N,) of two batches of pictures (N, 3, H, W) in -1..1."""
        same_shape(true, other)
        return self.distance(self.features(true), self.features(other))


def signed_rgb(rgb: Tensor) -> Tensor:
    """sRGB (N, 3, H, W), uint8 or float 0..1, checked, in the range -1..1 of :class:`Lpips`."""
    return unit_rgb(rgb) * 2 - 1


def load_lpips(
    net: str = "alex",
    trunk: str | Path | None = None,
    device: str | torch.device = "cpu",
    download: bool = False,
) -> Lpips:
    """LPIPS ready to use on ``device``; see :func:`find_trunk` for where the trunk comes from.

    Raises:
        LpipsUnavailable: no trunk at hand, or its file is unusable.
    """
    if net not in NETS:
        raise UserError(f"LPIPS network {net!r} is unknown; there are {', '.join(NETS)}")
    return Lpips(net, trunk if trunk is not None else find_trunk(net, download)).to(device)


def _read_trunk(net: str, path: Path, wanted: dict[str, Tensor]) -> dict[str, Tensor]:
    """The trunk's tensors under the package's names: its ``net.slice4.8.weight`` is ``features.8.weight``."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise LpipsUnavailable(f"{path}: no such LPIPS trunk") from error
    except (OSError, RuntimeError, EOFError, ValueError, KeyError, pickle.UnpicklingError) as error:
        raise LpipsUnavailable(f"{path}: not a torch state dict, or cut short") from error
    found = {}
    for key, slot in wanted.items():
        if match := re.fullmatch(r"net\.slice\d+\.(.+)", key):
            value = state.get(f"features.{match[1]}") if isinstance(state, dict) else None
            if not isinstance(value, Tensor) or value.shape != slot.shape:
                raise LpipsUnavailable(f"{path}: not torchvision weights of the {net} network")
            found[key] = value.float()
    return found
