"""A network's convolutions for the CPU: each in one pass with what follows it, its weights laid out once.

oneDNN multiplies in the layout that suits its matrix units, and brings ordinary weights into it in every
call; and an activation or a sum of its own is one more trip of the whole map through memory. Both are spared
here with the operations that torch's compiler uses for the same purpose (``torch.ops.mkldnn``). They are not
part of torch's documented interface: :func:`usable` tries them, and without them a network stays as it was.
"""

from __future__ import annotations

from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..models.blocks import ResidualBlock
from ..models.efficientnet_lite import InvertedBottleneck

# Sizes of the input for which a layer keeps its weights laid out: a copy of the weights each (14 MB in bf16
# for the network that ships). Photographs of a folder mostly share a few. Laying out takes two passes' time,
# so it waits until a size comes again, and the others do without.
_SIZES_KEPT, _SIZES_NOTED = 8, 256
# torch's name of what may follow a convolution in the same pass, with its numbers.
_ACTIVATIONS: dict[type[nn.Module], tuple[str, list[float]]] = {
    nn.ReLU: ("relu", []),
    nn.ReLU6: ("hardtanh", [0.0, 6.0]),
}


class PackedConvolution(nn.Module):
    """A convolution without gradients, in the type of its weights, and perhaps the activation after it."""

    def __init__(self, convolution: nn.Conv2d) -> None:
        super().__init__()
        self.register_buffer("weight", convolution.weight.detach())
        self.register_buffer("bias", None if convolution.bias is None else convolution.bias.detach())
        self.after: tuple[str, list[float]] = ("none", [])
        self._geometry = (
            *map(list, (convolution.padding, convolution.stride, convolution.dilation)),
            convolution.groups,
        )
        # Beside the buffers, for looking those up in a module costs a twentieth of a small layer's time.
        self._dtype, self._bias = self.weight.dtype, self.bias
        self._packed: dict[torch.Size, Tensor] = {}
        self._seen: set[torch.Size] = set()

    def forward(self, x: Tensor) -> Tensor:
        x = self._prepared(x)
        return torch.ops.mkldnn._convolution_pointwise(
            x, self._weight(x), self._bias, *self._geometry, *self.after, ""
        )

    def plus(self, x: Tensor, other: Tensor, relu: bool = False) -> Tensor:
        """The convolution of ``x``, plus ``other``, and perhaps a ReLU of the sum."""
        x, other, after = self._prepared(x), self._prepared(other), "relu" if relu else None
        return torch.ops.mkldnn._convolution_pointwise.binary(
            x, other, self._weight(x), self._bias, *self._geometry, "add", 1.0, after, [], ""
        )

    def _prepared(self, x: Tensor) -> Tensor:
        x = x if x.dtype is self._dtype else x.to(self._dtype)
        return x.contiguous(memory_format=torch.channels_last)

    def _weight(self, x: Tensor) -> Tensor:
        """The weights as they suit an input of this size, if it is seen again and room is left."""
        # The layout of one size can be hundreds of times slower at another: oneDNN then brings it into the
        # right one by its slowest code.
        weight = self._packed.get(x.shape)
        if weight is not None:
            return weight
        seen = self._seen
        if len(self._packed) >= _SIZES_KEPT:
            return self.weight
        if x.shape not in seen:
            if len(seen) < _SIZES_NOTED:
                seen.add(x.shape)
            return self.weight
        # Two threads that come here at once make the same twice, which does no harm.
        weight = torch.ops.aten.mkldnn_reorder_conv2d_weight(
            self.weight.to_mkldnn(), *self._geometry, list(x.shape)
        )
        self._packed[x.shape] = weight
        return weight


class _Residual(nn.Module):
    """:class:`~gan_colorize.models.blocks.ResidualBlock` in two passes."""

    def __init__(self, first: PackedConvolution, second: PackedConvolution) -> None:
        super().__init__()
        self.first, self.second = first, second

    def forward(self, x: Tensor) -> Tensor:  # (N, width, h, w)
        return self.second.plus(self.first(x), x, relu=True)


