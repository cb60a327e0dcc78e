"""How different several samples for one photograph are, and how near the best comes to the truth.

Mean LPIPS over all pairs of samples, as Zhu et al. 2017 ("Toward multimodal image-to-image translation",
section 5.1) measure it between results for one input.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
import torch

from ..lpips_metric import Lpips, signed_rgb
from ..psnr import psnr
from ..ruler import Truth

Features = list[torch.Tensor]


def mean_pairwise(lpips: Lpips, features: list[Features]) -> torch.Tensor:
    """(N,) of the features of each sample of N photographs; two or more. 0 where all are the same."""
    pairs = [lpips.distance(a, b) for a, b in combinations(features, 2)]
    if not pairs:
        raise ValueError("diversity needs two samples or more")
    return torch.stack(pairs).mean(0)


def of_samples(truth: Truth, samples: list[np.ndarray], lpips_key: str | None, lpips: Lpips | None) -> dict:
    """Numbers of samples, each (N, H, W, 3) uint8, by metric; LPIPS where there is one."""
    batches = [torch.from_numpy(one).permute(0, 3, 1, 2).to(truth.rgb8.device) for one in samples]
    found = {"best_psnr": torch.stack([psnr(truth.rgb8, one) for one in batches]).amax(0).tolist()}
    if lpips is not None:
        features = [lpips.features(signed_rgb(one)) for one in batches]
        if len(features) > 1:
            found["diversity"] = mean_pairwise(lpips, features).tolist()
        nearest = torch.stack([lpips.distance(truth.features[lpips_key], of) for of in features])
        found["best_lpips"] = nearest.amin(0).tolist()
    return found
