"""A network under test: it colours lightness planes by the colorizer's own code, in float32."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import nn

from ..color.targets import SoftEncoder, area_pool
from ..inference.predictor import Predictor, Seen
from ..inference.predictor import Settings as Decoding
from ..inference.upsample import render
from ..inference.working_size import pad_to_multiple, shrink
from ..models.contract import Prediction


@lru_cache(maxsize=1)
def soft_encoder() -> SoftEncoder:
    """The training target's encoder; its table takes a third of a second."""
    return SoftEncoder()


class Subject:
    """A model that is measured.

    Args:
        model: as the checkpoint loader returns it.
        temperature: of the annealed mean; None takes the model's own.
    """

    def __init__(self, model: nn.Module, device: str, temperature: float | None = None) -> None:
        self.predictor = Predictor(model, device, "fp32")
        self.name, self.contract = model.name, model.contract
        self.temperature = self.predictor.temperature if temperature is None else temperature
        self.encoder = soft_encoder()
        self.distribution = self.contract.returns == "distribution"
        # A network that regresses ab has no bins to go through, only its coarser output.
        self.ceiling = "truth_through_bins" if self.distribution else "truth_through_pooling"

    def look(self, lightness: np.ndarray) -> tuple[list[Seen], Prediction]:
        """What the network sees of (N, H, W) L, and what it says to that."""
        seen = [self.predictor.see(plane) for plane in lightness]
        return seen, self.predictor.predict(seen)

    def pictures(self, lightness: np.ndarray, seen: list[Seen], prediction: Prediction) -> np.ndarray:
        """(N, H, W, 3) uint8: the colouring that the colorizer would write, of :meth:`look`'s answer."""
        result = self.predictor.decode(prediction, seen, Decoding(self.temperature))
        return rendered(lightness, [chroma.ab[0] for chroma in result], result[0].extent, seen)

    def ceiling_pictures(self, lightness: np.ndarray, ab: np.ndarray, seen: list[Seen]) -> np.ndarray:
        """(N, H, W, 3) uint8: what a perfect network of this output format would give for the true ab."""
        extent = seen[0].extent(self.contract.output_stride)
        return rendered(lightness, self._perfect(ab, seen[0]), extent, seen)

    def target(self, ab: np.ndarray, seen: Seen) -> torch.Tensor:
        """True ab (N, 2, H, W) on the grid of the network's output, padding included: (N, 2, h, w)."""
        divisor = self.contract.size_divisor
        small = [
            [pad_to_multiple(shrink(plane, seen.shape, -110.0, 110.0), divisor) for plane in planes]
            for planes in ab
        ]
        return area_pool(torch.from_numpy(np.array(small, np.float32)), self.contract.output_stride)

    def about(self) -> dict[str, Any]:
        """What the report says of the model."""
        return {
            "name": self.name,
            "temperature": self.temperature if self.distribution else None,
            "saturation": self.predictor.saturation,
            "working_size": self.predictor.size,
            "output_stride": self.contract.output_stride,
            "device": self.predictor.device.type,
        }

    def _perfect(self, ab: np.ndarray, seen: Seen) -> list[np.ndarray]:
        """What the training target itself gives at the model's temperature: (2, h, w) for each (2, H, W)."""
        pooled = self.target(ab, seen)
        if not self.distribution:
            return list(pooled.numpy())
        indices, shares = self.encoder(pooled)
        # the annealed mean over the few bins that have a share; the others have none at any temperature
        shares = (shares.log() / self.temperature).softmax(1)  # (N, k, h, w)
        mean = (self.encoder.centres[indices] * shares[..., None]).sum(1)  # (N, h, w, 2)
        return list(mean.permute(0, 3, 1, 2).numpy())


def grey_pictures(lightness: np.ndarray, seen: list[Seen] | None = None) -> np.ndarray:
    """(N, H, W, 3) uint8: L without any colour."""
    return rendered(lightness, [np.zeros((2, 1, 1), np.float32)] * len(lightness), (1, 1), seen)


def rendered(
    lightness: np.ndarray,
    chroma: list[np.ndarray],
    extent: tuple[float, float],
    seen: list[Seen] | None,
) -> np.ndarray:
    """(N, H, W, 3) uint8, by the function with which the colorizer writes its files."""
    planes = [None] * len(lightness) if seen is None else [one.plane for one in seen]
    parts = zip(lightness, chroma, planes, strict=True)
    return np.stack([render(plane, ab, extent, seen=small) for plane, ab, small in parts])
