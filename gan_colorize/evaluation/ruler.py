"""Every metric that compares a picture with the truth; what is known of the truth is computed once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..color.fast import rgb8_to_lab
from .auc import auc, nearest_bins, pixel_scores
from .colorfulness import colorfulness
from .lpips_metric import Lpips, signed_rgb
from .psnr import psnr
from .semantic import Recogniser
from .ssim import ssim

# metric -> one number a photograph; None where the metric does not apply to it
Numbers = dict[str, list[float | None]]


@dataclass(frozen=True)
class Truth:
    """A batch of true photographs and what the metrics need of them.

    rgb8:      (N, 3, H, W) uint8, on the ruler's device.
    lightness: (N, H, W) float32 L; ab: (N, 2, H, W) float32.
    classes:   (N, H, W) int64, the nearest bin to each true colour.
    features:  of every LPIPS network, by the name of its metric.
    known:     the class that the recogniser sees in each photograph; None without one.
    """

    names: list[str]
    rgb8: Tensor
    lightness: np.ndarray
    ab: np.ndarray
    classes: Tensor
    features: dict[str, list[Tensor]]
    known: list[int] | None


class Ruler:
    """Measures pictures of any origin against the truth.

    Args:
        lpips: by the name that its metric has in the report; ``recogniser``: None leaves the semantic check
            out. All are on ``device``.
    """

    def __init__(
        self, device: torch.device | str, lpips: Mapping[str, Lpips], recogniser: Recogniser | None = None
    ) -> None:
        self.device = torch.device(device)
        self.lpips, self.recogniser = dict(lpips), recogniser

    def truth(self, rgb8: Tensor, names: list[str]) -> Truth:
        """All that is asked of the truth (N, 3, H, W) uint8, of files called ``names``."""
        lab = rgb8_to_lab(rgb8).numpy()
        on_device = rgb8.to(self.device)
        return Truth(
            names=names,
            rgb8=on_device,
            lightness=lab[:, 0],
            ab=lab[:, 1:],
            classes=nearest_bins(torch.from_numpy(lab[:, 1:])),
            features={key: of.features(signed_rgb(on_device)) for key, of in self.lpips.items()},
            known=None if self.recogniser is None else self.recogniser(on_device),
        )

    def of_truth(self, truth: Truth) -> Numbers:
        """The metrics that the truth has by itself."""
        values = _colorfulness(truth.rgb8)
        if self.recogniser is not None:
            values |= self.recogniser.compare(truth.known, truth.known, truth.names)
        return values

    def __call__(self, truth: Truth, pictures: np.ndarray) -> tuple[Numbers, Tensor]:
        """Compare pictures (N, H, W, 3) uint8 with the truth.

        Returns:
            numbers by metric, and what each pixel adds to AuC: (N, H, W) float32, see :mod:`.auc`.
        """
        rgb8 = torch.from_numpy(pictures).permute(0, 3, 1, 2)
        other = rgb8.to(self.device)
        of: Numbers = {}
        for key, lpips in self.lpips.items():
            distance = lpips.distance(truth.features[key], lpips.features(signed_rgb(other)))
            of[key] = distance.tolist()
        of["psnr"] = psnr(truth.rgb8, other).tolist()
        of["ssim"] = ssim(truth.rgb8, other).tolist()
        scores = pixel_scores(torch.from_numpy(truth.ab), rgb8_to_lab(rgb8)[:, 1:])
        of["auc"] = auc(scores).tolist()
        of |= _colorfulness(other)
        if self.recogniser is not None:
            of |= self.recogniser.compare(self.recogniser(other), truth.known, truth.names)
        return of, scores


def _colorfulness(rgb: Tensor) -> Numbers:
    return {
        "colorfulness": colorfulness(rgb).tolist(),
        "colorfulness_abs": colorfulness(rgb, absolute=True).tolist(),
    }