class _Around(nn.Module):
    """Layers whose input is added to what the last of them makes."""

    def __init__(self, layers: list[nn.Module]) -> None:
        super().__init__()
        self.layers, self.last = nn.Sequential(*layers[:-1]), layers[-1]

    def forward(self, x: Tensor) -> Tensor:
        return self.last.plus(self.layers(x), x)


def pack(network: nn.Module) -> None:
    """Replace the convolutions of a network on the CPU, in place, where that changes nothing but rounding.

    The network is in eval mode, its norms are folded, and its convolutions are in the type that they will
    compute in; sums with what a residual block was given are rounded once where they were rounded twice.
    """
    for name, child in network.named_children():
        pack(child)
        packed = _packed(child)
        if packed is not None:
            network.add_module(name, packed)
    if isinstance(network, nn.Sequential):
        _join_activations(network)


def _packed(layer: nn.Module) -> nn.Module | None:
    """What takes the place of ``layer``, whose own layers are packed already; None where it stays."""
    if isinstance(layer, nn.Conv2d):
        plain = layer.padding_mode == "zeros" and not isinstance(layer.padding, str)
        return PackedConvolution(layer) if plain else None
    if type(layer) is ResidualBlock:
        first, second = _only_layers(layer.first), _only_layers(layer.second)
        if _are_packed([*first, *second]) and len(first) == len(second) == 1:
            first[0].after = _ACTIVATIONS[nn.ReLU]
            return _Residual(first[0], second[0])
    inner = _around(layer)
    if inner is not None:
        layers = _only_layers(inner)
        if _are_packed(layers[-1:]) and layers[-1].after[0] == "none":
            return _Around(layers)
    return None


def _around(layer: nn.Module) -> nn.Sequential | None:
    """The layers of a block that adds its input to what they make."""
    if type(layer) is InvertedBottleneck:
        return layer.layers if layer.around else None
    if type(layer).__module__ == "torchvision.models.mobilenetv2" and hasattr(layer, "use_res_connect"):
        return layer.conv if layer.use_res_connect else None
    return None


def _only_layers(sequence: nn.Sequential) -> list[nn.Module]:
    return [layer for layer in sequence if not isinstance(layer, nn.Identity)]


def _are_packed(layers: list[nn.Module]) -> bool:
    return all(isinstance(layer, PackedConvolution) for layer in layers)


def _join_activations(sequence: nn.Sequential) -> None:
    last: nn.Module | None = None
    for index, layer in enumerate(sequence):
        if isinstance(layer, nn.Identity):
            continue
        joins = isinstance(last, PackedConvolution) and last.after[0] == "none"
        if joins and type(layer) in _ACTIVATIONS:
            last.after = _ACTIVATIONS[type(layer)]
            sequence[index] = nn.Identity()
        last = layer


@cache
def usable(dtype: torch.dtype) -> bool:
    """Whether this torch on this CPU has the operations, and they give what ordinary ones give."""
    if not torch.backends.mkldnn.is_available():
        return False
    generator = torch.Generator().manual_seed(0)
    plain = nn.Conv2d(4, 4, 3, padding=1).requires_grad_(False)
    plain.weight.copy_(torch.randn(4, 4, 3, 3, generator=generator))
    x = torch.randn(1, 4, 8, 8, generator=generator)
    expected = F.relu(plain(x) + x)
    try:
        with torch.inference_mode():
            result = PackedConvolution(plain.to(dtype)).plus(x, x, relu=True)
    except (RuntimeError, AttributeError, NotImplementedError, TypeError):
        return False
    # bf16 keeps 8 bits: the sum of 37 rounded products of size 1 is well within this
    return bool(torch.allclose(result.float(), expected, rtol=0.05, atol=0.2))
