"""Deep Colorization: small fully connected networks from what is seen around a pixel to its chroma.

Cheng, Yang, Sheng 2015. Features: the 7x7 grey patch, DAISY and semantic scores; three hidden layers to U
and V, least squares; joint bilateral filtering of the chroma; pictures fall into clusters on two levels, and
every cluster has a network of its own (adaptive clustering).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..color.fast import rgb8_to_lab
from ..color.lab import lightness_to_grey
from ..color.yuv import above_luma, rgb_to_uv, uv_to_ab
from ..errors import UserError
from .clusters import ClusteredMLP, KindsOfPictures
from .contract import Conditions, Contract, Prediction, check_size
from .pixel_features import (
    DAISY_SIZE,
    DESCRIPTOR_SIZE,
    PATCH_SIZE,
    daisy_maps,
    global_descriptor,
    grey_patches,
    missing_extra,
)
from .semantic_scores import SemanticScores

_CHUNK = 16  # pictures looked at together while fitting
# A group of things that was hardly ever seen while fitting must not shout when it is seen later.
_LEAST_SPREAD, _FARTHEST = 0.01, 8.0
# Of the joint bilateral filter: window and sigma in pixels, sigma in grey 0..1.
_WINDOW, _SIGMA_SPACE, _SIGMA_GREY = 9, 3.0, 0.05


@dataclass(frozen=True)
class DeepColorizationOptions:
    """hidden:          neurons of the three hidden layers; the paper: half as many as features.
    groups:          of things that semantic scores tell apart.
    clusters:        how many kinds of pictures the first level tells apart, and into how many the second
                     divides those of each kind that are badly coloured; 0 there: one level.
    well_coloured:   PSNR in dB from which on a picture stays in the first level.
    recogniser_size: short side in pixels to which pictures are enlarged for the recogniser.
    daisy_radius:    of DAISY's ring, in pixels.
    """

    hidden: tuple[int, int, int] = (64, 64, 64)
    groups: int = 47
    clusters: tuple[int, int] = (2, 2)
    well_coloured: float = 24.0
    recogniser_size: int = 224
    daisy_radius: int = 8

    def __post_init__(self) -> None:
        for key, low, high in (("groups", 1, 1000), ("recogniser_size", 32, 1024), ("daisy_radius", 1, 64)):
            if not low <= getattr(self, key) <= high:
                raise UserError(f"model.options.{key}: {getattr(self, key)} must lie in {low}..{high}")
        if min(self.hidden) < 1:
            raise UserError(f"model.options.hidden: {list(self.hidden)} must all be at least 1")
        if not (1 <= self.clusters[0] <= 32 and 0 <= self.clusters[1] <= 32):
            raise UserError(f"model.options.clusters: {list(self.clusters)} must lie in 1..32 and in 0..32")


class DeepColorization(nn.Module):
    """L -> U and V of every pixel, by the network of the kind of picture that it is.

    Before :meth:`fit` there is one kind of picture and features are not normalised. Only the fully connected
    networks learn by gradients.
    """

    source = "Cheng, Yang, Sheng 2015, Deep Colorization"
    contract = Contract(takes=frozenset(), returns="ab", output_stride=1, size_divisor=8, space="uv")

    def __init__(self, options: DeepColorizationOptions) -> None:
        super().__init__()
        self.daisy_radius, self.well_coloured = options.daisy_radius, options.well_coloured
        size = PATCH_SIZE + DAISY_SIZE + options.groups
        self.semantics = SemanticScores(options.groups, options.recogniser_size)
        self.kinds = KindsOfPictures(options.clusters, DESCRIPTOR_SIZE, options.groups)
        self.networks = ClusteredMLP(self.kinds.count, (size, *options.hidden, 2))
        self.register_buffer("mean", torch.zeros(size, 1, 1))
        self.register_buffer("spread", torch.ones(size, 1, 1))

    def load_pretrained(self) -> None:
        """Give the recogniser behind the semantic scores its ImageNet weights."""
        self.semantics.load_pretrained()

    def forward(self, lightness: Tensor, conditions: Conditions | None = None) -> Prediction:
        """lightness (N, 1, H, W) in 0..100, H and W multiples of 8 -> uv and ab (N, 2, H, W)."""
        check_size(lightness, self.contract.size_divisor)
        grey = lightness_to_grey(lightness)
        features, descriptor, histogram = self.look(lightness, grey)
        kind = self.kinds.choose(descriptor, histogram)  # (N,)
        x = ((features - self.mean) / self.spread).clamp(-_FARTHEST, _FARTHEST)
        uv = self.networks(x.flatten(2).transpose(1, 2), kind)  # (N, H*W, 2)
        uv = uv.transpose(1, 2).unflatten(2, grey.shape[2:])
        if not self.training:
            uv = refine(uv, grey)
        return Prediction(ab=uv_to_ab(lightness, uv), uv=uv)

    @torch.no_grad()
    def look(self, lightness: Tensor, grey: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Features (N, 49 + 32 + groups, H, W), the pictures' descriptors (N, 144) and their histograms of
        things (N, groups), all float32."""
        scores = self.semantics(lightness, grey)
        daisy = daisy_maps(grey, self.daisy_radius)
        features = torch.cat([grey_patches(grey), daisy, scores], 1)
        return features, global_descriptor(grey, daisy), scores.mean((2, 3))

    @torch.no_grad()
    def fit(self, pictures: Tensor, seed: int) -> bool:
        """See :class:`~gan_colorize.models.contract.Contract`. First: the features' normalisation and the
        kinds of the first level. Then: the second level, for the pictures that are not well coloured yet."""
        was_training = self.training
        self.eval()
        changed = self._fit(pictures, seed)
        self.train(was_training)
        return changed

    def _fit(self, pictures: Tensor, seed: int) -> bool:
        first = self.kinds.levels == 0
        descriptors, histograms, means, squares, quality = [], [], [], [], []
        for rgb in pictures.to(self.mean.device).split(_CHUNK):
            lightness = rgb8_to_lab(rgb)[:, :1]
            features, descriptor, histogram = self.look(lightness, lightness_to_grey(lightness))
            descriptors.append(descriptor)
            histograms.append(histogram)
            means.append(features.double().mean((2, 3)))
            squares.append(features.double().square().mean((2, 3)))
            if not first:
                quality.append(psnr(self(lightness).uv, rgb_to_uv(rgb / 255.0)))
        descriptor, histogram = torch.cat(descriptors), torch.cat(histograms)
        if first:
            mean = torch.cat(means).mean(0)
            spread = (torch.cat(squares).mean(0) - mean.square()).clamp_min(0.0).sqrt()
            self.mean.copy_(mean[:, None, None])
            self.spread.copy_(spread.clamp_min(_LEAST_SPREAD)[:, None, None])
            self.kinds.open_first(descriptor, histogram, seed)
            return True
        origins = self.kinds.open_second(descriptor, histogram, torch.cat(quality) < self.well_coloured, seed)
        for new, old in origins.items():
            self.networks.copy(old, new)
        return bool(origins)


def refine(uv: Tensor, grey: Tensor) -> Tensor:
    """Chroma (N, 2, H, W) smoothed where grey (N, 1, H, W) in 0..1 is: a joint bilateral filter.

    Petschnigg et al. 2004; in the paper against speckles where there is little texture.

    Raises:
        UserError: kornia is not installed.
    """
    try:
        from kornia.filters import joint_bilateral_blur
    except ImportError as error:
        raise missing_extra("kornia") from error

    with torch.autocast(uv.device.type, enabled=False):
        return joint_bilateral_blur(uv.float(), grey, _WINDOW, _SIGMA_GREY, (_SIGMA_SPACE, _SIGMA_SPACE))


def psnr(guess: Tensor, truth: Tensor) -> Tensor:
    """UV (N, 2, H, W) twice -> PSNR in dB (N,) of RGB pictures of the same luma."""
    return -10.0 * above_luma(guess - truth).square().mean((1, 2, 3)).clamp_min(1e-10).log10()
