"""RBDN: one shallow network for any picture-to-picture task (Santhanam, Morariu, Davis 2017).

Everything happens at half the input's size. Branches look at a half, a quarter, ... of that, each inside
the one before it, and come back by unpooling: what they saw is put where the maxima of the pooling were. A
long stack of convolutions at one size then turns the many contexts into the answer.

The deconvolutions of stride 1 are written as convolutions, which is what they are (the kernel is flipped,
and learnt either way) and a quarter faster here; the last one, of 9x9 with one or two outputs, is nearly
twice as fast as a deconvolution.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..color.bins import NUM_BINS
from ..color.yuv import CB_PER_U, CR_PER_V, uv_to_ab
from ..errors import UserError
from .blocks import conv_norm
from .contract import Conditions, Contract, Prediction, check_size

_OUTPUTS = ("distribution", "ycbcr", "lightness")


@dataclass(frozen=True)
class RBDNOptions:
    """Shape of the network.

    width:    channels of every layer.
    branches: how often the picture is halved again after the first time; 4 look at 1/32 of it.
    trunk:    convolutions after the branches have come together, the one that joins them included.
    kernel:   pixels a side of the first convolution, and of the last where that works at full size.
    output:   "distribution" (313 logits at a quarter of the size), "ycbcr" (two numbers, regression of
              chroma at full size) or "lightness" (a restored grey picture at full size).
    residual: with "lightness", answer with what is to be added to the input (as Zhang, Zuo et al. 2017,
              DnCNN); the published network answers with the picture and has to learn first to copy it.
    """

    width: int = 64
    branches: int = 4
    trunk: int = 9
    kernel: int = 9
    output: str = "distribution"
    residual: bool = False

    def __post_init__(self) -> None:
        if self.output not in _OUTPUTS:
            raise UserError(f"model.options.output: {self.output!r} must be one of {', '.join(_OUTPUTS)}")
        for key, least in (("width", 1), ("branches", 1), ("trunk", 1), ("kernel", 1)):
            if getattr(self, key) < least:
                raise UserError(f"model.options.{key}: {getattr(self, key)} must be at least {least}")
        if self.branches > 4:  # training crops are multiples of 32
            raise UserError(f"model.options.branches: {self.branches} must be at most 4")
        if self.kernel % 2 == 0:
            raise UserError(f"model.options.kernel: {self.kernel} must be odd")
        if self.residual and self.output != "lightness":
            raise UserError("model.options.residual: true needs output lightness")


class RBDN(nn.Module):
    """L -> a distribution or chroma (Prediction.uv and .ab), or a noisy grey picture -> a clean one."""

    source = "Santhanam, Morariu, Davis 2017, Generalized Deep Image to Image Regression"
    contract = Contract(
        takes=frozenset(), returns="distribution", output_stride=4, size_divisor=32, classes="gamut"
    )

    def __init__(self, options: RBDNOptions) -> None:
        super().__init__()
        width, self.output, self.residual = options.width, options.output, options.residual
        divisor = 2 ** (options.branches + 1)
        self.contract = replace(RBDN.contract, size_divisor=divisor)
        if self.output != "distribution":
            changes = {"ycbcr": {"returns": "ab", "space": "uv"}, "lightness": {"returns": "lightness"}}
            self.contract = replace(self.contract, output_stride=1, classes="", **changes[self.output])
        self.first = conv_norm(1, width, options.kernel)
        self.branches = Branch(width, options.branches - 1)
        self.join = conv_norm(2 * width, width)
        self.trunk = nn.ModuleList(conv_norm(width, width) for _ in range(options.trunk - 1))
        if self.output == "distribution":
            self.widen = conv_norm(width, width, 5)
            self.head = nn.Conv2d(width, NUM_BINS, 4, 2, 1)
        else:
            outputs = 2 if self.output == "ycbcr" else 1
            self.head = nn.ConvTranspose2d(width, outputs, options.kernel, padding=options.kernel // 2)
        # Small, so that training starts from no opinion; not the published 0.001, which takes long to leave.
        nn.init.normal_(self.head.weight, std=0.01)
        nn.init.zeros_(self.head.bias)

    def forward(self, lightness: Tensor, conditions: Conditions | None = None) -> Prediction:
        """lightness (N, 1, H, W) in 0..100, H and W multiples of the contract's divisor.

        -> logits (N, 313, H/4, W/4), or uv and ab (N, 2, H, W), or lightness (N, 1, H, W).
        """
        check_size(lightness, self.contract.size_divisor)
        x = F.relu(self.first(lightness / 50.0 - 1.0))  # (N, width, H, W)
        x, places = F.max_pool2d(x, 2, return_indices=True)  # (N, width, H/2, W/2)
        x = F.relu(self.join(torch.cat([x, self.branches(x)], 1)))
        for layer in self.trunk:
            x = F.relu(layer(x))
        if self.output == "distribution":
            return Prediction(logits=self.head(F.relu(self.widen(x))))
        x = self.head(unpool(x, places)).float()  # (N, 1 or 2, H, W)
        if self.output == "lightness":
            return Prediction(lightness=50.0 * x + (lightness if self.residual else 50.0))
        uv = x / x.new_tensor([CB_PER_U, CR_PER_V])[:, None, None]
        return Prediction(ab=uv_to_ab(lightness, uv), uv=uv)


class Branch(nn.Module):
    """Half the size of its input, with ``deeper`` branches inside; the same size again at its end."""

    def __init__(self, width: int, deeper: int) -> None:
        super().__init__()
        self.enter = conv_norm(width, width)
        self.inner = Branch(width, deeper - 1) if deeper else None
        self.join = conv_norm(2 * width if deeper else width, width)
        self.leave = conv_norm(width, width)

    def forward(self, x: Tensor) -> Tensor:  # (N, width, h, w)
        x, places = F.max_pool2d(F.relu(self.enter(x)), 2, return_indices=True)  # (N, width, h/2, w/2)
        if self.inner is not None:
            x = torch.cat([x, self.inner(x)], 1)
        return F.relu(self.leave(unpool(F.relu(self.join(x)), places)))


def unpool(x: Tensor, places: Tensor) -> Tensor:
    """(N, C, h, w) at the maxima that a pooling by 2 found, zeros elsewhere -> (N, C, 2h, 2w)."""
    # Autocast would turn it into float32, which the next convolution turns back.
    with torch.autocast(x.device.type, enabled=False):
        return F.max_unpool2d(x, places, 2)
