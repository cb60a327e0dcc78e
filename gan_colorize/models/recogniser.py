"""What a picture shows, as a torchvision classifier tells from its grey version. It never learns."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..color.lab import lightness_to_grey
from ..errors import UserError, one_line
from .encoders import torchvision_classifier

CLASSES = 1000
_MEAN, _SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet's R, G and B
# Their published weights belong to a network that torchvision alters when it loads them.
_ALTERED = ("densenet", "googlenet", "inception")


def as_torchvision_expects(lightness: Tensor) -> Tensor:
    """L (N, 1, H, W) in 0..100 -> grey as R, G and B (N, 3, H, W), normalised as ImageNet's."""
    mean, spread = (lightness.new_tensor(values)[:, None, None] for values in (_MEAN, _SPREAD))
    return (lightness_to_grey(lightness) - mean) / spread


class Recogniser(nn.Module):
    """L (N, 1, H, W) in 0..100 -> probabilities (N, 1000) of ImageNet's classes.

    name: of a torchvision classifier; size: side of the square that it sees the picture as, however that
    stretches it; 0: the picture's own size. Frozen, and always in eval mode: :meth:`train` leaves it there.
    """

    never_learns = True

    def __init__(self, name: str, size: int) -> None:
        super().__init__()
        self.classifier_name, self.size = name, size
        self.network = _checked_classifier(name, size).requires_grad_(False).eval()

    def train(self, mode: bool = True) -> Recogniser:
        return super().train(False)

    def load_pretrained(self) -> None:
        """Take torchvision's ImageNet weights; errors as in :func:`torchvision_classifier`."""
        self.network.load_state_dict(torchvision_classifier(self.classifier_name).state_dict())

    @torch.no_grad()
    def forward(self, lightness: Tensor) -> Tensor:
        if self.size:
            square = (self.size, self.size)
            lightness = F.interpolate(
                lightness.float(), square, mode="bilinear", align_corners=False, antialias=True
            )
        return self.network(as_torchvision_expects(lightness)).softmax(1)


def _checked_classifier(name: str, size: int) -> nn.Module:
    """The classifier with random weights, once it has been seen to take pictures of that size."""
    from torchvision import models

    known = [n for n in models.list_models(module=models) if not n.startswith(_ALTERED)]
    if name not in known:
        raise UserError(f"model.options.recogniser: no classifier {name!r}; there are {', '.join(known)}")
    if size < 0:
        raise UserError(f"model.options.recogniser_size: {size} must be at least 0 (the picture's own size)")
    if size:
        with torch.device("meta"):
            probe = models.get_model(name, weights=None).eval()
            try:
                probe(torch.empty(1, 3, size, size))
            except (RuntimeError, AssertionError) as error:
                raise UserError(
                    f"model.options.recogniser_size: {size} does not suit {name} ({one_line(error)[:100]}); "
                    "most classifiers take 224"
                ) from error
    return models.get_model(name, weights=None)
