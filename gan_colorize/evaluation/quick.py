"""A few numbers for the training loop: cheap enough to be taken at every validation."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from .colorfulness import colorfulness
from .lpips_metric import Lpips, LpipsUnavailable, load_lpips, signed_rgb
from .pixels import SMALLEST_SIDE
from .psnr import psnr

BATCH = 32


@lru_cache(maxsize=2)
def _lpips(device: str) -> Lpips | None:
    """LPIPS when AlexNet's trunk is in torch's cache; asked once a process and device."""
    try:
        return load_lpips("alex", device=device)
    except LpipsUnavailable:
        return None


def measures_lpips(device: str = "cpu") -> bool:
    """Whether :func:`quick_metrics` has an LPIPS on this machine: asks the loader, a damaged file is none."""
    return _lpips(device) is not None


@torch.no_grad()
def quick_metrics(rgb_true: Tensor, rgb_pred: Tensor) -> dict[str, float | None]:
    """Means over a validation set.

    Args:
        rgb_true, rgb_pred: (N, 3, H, W) sRGB, uint8 or float 0..1, on one device.

    Returns:
        ``psnr`` (dB), ``colorfulness`` (signed) of the prediction, ``truth_colorfulness``, and ``lpips``
        (alex), which is None where its trunk is not at hand (nothing is ever downloaded here) or a side is
        below 32 px.
    """
    totals: dict[str, float] = {}
    large_enough = min(rgb_true.shape[-2:]) >= SMALLEST_SIDE
    lpips = _lpips(str(rgb_true.device)) if large_enough else None
    for start in range(0, len(rgb_true), BATCH):
        true, pred = rgb_true[start : start + BATCH], rgb_pred[start : start + BATCH]
        values = {
            "psnr": psnr(true, pred),
            "colorfulness": colorfulness(pred),
            "truth_colorfulness": colorfulness(true),
        }
        if lpips is not None:
            values["lpips"] = lpips(signed_rgb(true), signed_rgb(pred))
        for key, value in values.items():
            totals[key] = totals.get(key, 0.0) + float(value.sum())
    means: dict[str, float | None] = {key: total / len(rgb_true) for key, total in totals.items()}
    return {"lpips": None} | means
