"""Real-time user-guided colorization: a regressed colour for every pixel that obeys what a person reveals.

Zhang, Zhu et al. 2017, sections 3.1 to 3.4 and figure 3; the modules of the local-hints network have the
names that they have in the authors' PyTorch release, whose state dict loads as it is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from ..color.bins import NUM_BINS
from ..color.grid import GRID_CLASSES, GRID_STEP, grid_centres
from ..errors import UserError
from .blocks import he_init
from .contract import Conditions, Contract, Prediction, check_size
from .trunk import GuidedTrunk


@dataclass(frozen=True)
class UserGuidedOptions:
    """Shape of the network.

    width:        channels of the first block; 64 in the paper (34.19 million parameters).
    global_hints: also listen to a histogram and a mean saturation (the paper's global hints network).
    """

    width: int = 64
    global_hints: bool = False

    def __post_init__(self) -> None:
        if self.width < 1:
            raise UserError(f"model.options.width: {self.width} must be at least 1")


class UserGuided(GuidedTrunk):
    """L, revealed ab and where it is revealed -> ab at full size, and 529 classes at a quarter of it."""

    source = "Zhang, Zhu et al. 2017, Real-Time User-Guided Image Colorization"
    contract = Contract(
        takes=frozenset({"hints"}),
        returns="ab",
        output_stride=1,
        size_divisor=8,
        classes="grid",
        logits_stride=4,
    )

    def __init__(self, options: UserGuidedOptions) -> None:
        super().__init__(inputs=4, width=options.width)
        width = options.width
        self.detach_classes = False
        self.model_class = nn.Sequential(nn.Conv2d(4 * width, GRID_CLASSES, 1))
        self.model_out = nn.Sequential(nn.Conv2d(2 * width, 2, 1))
        # Grey at first: while a phase teaches the classes alone, colours stay grey and are not wild.
        nn.init.zeros_(self.model_out[0].weight)
        nn.init.normal_(self.model_class[0].weight, std=0.01)
        nn.init.zeros_(self.model_out[0].bias)
        # The norm before the head takes away what all pixels share: only its bias can say that most of the
        # grid never occurs, and from zero it would take thousands of steps to say so. In photographs every
        # step from grey makes a colour about e times rarer.
        with torch.no_grad():
            self.model_class[0].bias.copy_(-grid_centres().norm(dim=1) / GRID_STEP)
        self.model_global = None
        if options.global_hints:
            self.contract = replace(self.contract, takes=frozenset({"hints", "histogram", "saturation"}))
            self.model_global = _global_branch(8 * width)

    def forward(self, lightness: Tensor, conditions: Conditions | None = None) -> Prediction:
        """lightness (N, 1, H, W) in 0..100, sides multiples of 8 -> ab (N, 2, H, W) and logits (N, 529,
        H/4, W/4)."""
        check_size(lightness, self.contract.size_divisor)
        wishes = conditions or Conditions()
        hints, mask = wishes.hints, wishes.mask
        if hints is None:
            hints, mask = torch.zeros_like(lightness).expand(-1, 2, -1, -1), torch.zeros_like(lightness)
        told = None if self.model_global is None else self.model_global(_global_input(lightness, wishes))

        def steer(block: int, x: Tensor) -> Tensor:
            return x + told if block == 4 and told is not None else x

        x = torch.cat([(lightness - 50.0) / 100.0, hints / 110.0, mask], 1)  # (N, 4, H, W)
        eight, ten = self.run(x, steer)
        logits = self.model_class(eight.detach() if self.detach_classes else eight)
        # In float32: near 1, where tanh is steep for its inverse, bf16 knows steps of half a unit of ab.
        return Prediction(logits=logits, ab=110.0 * torch.tanh(self.model_out(ten).float()))


def _global_branch(width: int) -> nn.Sequential:
    """Four 1x1 convolutions with ReLU over what is told of the whole picture (section 3.3), (N, width, 1, 1).

    Without biases at the start, a picture of which nothing is told begins as one that has no such branch.
    """
    layers: list[nn.Module] = []
    for inputs in (NUM_BINS + 3, width, width, width):
        layers += [nn.Conv2d(inputs, width, 1), nn.ReLU(inplace=True)]
    branch = nn.Sequential(*layers)
    he_init(branch)
    return branch


def _global_input(lightness: Tensor, wishes: Conditions) -> Tensor:
    """Histogram, whether there is one, saturation, whether there is one: (N, 313 + 1 + 1 + 1, 1, 1)."""
    count = lightness.shape[0]  # len() would fix the batch of an exported graph
    histogram, saturation = wishes.histogram, wishes.saturation
    if histogram is None:
        histogram = lightness.new_zeros(count, NUM_BINS)
    if saturation is None:
        saturation = lightness.new_full((count, 1), -1.0)
    parts = [
        histogram,
        (histogram.sum(1, keepdim=True) > 0).to(histogram.dtype),
        saturation.clamp(min=0.0),
        (saturation >= 0).to(saturation.dtype),
    ]
    return torch.cat(parts, 1)[..., None, None]
