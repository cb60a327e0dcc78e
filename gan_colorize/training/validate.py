"""Held-out pictures: the loss, a few metrics and a sample grid, always from the averaged generator."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from ..color.fast import lab_to_rgb8, rgb8_to_lab
from ..config import Loss
from ..distributed import current, from_main, gather
from ..evaluation.quick import quick_metrics
from ..files import save_image
from ..losses.classification import soft_cross_entropy
from ..losses.perceptual import PerceptualLoss
from .batch import BatchMaker
from .gan_step import compares_colours, reconstruction_terms
from .optim import Precision

_CHUNK, _SHOWN = 16, 12


class Validator:
    """Measures a generator on fixed pictures ``rgb`` (M, 3, S, S) uint8."""

    def __init__(
        self,
        rgb: Tensor,
        maker: BatchMaker,
        loss: Loss,
        temperature: float,
        perceptual: PerceptualLoss | None,
    ) -> None:
        self.rgb, self.maker, self.loss, self.temperature = rgb, maker, loss, temperature
        self.perceptual = perceptual

    @torch.no_grad()
    def __call__(self, model: nn.Module, precision: Precision) -> tuple[dict[str, float], Tensor]:
        """Metrics by name ("loss" is the weighted sum of the reconstruction terms) and the coloured
        pictures (M, 3, S, S) uint8; of many processes each does a part, and all get the whole."""
        chunks = list(enumerate(self.rgb.split(_CHUNK)))
        done: dict[int, tuple[dict[str, float], Tensor]] = {}
        for number, rgb in current().share(chunks):
            batch = self.maker.validation(rgb.to(precision.device))
            with precision.autocast():
                prediction = model(batch.lightness, batch.conditions)
            ab = prediction.decode(self.temperature).float()
            other = self.temperature != self.loss.temperature and compares_colours(self.loss)
            seen = prediction.decode(self.loss.temperature).float() if other else ab
            terms = reconstruction_terms(self.loss, batch, prediction, seen, self.perceptual)
            values = dict(terms)
            values["loss"] = sum(getattr(self.loss, name) * value for name, value in terms.items())
            if prediction.logits is not None:
                values["cross_entropy"] = soft_cross_entropy(
                    prediction.logits, batch.indices, batch.shares
                ).mean()
            done[number] = {name: float(value) for name, value in values.items()}, colour(rgb, ab)
        totals: dict[str, float] = {}
        coloured = []
        every = {number: one for part in gather(done) for number, one in part.items()}
        for number, rgb in chunks:  # in the order of one process: the same sums
            values, pictures = every[number]
            coloured.append(pictures)
            for name, value in values.items():
                totals[name] = totals.get(name, 0.0) + value * len(rgb) / len(self.rgb)
        pictures = torch.cat(coloured)
        metrics = from_main(lambda: quick_metrics(*(p.to(precision.device) for p in (self.rgb, pictures))))
        totals |= {key: value for key, value in metrics.items() if value is not None}
        return totals, pictures

    def save_grid(self, pictures: Tensor, path: Path) -> None:
        """Rows of truth | grey | result."""
        grey = colour(self.rgb[:_SHOWN], torch.zeros(min(_SHOWN, len(self.rgb)), 2, 2, 2))
        save_sheet(torch.stack([self.rgb[:_SHOWN], grey, pictures[:_SHOWN]], 1), path)


def save_sheet(tiles: Tensor, path: Path) -> None:
    """A JPEG of groups of three pictures, (n, 3, 3, S, S) uint8; two groups a row."""
    pictures = tiles.flatten(0, 1)
    columns = 6
    if len(pictures) % columns:
        blank = torch.full_like(pictures[:1], 255).expand(columns - len(pictures) % columns, -1, -1, -1)
        pictures = torch.cat([pictures, blank])
    size = pictures.shape[-1]
    sheet = pictures.reshape(-1, columns, 3, size, size).permute(0, 3, 1, 4, 2).flatten(2, 3).flatten(0, 1)
    save_image(path, Image.fromarray(sheet.contiguous().numpy()), "JPEG", quality=92)


def colour(rgb: Tensor, ab: Tensor) -> Tensor:
    """Pictures (N, 3, S, S) uint8 with their own lightness and the chroma ab (N, 2, s, s), enlarged."""
    lightness = rgb8_to_lab(rgb)[:, 0].numpy()
    ab = F.interpolate(ab.cpu(), size=rgb.shape[-2:], mode="bicubic", align_corners=False).numpy()
    results = [lab_to_rgb8(l, c) for l, c in zip(lightness, ab, strict=True)]  # noqa: E741
    return torch.from_numpy(np.stack(results)).permute(0, 3, 1, 2)
