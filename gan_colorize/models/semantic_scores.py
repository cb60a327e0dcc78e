"""What is shown where: the probabilities of groups of things at every pixel, from a pretrained recogniser."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .clusters import k_means
from .pixel_features import missing_extra
from .recogniser import CLASSES, Recogniser, as_torchvision_expects

_STRIDE = 32  # of the recogniser's last map
# eps of the guided filter, in squared grey: steps below some 0.03 are texture.
_FLAT = 1e-3


class SemanticScores(nn.Module):
    """Probabilities of ``groups`` of things at every pixel, whose borders follow the picture's.

    Cheng, Yang, Sheng 2015 have 47 scores a pixel from a network that labels scenes. Here MobileNetV2 is run
    on the picture enlarged to ``size`` pixels (its short side), its last layer at every position of the
    stride-32 map, and ImageNet's 1,000 classes fall into groups of what looks alike to it.
    """

    def __init__(self, groups: int, size: int) -> None:
        super().__init__()
        self.size = size
        self.recogniser = Recogniser("mobilenet_v2", 0)
        self.register_buffer("membership", torch.zeros(groups, CLASSES))
        self._group(torch.arange(CLASSES) % groups)

    def load_pretrained(self) -> None:
        """Take ImageNet's weights, and group its classes by k-means over the rows of the last layer.

        Raises:
            UserError: the weights are not there, or damaged.
        """
        self.recogniser.load_pretrained()
        rows = self.recogniser.network.classifier[-1].weight
        self._group(k_means(F.normalize(rows - rows.mean(0)), len(self.membership), seed=0))

    def _group(self, numbers: Tensor) -> None:
        self.membership.copy_(F.one_hot(numbers, len(self.membership)).T)

    @torch.no_grad()
    def forward(self, lightness: Tensor, grey: Tensor) -> Tensor:
        """L (N, 1, H, W) in 0..100 and the same as grey in 0..1 -> (N, groups, H, W) float32 in 0..1."""
        height, width = grey.shape[2:]
        scale = self.size / min(height, width)
        shape = [max(1, round(side * scale / _STRIDE)) * _STRIDE for side in (height, width)]
        large = F.interpolate(lightness.float(), shape, mode="bilinear", antialias=True)
        network = self.recogniser.network
        features = network.features(as_torchvision_expects(large))  # (N, 1280, h, w)
        logits = network.classifier[-1](features.permute(0, 2, 3, 1))
        with torch.autocast(grey.device.type, enabled=False):
            scores = (logits.float().softmax(-1) @ self.membership.T).permute(0, 3, 1, 2)
            scores = F.interpolate(scores.contiguous(), (height, width), mode="bilinear")
            return _follow_edges(scores, grey, half_cell=max(1, round(_STRIDE / 2 / scale)))


def _follow_edges(scores: Tensor, grey: Tensor, half_cell: int) -> Tensor:
    """Guided filter (He et al. 2013) over a window as wide as a cell of the coarse map."""
    try:
        from kornia.filters import guided_blur
    except ImportError as error:
        raise missing_extra("kornia") from error

    coarser = max(1, half_cell // 4)
    return guided_blur(grey, scores, 2 * half_cell + 1, _FLAT, subsample=coarser).clamp(0.0, 1.0)
