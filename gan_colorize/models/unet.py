"""The flagship generator: a U-Net that predicts a distribution over the ab bins at 1/4 resolution.

The shape of the prediction (313 bins at H/4 x W/4) follows Zhang, Isola and Efros 2016, section 2.1;
the hint channels and the global vector follow Zhang, Zhu et al. 2017, sections 3.2 and 3.3.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..color.bins import NUM_BINS
from ..errors import UserError
from .blocks import ResidualBlock, SelfAttention, conv_norm
from .contract import Conditions, Contract, Prediction, check_size
from .encoders import create_encoder


@dataclass(frozen=True)
class UNetOptions:
    """Shape of the U-Net.

    encoder:        "residual" (from scratch) or a classifier's ("mobilenet_v2", "efficientnet_lite0", ...).
    encoder_widths: channels at strides 2, 4, 8, 16, 32 of the residual encoder.
    encoder_blocks: residual blocks at each of these strides.
    decoder_widths: channels at strides 32, 16, 8, 4.
    decoder_blocks: residual blocks at each of these strides.
    global_context: add what the whole picture shows, averaged at stride 32, to every position.
    attention_heads: of a self-attention layer between all positions at stride 32; 0: none.
    steering:       listen to palettes as well, to hints at every stride of the decoder, and to wishes for the
                    whole picture again at stride 4. Without it hints are told at strides 2 and 4 alone.
    output:         "distribution" (313 logits) or "ab" (two numbers, regression).
    """

    encoder: str = "residual"
    encoder_widths: tuple[int, ...] = (32, 64, 96, 160, 256)
    encoder_blocks: tuple[int, ...] = (0, 1, 1, 1, 1)
    decoder_widths: tuple[int, ...] = (256, 192, 128, 80)
    decoder_blocks: tuple[int, ...] = (1, 2, 2, 2)
    global_context: bool = True
    attention_heads: int = 0
    steering: bool = False
    output: str = "distribution"

    def __post_init__(self) -> None:
        for key in ("encoder_widths", "decoder_widths"):
            if min(getattr(self, key)) < 1:
                raise UserError(f"model.options.{key}: {list(getattr(self, key))} must all be at least 1")
        for key in ("encoder_blocks", "decoder_blocks"):
            if min(getattr(self, key)) < 0:
                raise UserError(f"model.options.{key}: {list(getattr(self, key))} must all be at least 0")
        if self.output not in ("distribution", "ab"):
            raise UserError(f"model.options.output: {self.output!r} must be distribution or ab")


class UNet(nn.Module):
    """L -> logits over 313 ab bins at a quarter of the input's size.

    Skips are added, not concatenated: a 1x1 convolution brings the deeper map and the encoder's to the
    same width, so that the 3x3 blocks, which run at the matrix units' speed, get nearly all of the work.
    """

    source = "this project, after Ronneberger et al. 2015 and Zhang et al. 2016, 2017"
    contract = Contract(
        takes=frozenset({"hints", "histogram", "saturation"}),
        returns="distribution",
        output_stride=4,
        size_divisor=32,
        classes="gamut",
    )
    # Parts that change nothing before they have learned, each with an option of its name: training may add
    # them to weights that were made without.
    silent_at_first = ("steering",)

    def __init__(self, options: UNetOptions) -> None:
        super().__init__()
        if options.output == "ab":
            self.contract = replace(self.contract, returns="ab", classes="")
        if options.steering:
            self.contract = replace(self.contract, takes=self.contract.takes | {"palette"})
        self.encoder = create_encoder(options.encoder, options.encoder_widths, options.encoder_blocks)
        encoder_widths, widths = self.encoder.widths, options.decoder_widths
        # Without biases, absent conditions and zeros are the same thing, so they may simply be skipped.
        self.hint_encoder = nn.Conv2d(3, encoder_widths[0], 3, 2, 1, bias=False)
        self.hint_decoder = nn.Conv2d(3, widths[-1], 3, 1, 1, bias=False)
        self.histogram = _global_branch(NUM_BINS, widths[0])
        self.saturation = _global_branch(1, widths[0])
        self.steering = Steering(widths) if options.steering else None

        self.bottleneck = nn.Sequential(conv_norm(encoder_widths[-1], widths[0], 1), nn.ReLU(inplace=True))
        self.context = nn.Linear(widths[0], widths[0]) if options.global_context else None
        heads = options.attention_heads
        self.attention = SelfAttention(widths[0], heads) if heads else nn.Identity()
        self.reduce = nn.ModuleList(conv_norm(deep, wide, 1) for deep, wide in pairwise(widths))
        self.skip = nn.ModuleList(
            conv_norm(deep, wide, 1) for deep, wide in zip(encoder_widths[-2:0:-1], widths[1:], strict=True)
        )
        self.blocks = nn.ModuleList(
            nn.Sequential(*(ResidualBlock(width) for _ in range(count)))
            for width, count in zip(widths, options.decoder_blocks, strict=True)
        )
        self.head = nn.Conv2d(widths[-1], NUM_BINS if options.output == "distribution" else 2, 1)
        for layer in (self.hint_encoder, self.hint_decoder, self.context):
            if layer is not None:
                nn.init.zeros_(layer.weight)
        if self.context is not None:
            nn.init.zeros_(self.context.bias)
        nn.init.normal_(self.head.weight, std=0.01)
        nn.init.zeros_(self.head.bias)

    def forward(self, lightness: Tensor, conditions: Conditions | None = None) -> Prediction:
        """lightness (N, 1, H, W) in 0..100, H and W multiples of 32 -> (N, 313 or 2, H/4, W/4)."""
        check_size(lightness, self.contract.size_divisor)
        wishes = conditions or Conditions()
        hints = None if wishes.hints is None else torch.cat([wishes.hints / 110.0, wishes.mask], 1)
        features = []
        x = self.encoder.normalise(lightness)
        for depth, stage in enumerate(self.encoder.stages):
            x = stage(x)
            if depth == 0 and hints is not None:
                x = x + self.hint_encoder(hints)
            features.append(x)  # (N, c, H/2, W/2) ... (N, c, H/32, W/32)

        x = self.bottleneck(features.pop())
        context = x.new_zeros(x.shape[:2]) if self.context is None else self.context(x.mean(dim=(2, 3)))
        overall = self._overall(x, wishes)
        x = x + (context if overall is None else context + overall)[..., None, None]
        if self.steering is not None and hints is not None:
            x = x + self.steering.hints[0](_pool_hints(hints, 32))
        x = self.blocks[0](self.attention(x))
        for depth, (reduce, skip, blocks) in enumerate(
            zip(self.reduce, self.skip, self.blocks[1:], strict=True), 1
        ):
            # Bilinear: nearest leaves the borders of the 32-pixel cells visible as seams in flat areas.
            deeper = F.interpolate(reduce(x), scale_factor=2.0, mode="bilinear", align_corners=False)
            x = deeper + skip(features.pop())
            if blocks is self.blocks[-1]:
                if hints is not None:
                    x = x + self.hint_decoder(_pool_hints(hints, self.contract.output_stride))
                if self.steering is not None and overall is not None:
                    x = x + self.steering.again(overall)[..., None, None]
            elif self.steering is not None and hints is not None:
                x = x + self.steering.hints[depth](_pool_hints(hints, 32 >> depth))
            x = blocks(F.relu(x))  # (N, width, H/16, W/16) ... (N, width, H/4, W/4)
        if self.contract.returns == "ab":
            return Prediction(ab=110.0 * torch.tanh(self.head(x).float()))
        return Prediction(logits=self.head(x))

    def _overall(self, x: Tensor, wishes: Conditions) -> Tensor | None:  # (N, width)
        """What is wished of the whole picture, as one vector; zeros for pictures of which nothing is."""
        wished = []
        if wishes.histogram is not None:
            given = (wishes.histogram.sum(dim=1, keepdim=True) > 0).to(x.dtype)
            # A uniform histogram has entries near 1/313; the network should see numbers near 1.
            wished.append(given * self.histogram(wishes.histogram * NUM_BINS))
        if wishes.saturation is not None:
            given = (wishes.saturation >= 0).to(x.dtype)
            wished.append(given * self.saturation(wishes.saturation))
        if wishes.palette is not None and self.steering is not None:
            wished.append(self.steering.palette(wishes.palette))
        return sum(wished) if wished else None


class Steering(nn.Module):
    """What makes wishes reach every depth of the decoder; all of it begins as nothing at all.

    Zhang, Zhu et al. 2017 tell hints at the input alone, to a trunk of 34 million parameters. A narrow
    pretrained encoder carries them badly: told at strides 32 to 8 as well, a point reaches its surroundings.
    """

    def __init__(self, widths: tuple[int, ...]) -> None:
        super().__init__()
        self.hints = nn.ModuleList(nn.Conv2d(3, width, 3, 1, 1, bias=False) for width in widths[:-1])
        self.colour = nn.Sequential(nn.Linear(3, widths[0]), nn.ReLU(inplace=True))
        self.mixed = nn.Linear(widths[0], widths[0], bias=False)
        self.again = nn.Linear(widths[0], widths[-1], bias=False)
        for layer in (*self.hints, self.mixed, self.again):
            nn.init.zeros_(layer.weight)

    def palette(self, palette: Tensor) -> Tensor:
        """(N, 5, 3) Lab in any order -> (N, width); zeros where all of a picture's entries are zero."""
        scaled = palette / palette.new_tensor([100.0, 110.0, 110.0])
        given = (palette.flatten(1).abs().sum(1, keepdim=True) > 0).to(palette.dtype)
        return given * self.mixed(self.colour(scaled).mean(1))


def _global_branch(inputs: int, width: int) -> nn.Sequential:
    branch = nn.Sequential(nn.Linear(inputs, width), nn.ReLU(inplace=True), nn.Linear(width, width))
    nn.init.zeros_(branch[-1].weight)
    nn.init.zeros_(branch[-1].bias)
    return branch


def _pool_hints(hints: Tensor, stride: int) -> Tensor:
    """(N, 3, H, W) -> (N, 3, H/s, W/s): mean colour of the revealed pixels, and whether there are any.

    A plain mean would dilute a one-pixel hint sixteen-fold.
    """
    pooled = F.avg_pool2d(hints, stride)
    share = pooled[:, 2:]
    return torch.cat([pooled[:, :2] / share.clamp_min(1e-6), (share > 0).to(hints.dtype)], 1)
