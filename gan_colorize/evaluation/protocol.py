"""What was measured and how, in words and as an id: two reports compare when their ids are the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass

from .auc import LAST_THRESHOLD
from .frames import RESIZE_FILTER
from .lpips_metric import VERSION, Lpips
from .psnr import IDENTICAL_DB
from .semantic import Recogniser

# Goes up when a change to this package changes the numbers of an unchanged model.
PROTOCOL_VERSION = 2  # 2: chroma is enlarged along the edges of L; negative ab no longer cut in the reference
# A photograph without colour says nothing about colouring; ColorFormer's script skips at the same value.
LEAST_COLORFULNESS = 1.0

SHORT_RESIZE = {"centre-crop": "crop", "stretch": "stretch", "native": "native"}


@dataclass(frozen=True)
class Settings:
    """The choices of whoever measures.

    resize, size: see :func:`gan_colorize.evaluation.frames.resize_picture`.
    temperature:  of the annealed mean; None takes the model's own.
    batch_size:   pictures of 256x256 at a time, fewer when they are larger; changes no number.
    limit:        measure this many photographs at most, spread evenly over the source; None measures all.
    grid:         this many photographs are kept as pictures.
    """

    resize: str = "centre-crop"
    size: int = 256
    temperature: float | None = None
    batch_size: int = 16
    limit: int | None = None
    grid: int = 10


def describe(
    settings: Settings,
    lpips: Lpips | None,
    contents: Iterable[str],
    recogniser: Recogniser | None = None,
) -> dict[str, str | int | None]:
    """The protocol of a report: everything but the model that changes its numbers, and their hash.

    Args:
        contents: sha256 of each measured file. Their order and names do not matter, so the same photographs
            in a folder and in a shard make the same id.
    """
    contents = sorted(contents)
    native = settings.resize == "native"
    protocol: dict[str, str | int | None] = {
        "version": PROTOCOL_VERSION,
        "photographs": len(contents),
        "photographs_sha256": hashlib.sha256("\n".join(contents).encode()).hexdigest(),
        "resize": settings.resize,
        "size": None if native else settings.size,
        "resize_filter": None if native else RESIZE_FILTER,
        "input": "CIE Lab lightness (D65) of the truth",
        "output": "8-bit sRGB, rounded, lightness kept by desaturating colours outside sRGB; "
        "chroma enlarged by a filter guided by L",
        "left_out": f"photographs of colorfulness {LEAST_COLORFULNESS:g} or less after resizing",
        "psnr": f"dB, over the three sRGB channels together; identical pictures count {IDENTICAL_DB:g}",
        "ssim": "sRGB, Gaussian window 11 px, sigma 1.5, no padding; mean of the channels",
        "colorfulness": "Hasler-Suesstrunk 2003 M3, signed rg and yb; _abs: absolute rg and yb",
        "lpips": None if lpips is None else f"{lpips.net_name} v{VERSION}, trunk {lpips.trunk_sha256[:12]}",
    }
    # Metrics that joined later stay out of the hash. They change no number that was there before, so older
    # reports still compare, and what they depend on is in it already, or fixed as long as the version is.
    # Only top-1 also needs the files' names: a note of the report says how many of them tell a class.
    later = {
        "auc": f"percent; ab error of the 8-bit output, thresholds 0..{LAST_THRESHOLD} by 1, trapezoids",
        "auc_rebalanced": "percent; a pixel weighs 1 / share of its class (nearest of 313 bins to its true "
        "colour) in all true pixels of these photographs, unsmoothed: the mean over the classes that occur",
    }
    if recogniser is not None:
        later["top1"] = (
            f"percent; {recogniser.name}; centre square to 256 px, its centre 224 px; over the photographs "
            "whose file or folder is called after their ImageNet class"
        )
        later["top1_agreement"] = "percent of all photographs that are recognised as what the truth is"
    digest = hashlib.sha256(json.dumps(protocol, sort_keys=True).encode()).hexdigest()
    size = SHORT_RESIZE[settings.resize] + ("" if native else str(settings.size))
    network = "nolpips" if lpips is None else lpips.net_name
    return {"id": f"{size}-n{len(contents)}-{network}-{digest[:10]}"} | protocol | later
