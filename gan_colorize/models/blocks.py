"""The few layers that every network here is made of."""

from __future__ import annotations

from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import UserError


def conv_norm(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    """Convolution without bias, then BatchNorm, which brings its own."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
    )


def conv_stack(
    widths: list[int], dilation: int = 1, last_stride: int = 1, norm: bool = True
) -> list[nn.Module]:
    """A 3x3 convolution and a ReLU for every step in width, then one norm: the blocks of Zhang et al. 2016.

    last_stride: of the last convolution, which makes the block's output smaller.
    """
    layers: list[nn.Module] = []
    for number, (inputs, outputs) in enumerate(pairwise(widths), 2):
        stride = last_stride if number == len(widths) else 1
        layers += [nn.Conv2d(inputs, outputs, 3, stride, dilation, dilation), nn.ReLU(inplace=True)]
    return [*layers, nn.BatchNorm2d(widths[-1])] if norm else layers


def he_init(module: nn.Module) -> None:
    """Normal weights that keep a signal's strength through ReLUs (He et al. 2015), and no biases.

    torch's own start halves the signal in every layer: 25 of them would leave next to nothing of it.
    """
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


class ResidualBlock(nn.Module):
    """Two plain 3x3 convolutions around an identity (He et al. 2016, section 3.3).

    Dense 3x3 convolutions with BatchNorm reach about twice the bf16 rate of depthwise blocks on CPU,
    so FLOPs spent here are the cheap ones. The second norm starts at zero: a new block is an identity.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = conv_norm(width, width)
        self.second = conv_norm(width, width)
        nn.init.zeros_(self.second[1].weight)

    def forward(self, x: Tensor) -> Tensor:  # (N, width, h, w)
        return F.relu(x + self.second(F.relu(self.first(x))))


class SelfAttention(nn.Module):
    """Every position looks at all others, around an identity (Wang et al. 2018, section 3; softmax of scaled
    products as in Vaswani et al. 2017, eq. 1). The projection starts at zero: a new layer is an identity."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        if heads < 1 or width % heads:
            raise UserError(f"model.options.attention_heads: {heads} does not divide the width {width}")
        self.heads = heads
        self.norm = nn.GroupNorm(1, width)
        self.queries_keys_values = nn.Conv2d(width, 3 * width, 1)
        self.project = nn.Conv2d(width, width, 1)
        nn.init.zeros_(self.project.weight)
        nn.init.zeros_(self.project.bias)

    def forward(self, x: Tensor) -> Tensor:  # (N, width, h, w)
        parts = self.queries_keys_values(self.norm(x)).flatten(2).unflatten(1, (3, self.heads, -1))
        queries, keys, values = parts.transpose(-1, -2).unbind(1)  # (N, heads, h*w, width/heads)
        looked = F.scaled_dot_product_attention(queries, keys, values)
        return x + self.project(looked.transpose(-1, -2).flatten(1, 2).unflatten(2, x.shape[2:]))
