"""Held-out texts: how near drawn palettes come to what people chose, and swatches to look at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..color.palette import palette_to_rgb8
from ..evaluation.palettes import score_palettes
from ..files import save_image
from ..inference.swatches import draw_swatches
from .optim import Precision

SAMPLES = 5
_CHUNK, _SHOWN = 256, 16


class PaletteValidator:
    """Measures a generator on fixed texts, always with the same noise.

    palettes: (M, 5, 3) Lab that people gave the texts; training: (T, 5, 3), of which the baseline
    draws at random.
    """

    temperature = 1.0  # palettes are drawn as they are

    def __init__(self, texts: list[str], palettes: Tensor, training: Tensor) -> None:
        self.texts, self.palettes = texts, palettes
        chance = torch.Generator().manual_seed(0)
        random = training[torch.randint(len(training), (len(texts), SAMPLES), generator=chance)]
        self.baseline = {f"random_{key}": value for key, value in score_palettes(random, palettes).items()}

    @torch.no_grad()
    def __call__(self, model: nn.Module, precision: Precision) -> tuple[dict[str, float], Tensor]:
        """Metrics of :func:`score_palettes`, those of random training palettes, and the palettes drawn."""
        chance = torch.Generator().manual_seed(0)
        drawn = []
        for start in range(0, len(self.texts), _CHUNK):
            words = model.read(self.texts[start : start + _CHUNK])[0].to(precision.device)
            drawn.append(model(words, model.noise(words, SAMPLES, chance)).colours.cpu())
        palettes = torch.cat(drawn)  # (M, SAMPLES, 5, 3)
        return {**score_palettes(palettes, self.palettes), **self.baseline}, palettes

    def save_grid(self, pictures: Any, path: Path) -> None:
        """Rows of text | the palette that a person chose | palettes drawn."""
        rows = []
        for text, truth, drawn in list(zip(self.texts, self.palettes, pictures, strict=True))[:_SHOWN]:
            rows.append((text, palette_to_rgb8(torch.cat([truth[None], drawn]))))
        save_image(path, draw_swatches(rows), "JPEG", quality=92)
