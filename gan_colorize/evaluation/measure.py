"""One batch of photographs through the model, the two references and every metric."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..color.fast import rgb8_to_lab
from ..color.targets import SoftEncoder, area_pool
from ..inference.predictor import Predictor, Seen
from ..inference.predictor import Settings as Decoding
from ..inference.upsample import render
from ..inference.working_size import pad_to_multiple, shrink
from .auc import RebalancedAuc, auc, pixel_scores
from .colorfulness import colorfulness
from .lpips_metric import Lpips, signed_rgb
from .psnr import psnr
from .semantic import Recogniser
from .ssim import ssim

# row -> metric -> one number a photograph; None where the metric does not apply to it
Values = dict[str, dict[str, list[float | None]]]


@lru_cache(maxsize=1)
def _soft_encoder() -> SoftEncoder:
    return SoftEncoder()  # its table takes a third of a second


class Measure:
    """Colours pictures by the colorizer's own code, in float32, and measures them against the truth.

    Args:
        model: as the checkpoint loader returns it; ``lpips`` and ``recogniser`` are on the same ``device``.
        temperature: of the annealed mean; None takes the model's own.
    """

    def __init__(
        self,
        model: nn.Module,
        device: str,
        temperature: float | None,
        lpips: Lpips | None,
        recogniser: Recogniser | None = None,
    ) -> None:
        self.predictor = Predictor(model, device, "fp32")
        self.name, self.contract = model.name, model.contract
        self.lpips, self.recogniser = lpips, recogniser
        self.temperature = self.predictor.temperature if temperature is None else temperature
        self.encoder = _soft_encoder()
        self.distribution = self.contract.returns == "distribution"
        # A network that regresses ab has no bins to go through, only its coarser output.
        self.ceiling = "truth_through_bins" if self.distribution else "truth_through_pooling"
        self.rebalanced = RebalancedAuc(("grey", self.ceiling, "model"))

    def __call__(self, truth: Tensor, names: list[str]) -> tuple[Values, dict[str, np.ndarray]]:
        """Measure truth (N, 3, H, W) uint8, of files called ``names``; each photograph once.

        Returns:
            numbers by row and metric, and the rows' pictures (N, H, W, 3) uint8.
        """
        lab = rgb8_to_lab(truth).numpy()
        lightness, ab = lab[:, 0], lab[:, 1:]
        seen = [self.predictor.see(plane) for plane in lightness]
        prediction = self.predictor.predict(seen)
        result = self.predictor.decode(prediction, seen, Decoding(self.temperature))
        extent = result[0].extent
        pictures = {
            "grey": _render(lightness, [np.zeros((2, 1, 1), np.float32)] * len(seen), (1, 1), seen),
            self.ceiling: _render(lightness, self._perfect(ab, seen[0]), extent, seen),
            "model": _render(lightness, [chroma.ab[0] for chroma in result], extent, seen),
        }

        on_device = truth.to(self.predictor.device)
        features = None if self.lpips is None else self.lpips.features(signed_rgb(on_device))
        values: Values = {"truth": _colorfulness(on_device)}
        classes = self.rebalanced.classes(true_ab := torch.from_numpy(ab))
        if self.recogniser is not None:
            known = self.recogniser(on_device)
            values["truth"] |= self.recogniser.compare(known, known, names)
        for row, picture in pictures.items():
            rgb8 = torch.from_numpy(picture).permute(0, 3, 1, 2)
            other = rgb8.to(self.predictor.device)
            values[row] = of = {}
            if features is not None:  # the truth's are computed once for all rows
                of["lpips"] = self.lpips.distance(features, self.lpips.features(signed_rgb(other))).tolist()
            of["psnr"] = psnr(on_device, other).tolist()
            of["ssim"] = ssim(on_device, other).tolist()
            scores = pixel_scores(true_ab, rgb8_to_lab(rgb8)[:, 1:])
            of["auc"] = auc(scores).tolist()
            self.rebalanced.add(row, classes, scores)
            of |= _colorfulness(other)
            if self.recogniser is not None:
                of |= self.recogniser.compare(self.recogniser(other), known, names)
        return values, pictures

    def over_all(self) -> dict[str, dict[str, float]]:
        """Numbers by row and metric of all photographs measured so far, where no mean over them will do."""
        return {row: {"auc_rebalanced": value} for row, value in self.rebalanced.values().items()}

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
        divisor = self.contract.size_divisor
        small = [
            [pad_to_multiple(shrink(plane, seen.shape, -110.0, 110.0), divisor) for plane in planes]
            for planes in ab
        ]
        pooled = area_pool(torch.from_numpy(np.array(small, np.float32)), self.contract.output_stride)
        if not self.distribution:
            return list(pooled.numpy())
        indices, shares = self.encoder(pooled)
        # the annealed mean over the few bins that have a share; the others have none at any temperature
        shares = (shares.log() / self.temperature).softmax(1)  # (N, k, h, w)
        mean = (self.encoder.centres[indices] * shares[..., None]).sum(1)  # (N, h, w, 2)
        return list(mean.permute(0, 3, 1, 2).numpy())


def _render(
    lightness: np.ndarray, chroma: list[np.ndarray], extent: tuple[float, float], seen: list[Seen]
) -> np.ndarray:
    """(N, H, W, 3) uint8, by the function with which the colorizer writes its files."""
    parts = zip(lightness, chroma, seen, strict=True)
    return np.stack([render(plane, ab, extent, seen=one.plane) for plane, ab, one in parts])


def _colorfulness(rgb: Tensor) -> dict[str, list[float]]:
    return {
        "colorfulness": colorfulness(rgb).tolist(),
        "colorfulness_abs": colorfulness(rgb, absolute=True).tolist(),
    }
