"""What happens once before the loop: find the pictures, scan them, hold some out, report what was left."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ..config import Config
from ..data.folder import evenly_spread, open_sources
from ..data.loader import load_validation, validation_split
from ..data.scan import Scan, scan_source
from ..devices import usable_cores
from ..errors import UserError
from ..files import atomic_path
from .photographs import TrainingData

# Below this there is nothing to learn from and nothing to hold out.
_FEWEST = 4
# More scan processes than this wait for the disk; Windows allows no more than 61.
_MOST_PROCESSES = 8


def prepare_data(
    config: Config,
    paths: list[Path],
    validation: list[Path],
    folder: Path,
    say: Callable[[str], None],
    progress: Callable[[int, int], None],
) -> TrainingData:
    """Open and scan the training pictures; hold out or load the validation pictures.

    What cannot be learnt from is listed in ``folder/skipped.txt``, a line a picture with its reason.

    Raises:
        UserError: nothing there, or hardly a picture with colour in it.
    """
    source = open_sources(paths)
    # The smallest crop of a picture this size still has every pixel it is trained on; more are never seen.
    short_side = round(max(phase.crop_size for phase in config.phases) / config.data.min_scale)
    scan = scan_source(
        source,
        min_colourfulness=config.data.min_colourfulness,
        short_side=short_side,
        cache_gigabytes=config.data.cache_gigabytes,
        # Nothing else runs during the scan: every core may decode.
        workers=min(_MOST_PROCESSES, usable_cores()) if config.data.workers else 0,
        progress=progress,
    )
    where = ", ".join(str(path) for path in paths)
    say(_summary(scan, len(source), folder))
    if len(scan.kept) < _FEWEST:
        lower = " or lower data.min_colourfulness" if scan.greyish else ""
        raise UserError(
            f"--data {where}: training needs at least {_FEWEST} pictures, {len(scan.kept)} of "
            f"{len(source)} can be learnt from ({len(scan.greyish)} have too little colour, "
            f"{len(scan.broken)} cannot be read); add colour photographs{lower}"
        )
    size = config.data.validation_size
    if validation:
        held_source = open_sources(validation)
        indices = evenly_spread(len(held_source), config.data.validation_images)
        pictures = load_validation(held_source, indices, size)
        train_indices = scan.kept
    else:
        train_indices, held = validation_split(scan, config.data.validation_images, config.run.seed)
        pictures = load_validation(source, held, size)
    say(f"{len(train_indices):,} to learn from, {len(pictures):,} held out")
    digest = hashlib.sha256(source.fingerprint().encode() + np.asarray(train_indices).tobytes())
    return TrainingData(source, scan, train_indices, pictures, digest.hexdigest())


def _summary(scan: Scan, total: int, folder: Path) -> str:
    parts = [f"{len(scan.kept):,} of {total:,} pictures are usable"]
    if scan.greyish:
        parts.append(f"{len(scan.greyish):,} have too little colour")
    if scan.broken:
        name, reason = scan.broken[0]
        parts.append(f"{len(scan.broken):,} cannot be read, such as {name} ({reason})")
    if scan.greyish or scan.broken:
        lines = [f"{name}\t{reason}\n" for name, reason in scan.broken]
        lines += [f"{name}\ttoo little colour\n" for name in scan.greyish]
        with atomic_path(folder / "skipped.txt") as temporary:
            temporary.write_text("".join(lines), encoding="utf-8")
        parts.append(f"all listed in {folder / 'skipped.txt'}")
    return ", ".join(parts)
