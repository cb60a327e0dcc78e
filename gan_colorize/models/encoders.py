"""Encoders of the U-Net: features at strides 2, 4, 8, 16 and 32 from lightness alone."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from ..downloads import fetch, torchvision_file
from ..errors import UserError, one_line
from . import efficientnet_lite
from .blocks import ResidualBlock, conv_norm

# Mean and spread of ImageNet's RGB channels, averaged: what a torchvision backbone expects of grey.
_IMAGENET_MEAN, _IMAGENET_STD = 0.449, 0.226


class ResidualEncoder(nn.Module):
    """A stem and four halvings of plain residual blocks; ``widths`` are the channels at strides 2..32."""

    def __init__(self, widths: tuple[int, ...], blocks: tuple[int, ...]) -> None:
        super().__init__()
        self.widths = widths
        stages = []
        inputs = 1
        for width, count in zip(widths, blocks, strict=True):
            down = nn.Sequential(conv_norm(inputs, width, stride=2), nn.ReLU(inplace=True))
            stages.append(nn.Sequential(down, *(ResidualBlock(width) for _ in range(count))))
            inputs = width
        self.stages = nn.ModuleList(stages)

    def normalise(self, lightness: Tensor) -> Tensor:
        return lightness / 50.0 - 1.0


# torchvision name -> (index after which each stage of `.features` ends, channels there)
_TORCHVISION = {
    "mobilenet_v2": ((2, 4, 7, 14, 19), (16, 24, 32, 96, 1280)),
    "efficientnet_b0": ((2, 3, 4, 6, 9), (16, 24, 40, 112, 1280)),
}
BACKBONES = (*_TORCHVISION, *efficientnet_lite.SCALES)


class BackboneEncoder(nn.Module):
    """A classifier cut into five stages, its first convolution summed over R, G and B.

    With equal channels, a convolution over RGB is the convolution of the grey picture with the summed
    kernel, so pretrained weights keep their meaning on lightness (L / 100 is within 0.035 of the
    sRGB-encoded grey value).
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        self.backbone_name = name
        if name in efficientnet_lite.SCALES:
            features = efficientnet_lite.features(name)
            ends, self.widths = efficientnet_lite.ends_and_widths(name)
            self.mean_and_spread = efficientnet_lite.MEAN_AND_SPREAD
        else:
            import torchvision

            features = torchvision.models.get_model(name, weights=None).features
            ends, self.widths = _TORCHVISION[name]
            self.mean_and_spread = _IMAGENET_MEAN, _IMAGENET_STD
        features[0][0] = _grey_input(features[0][0])
        features = _with_fast_backward(features)
        starts = (0, *ends[:-1])
        self.stages = nn.ModuleList(features[a:b] for a, b in zip(starts, ends, strict=True))

    def normalise(self, lightness: Tensor) -> Tensor:
        mean, spread = self.mean_and_spread
        return (lightness / 100.0 - mean) / spread

    def load_pretrained(self) -> None:
        """Take ImageNet weights: torchvision's (from its cache, or downloaded with its own hash check), or of
        the package that carries an EfficientNet-Lite.

        Raises:
            UserError: they are not there, or damaged.
        """
        if self.backbone_name in efficientnet_lite.SCALES:
            values = efficientnet_lite.pretrained(self.backbone_name)
        else:
            values = list(torchvision_classifier(self.backbone_name).features.state_dict().values())
        values[0] = values[0].sum(dim=1, keepdim=True)  # R, G and B of the first convolution
        # The stages number their layers anew; the order of the tensors is the same.
        own = self.state_dict()
        for key, value in zip(own, values, strict=True):
            own[key] = value
        self.load_state_dict(own)


class _SlowDepthwise(nn.Conv2d):
    """A depthwise convolution of stride 2 or with a kernel above 3: on the CPU it trains in float32.

    oneDNN has no bf16 backward for it and falls back to a loop: 4 to 48 times the time of float32
    (torch 2.14, channels_last), a fifth of a whole training step with MobileNetV2.
    """

    def forward(self, x: Tensor) -> Tensor:
        if x.device.type != "cpu" or not torch.is_grad_enabled() or not torch.is_autocast_enabled("cpu"):
            return super().forward(x)
        with torch.autocast("cpu", enabled=False):
            return super().forward(x.float())


def _with_fast_backward(features: nn.Sequential) -> nn.Sequential:
    for block in features.modules():
        for name, layer in block.named_children():
            depthwise = isinstance(layer, nn.Conv2d) and layer.groups == layer.in_channels > 1
            if depthwise and (layer.stride[0] > 1 or layer.kernel_size[0] > 3):
                settings = (layer.kernel_size, layer.stride, layer.padding, layer.dilation, layer.groups)
                fast = _SlowDepthwise(layer.in_channels, layer.out_channels, *settings, bias=False)
                fast.weight = layer.weight
                setattr(block, name, fast)
    return features


def torchvision_classifier(name: str) -> nn.Module:
    """A classifier of torchvision with its first ImageNet weights, from torch's cache or downloaded (see
    :mod:`gan_colorize.downloads`).

    Raises:
        UserError: they are neither there nor to be had, or damaged; the line names the file.
    """
    import torchvision

    weights = next(iter(torchvision.models.get_model_weights(name)))
    with torch.device("meta"):  # no time for random numbers that are thrown away
        model = torchvision.models.get_model(name, weights=None)
    cached = Path(torch.hub.get_dir(), "checkpoints", weights.url.rpartition("/")[2])
    if not cached.is_file():
        try:
            fetch(torchvision_file(weights.url), cached)
        except UserError as error:
            raise UserError(
                f"model.pretrained_encoder: torchvision's weights for {name} ({cached.name}) are neither "
                f"cached (TORCH_HOME) nor downloadable ({error}); set model.pretrained_encoder=false"
            ) from error
    try:
        # Not by get_model: it would unpickle, and run, whatever a file of that name holds.
        model.load_state_dict(torch.load(cached, map_location="cpu", weights_only=True), assign=True)
    except efficientnet_lite.UNREADABLE as error:
        raise UserError(
            f"model.pretrained_encoder: {cached} holds no weights of {name} or is damaged "
            f"({one_line(error)[:200]}); delete it, or set TORCH_HOME to another cache"
        ) from error
    return model


def _grey_input(rgb: nn.Conv2d) -> nn.Conv2d:
    grey = nn.Conv2d(1, rgb.out_channels, rgb.kernel_size, rgb.stride, rgb.padding, bias=rgb.bias is not None)
    with torch.no_grad():
        grey.weight.copy_(rgb.weight.sum(dim=1, keepdim=True))
        if rgb.bias is not None:
            grey.bias.copy_(rgb.bias)
    return grey


def create_encoder(name: str, widths: tuple[int, ...], blocks: tuple[int, ...]) -> nn.Module:
    """The encoder called ``name``; ``widths`` and ``blocks`` shape only the residual one."""
    if name == "residual":
        return ResidualEncoder(widths, blocks)
    if name in BACKBONES:
        return BackboneEncoder(name)
    known = ", ".join(["residual", *BACKBONES])
    raise UserError(f"model.options.encoder: no encoder {name!r}; there are {known}")
