"""Features of Inception-v3 for FID and KID: torch-fidelity's port of the network that papers use."""

from __future__ import annotations

import hashlib
import io
import pickle
import sys
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ...downloads import RemoteFile, fetch
from ...errors import UserError
from ..lpips_metric import cached_path

# The weights of 2015 with which FID was defined, converted from TensorFlow by the authors of torch-fidelity.
URL = "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/weights-inception-2015-12-05-6726825d.pth"
SHA256 = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"
SIZE = 95_628_359  # bytes
LAYER = "2048"  # the last pooling layer, that of both papers
BATCH = 16  # of 299x299 px


class InceptionUnavailable(UserError):
    """FID and KID cannot be computed here; the line says why. Other metrics are unaffected."""


class Inception(nn.Module):
    """Pictures to features.

    Attributes:
        sha256: of the file of weights; known: whether these are the weights that papers use.
    """

    def __init__(self, network: nn.Module, sha256: str) -> None:
        super().__init__()
        self.network, self.sha256, self.known = network, sha256, sha256 == SHA256

    @torch.no_grad()
    def forward(self, rgb8: Tensor) -> np.ndarray:
        """(N, 3, H, W) uint8 on the module's device -> (N, 2048) float32; resized as TensorFlow 1 did."""
        with torch.autocast(rgb8.device.type, enabled=False):
            return torch.cat([self.network(part)[0] for part in rgb8.split(BATCH)]).cpu().numpy()


def find_weights(download: bool = False) -> Path:
    """The known file in torch's own cache.

    Args:
        download: fetch it from torch-fidelity's release (96 MB) when it is not there.

    Raises:
        InceptionUnavailable: not there, and not downloaded.
    """
    path = cached_path(URL)
    if path.is_file():
        return path
    if not download:
        raise InceptionUnavailable(
            f"no Inception weights at {path}: name them with --inception, or --download"
        )
    try:
        return fetch(RemoteFile(URL, SHA256, SIZE), path, sys.stderr.isatty())
    except UserError as error:
        raise InceptionUnavailable(str(error)) from error


def load_inception(
    path: str | Path | None = None, device: str | torch.device = "cpu", download: bool = False
) -> Inception:
    """The extractor with the weights of ``path``, or of torch's cache.

    Other weights than the known ones are taken as well: their hash is part of the protocol, so that their
    numbers compare with no one else's.

    Raises:
        InceptionUnavailable: torch-fidelity is not installed, no file, or not these weights.
    """
    try:
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
    except ImportError as error:
        raise InceptionUnavailable(
            'torch-fidelity is not installed: pip install "gan_colorize[benchmark]"'
        ) from error
    found = Path(path) if path is not None else find_weights(download)
    try:
        content = found.read_bytes()
    except OSError as error:
        raise InceptionUnavailable(f"{found}: {error.strerror or error}") from error
    sha256 = hashlib.sha256(content).hexdigest()
    if path is None and sha256 != SHA256:
        raise InceptionUnavailable(f"{found}: cut short or another file; delete it and put {URL} there")
    try:
        state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
        # The extractor unpickles whatever file it is given; it is given one with tensors and nothing else.
        checked = io.BytesIO()
        torch.save({str(key): value for key, value in state.items()}, checked)
        checked.seek(0)
        network = FeatureExtractorInceptionV3("inception", [LAYER], checked)
    except (
        OSError,
        RuntimeError,
        EOFError,
        ValueError,
        KeyError,
        AttributeError,
        pickle.UnpicklingError,
    ) as error:
        raise InceptionUnavailable(f"{found}: no Inception weights as torch-fidelity's") from error
    return Inception(network, sha256).to(device)
