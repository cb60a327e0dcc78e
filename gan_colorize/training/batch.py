"""From the bytes of a batch to what networks and losses need, on the device that trains."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..color.fast import rgb8_to_lab
from ..color.targets import area_pool
from ..color.yuv import rgb_to_uv
from ..config import Data
from ..data.hints import global_statistics, simulate_hints
from ..data.loader import RawBatch
from ..data.palettes import picture_palettes, simulate_palettes
from ..data.transforms import simulate_grey_lightness
from ..losses.classification import has_colour, pixel_weights
from ..models.contract import Conditions, Contract


@dataclass(frozen=True)
class Batch:
    """lightness: (N, 1, S, S) what the network sees; ab: (N, 2, s, s) truth at the prediction's size;
    indices, shares: (N, k, s, s) its encoding at the logits' size; pixel_weight: (N, 1, s, s) rebalancing
    there; uv: (N, 2, s, s) the truth in that space, for networks that regress it;
    position: images drawn since training began, this batch included."""

    lightness: Tensor
    ab: Tensor
    indices: Tensor
    shares: Tensor
    pixel_weight: Tensor
    conditions: Conditions
    uv: Tensor | None = None
    position: int = 0


class BatchMaker:
    """Builds a Batch; a pure function of the pixels, the run's seed and the position."""

    def __init__(
        self, contract: Contract, encoder: nn.Module, class_weights: Tensor, data: Data, seed: int
    ) -> None:
        self.contract, self.encoder, self.class_weights = contract, encoder, class_weights
        self.data, self.seed = data, seed

    def training(self, rgb: Tensor, position: int) -> Batch:
        """rgb (N, 3, S, S) uint8 on the training device; simulates grey photographs, hints, statistics."""
        generator = batch_generator(self.seed, position)
        lab = rgb8_to_lab(rgb)
        ab = lab[:, 1:]
        lightness = simulate_grey_lightness(rgb, generator, self.data.grey_simulation, lab)
        wishes = {}
        if "hints" in self.contract.takes:
            wishes["hints"], wishes["mask"] = simulate_hints(ab, generator, self.data.hints)
        if {"histogram", "saturation"} & self.contract.takes:
            histogram, saturation = global_statistics(rgb, ab, generator, self.data.statistics)
            wishes |= {"histogram": histogram, "saturation": saturation}
        if "palette" in self.contract.takes:
            wishes["palette"] = simulate_palettes(lab, generator, self.data.palettes)
        return replace(self._finish(rgb, lightness, ab, Conditions(**wishes)), position=position)

    def validation(self, rgb: Tensor) -> Batch:
        """rgb (N, 3, S, S) uint8; the L of the picture itself, and no conditions but for a network that is
        mostly trained with palettes: it is measured with the picture's own."""
        lab = rgb8_to_lab(rgb)
        palette = None
        if "palette" in self.contract.takes and self.data.palettes > 0.5:
            palette = picture_palettes(lab, torch.Generator().manual_seed(self.seed))
        return self._finish(rgb, lab[:, :1], lab[:, 1:], Conditions(palette=palette))

    def _finish(self, rgb: Tensor, lightness: Tensor, full_ab: Tensor, conditions: Conditions) -> Batch:
        contract = self.contract
        ab = area_pool(full_ab, contract.output_stride)
        coarse = contract.logits_stride or contract.output_stride
        indices, shares = self.encoder(ab if coarse == contract.output_stride else area_pool(full_ab, coarse))
        weight = pixel_weights(indices, shares, self.class_weights) * has_colour(full_ab)
        uv = area_pool(rgb_to_uv(rgb / 255.0), contract.output_stride) if contract.space == "uv" else None
        return Batch(lightness, ab, indices, shares, weight, conditions, uv)


def batch_generator(seed: int, position: int) -> torch.Generator:
    """All chance that a batch has, on the CPU. Not torch's global generator: the position alone must decide,
    or a resumed run would differ."""
    state = np.random.SeedSequence((seed, position)).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(state) >> 1)


class Prepare:
    """Makes batches where the pixels are cheapest to work on: on a CPU in the process that decoded them,
    otherwise (``device`` is not a CPU) on the accelerator, when the training loop asks.

    maker: has ``training(rgb, position)``, which follows from pixels, seed and position alone.
    """

    def __init__(self, maker: Any, device: torch.device) -> None:
        self.maker, self.device = maker, device

    def in_worker(self) -> Callable[[RawBatch], Any] | None:
        """What the data stream applies to its batches."""
        return self if self.device.type == "cpu" else None

    def in_loop(self, batch: Any) -> Any:
        """What the loop applies to what the stream hands over."""
        return self(batch) if isinstance(batch, RawBatch) else batch

    def __call__(self, raw: RawBatch) -> Any:
        return self.maker.training(raw.rgb.to(self.device, non_blocking=True), raw.position)
