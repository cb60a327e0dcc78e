"""From the bytes of a batch to what networks and losses need, on the device that trains."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor, nn

from ..color.fast import rgb8_to_lab
from ..color.palette import COLOURS
from ..color.targets import area_pool
from ..color.yuv import rgb_to_uv
from ..config import Data
from ..data.chance import Chance
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

    def split(self, piece: int) -> list[Batch]:
        """The same in parts of ``piece`` pictures, which must divide N; 0: in one."""
        if piece in (0, len(self.lightness)):
            return [self]
        return [self._rows(slice(at, at + piece)) for at in range(0, len(self.lightness), piece)]

    def _rows(self, rows: slice) -> Batch:
        given = {field.name: getattr(self, field.name) for field in fields(self)}
        parts = {name: value[rows] for name, value in given.items() if isinstance(value, Tensor)}
        return replace(self, **parts, conditions=self.conditions.rows(rows))


class BatchMaker:
    """Builds a Batch; of every image a pure function of its pixels, its number and the run's seed."""

    def __init__(
        self, contract: Contract, encoder: nn.Module, class_weights: Tensor, data: Data, seed: int
    ) -> None:
        self.contract, self.encoder, self.class_weights = contract, encoder, class_weights
        self.data, self.seed = data, seed

    def training(self, rgb: Tensor, numbers: Tensor, position: int) -> Batch:
        """rgb (N, 3, S, S) uint8 on the training device, with the numbers of these images in the stream;
        simulates grey photographs, hints, statistics."""
        chance = Chance(self.seed, numbers)
        lab = rgb8_to_lab(rgb)
        ab = lab[:, 1:]
        lightness = simulate_grey_lightness(rgb, chance, self.data.grey_simulation, lab)
        wishes = {}
        if "hints" in self.contract.takes:
            wishes["hints"], wishes["mask"] = simulate_hints(ab, chance, self.data.hints)
        if {"histogram", "saturation"} & self.contract.takes:
            histogram, saturation = global_statistics(rgb, ab, chance, self.data.statistics)
            wishes |= {"histogram": histogram, "saturation": saturation}
        if "palette" in self.contract.takes:
            wishes["palette"] = simulate_palettes(lab, chance, self.data.palettes)
        return replace(self._finish(rgb, lightness, ab, Conditions(**wishes)), position=position)

    def validation(self, rgb: Tensor) -> Batch:
        """rgb (N, 3, S, S) uint8; the L of the picture itself, and no conditions but for a network that is
        mostly trained with palettes: it is measured with the picture's own."""
        lab = rgb8_to_lab(rgb)
        palette = None
        if "palette" in self.contract.takes and self.data.palettes > 0.5:
            generator = torch.Generator().manual_seed(self.seed)
            draws = torch.rand(len(lab), COLOURS, generator=generator, dtype=torch.float64)
            palette = picture_palettes(lab, draws)
        return self._finish(rgb, lab[:, :1], lab[:, 1:], Conditions(palette=palette))

    def _finish(self, rgb: Tensor, lightness: Tensor, full_ab: Tensor, conditions: Conditions) -> Batch:
        contract = self.contract
        ab = area_pool(full_ab, contract.output_stride)
        coarse = contract.logits_stride or contract.output_stride
        indices, shares = self.encoder(ab if coarse == contract.output_stride else area_pool(full_ab, coarse))
        weight = pixel_weights(indices, shares, self.class_weights) * has_colour(full_ab)
        uv = area_pool(rgb_to_uv(rgb / 255.0), contract.output_stride) if contract.space == "uv" else None
        return Batch(lightness, ab, indices, shares, weight, conditions, uv)


class Prepare:
    """Makes batches where the pixels are cheapest to work on: on a CPU in the process that decoded them,
    otherwise (``device`` is not a CPU) on the accelerator, when the training loop asks.

    maker: has ``training(rgb, numbers, position)``, which follows from these and the seed alone.
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
        return self.maker.training(raw.rgb.to(self.device, non_blocking=True), raw.numbers, raw.position)
