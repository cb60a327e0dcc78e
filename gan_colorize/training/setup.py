"""What happens once before the loop: find the pictures, scan them, hold some out, report what was left."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from ..config import Config
from ..data.folder import open_sources
from ..data.loader import load_validation, validation_split
from ..data.scan import Scan, scan_source
from ..errors import UserError
from .loop import TrainingData

# Below this there is nothing to learn from and nothing to hold out.
_FEWEST = 4


def prepare_data(
    config: Config,
    paths: list[Path],
    validation: list[Path],
    say: Callable[[str], None],
    progress: Callable[[int, int], None],
) -> TrainingData:
    """Open and scan the training pictures; hold out or load the validation pictures.

    Raises:
        UserError: nothing there, or hardly a picture with colour in it.
    """
    source = open_sources(paths)
    # The smallest crop of a picture this size still has every pixel it is trained on; more are never seen.
    short_side = round(max(phase.crop_size for phase in config.phases) / config.data.min_scale)
    scan = scan_source(
        source,
        min_colourfulness=config.data.min_colourfulness,
        pixel_cache_short_side=short_side,
        cache_gigabytes=config.data.cache_gigabytes,
        # Nothing else runs during the scan: every core may decode.
        workers=(os.cpu_count() or 1) if config.data.workers else 0,
        progress=progress,
    )
    where = ", ".join(str(path) for path in paths)
    say(_summary(scan, len(source)))
    if len(scan.kept) < _FEWEST:
        raise UserError(
            f"--data {where}: {len(scan.kept)} of {len(source)} pictures can be learnt from "
            f"({len(scan.greyish)} have too little colour, {len(scan.broken)} cannot be read); "
            "add colour photographs or lower data.min_colourfulness"
        )
    size = config.data.validation_size
    if validation:
        held_source = open_sources(validation)
        indices = np.arange(len(held_source))
        pictures = load_validation(held_source, indices, size)
        train_indices = scan.kept
    else:
        train_indices, held = validation_split(scan, config.data.validation_images, config.run.seed)
        pictures = load_validation(source, held, size)
    say(f"{len(train_indices):,} to learn from, {len(pictures):,} held out")
    return TrainingData(source, scan, train_indices, torch.as_tensor(pictures))


def _summary(scan: Scan, total: int) -> str:
    parts = [f"{len(scan.kept):,} of {total:,} pictures are usable"]
    if scan.greyish:
        parts.append(f"{len(scan.greyish):,} have too little colour")
    if scan.broken:
        listed = "; ".join(f"{name} ({reason})" for name, reason in scan.broken[:5])
        parts.append(f"{len(scan.broken):,} cannot be read: {listed}{' ...' if len(scan.broken) > 5 else ''}")
    return ", ".join(parts)
