"""What happens once before the loop: find the pictures, scan them, hold some out, report what was left."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ..config import Config
from ..data.folder import ImageSource, open_sources
from ..data.held_out import split, spread
from ..data.loader import load_validation
from ..data.order import WINDOW
from ..data.remote_open import open_remote
from ..data.scan import Scan
from ..data.sharded import check_cache, is_far, scan_all
from ..data.urls import shown
from ..devices import usable_cores
from ..distributed import current
from ..errors import UserError
from ..files import atomic_path
from .photographs import TrainingData

# Below this there is nothing to learn from and nothing to hold out.
_FEWEST = 4
# More scan processes than this wait for the disk; Windows allows no more than 61.
_MOST_PROCESSES = 8
SKIPPED = "skipped.txt"


def prepare_data(
    config: Config,
    paths: list[Path | str],
    validation: list[Path | str],
    folder: Path,
    say: Callable[[str], None],
    progress: Callable[[int, int], None],
) -> TrainingData:
    """Open and scan the training pictures; hold out or load the validation pictures.

    What cannot be learnt from is listed in ``folder/skipped.txt``, a line a picture with its reason.

    Raises:
        UserError: nothing there, or hardly a picture with colour in it.
    """
    # Nothing else runs during the scan: every core may decode.
    workers = min(_MOST_PROCESSES, usable_cores()) if config.data.workers else 0

    def open_far(pattern: str) -> ImageSource:
        return open_remote(
            pattern,
            gigabytes=config.data.shard_cache_gigabytes,
            workers=workers,
            progress=lambda done, total: say(f"looked at {done:,} of {total:,} shards"),
        )

    source = open_sources(paths, open_far)
    lanes, group = config.data.shard_lanes, current()
    if is_far(source) and lanes % group.world:
        say(f"data.shard_lanes={lanes} is no multiple of {group.world} processes: some fetch the same shards")
    check_cache(source, lanes if lanes % group.world else lanes * group.local_world // group.world, WINDOW)
    # The smallest crop of a picture this size still has every pixel it is trained on; more are never seen.
    short_side = round(max(phase.crop_size for phase in config.phases) / config.data.min_scale)
    scan = scan_all(
        source,
        min_colourfulness=config.data.min_colourfulness,
        short_side=short_side,
        cache_gigabytes=config.data.cache_gigabytes,
        workers=workers,
        progress=progress,
    )
    where = ", ".join(shown(str(path)) for path in paths)
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
        held_source = open_sources(validation, open_far)
        indices = spread(held_source, config.data.validation_images)
        pictures = load_validation(held_source, indices, size)
        train_indices = scan.kept
    else:
        train_indices, held = split(source, scan, config.data.validation_images, config.run.seed)
        pictures = load_validation(source, held, size)
    say(f"{len(train_indices):,} to learn from, {len(pictures):,} held out")
    digest = hashlib.sha256(source.fingerprint().encode() + np.asarray(train_indices).tobytes())
    if is_far(source):  # their order is another with other lanes
        digest.update(f"{config.data.shard_lanes} lanes of {WINDOW}".encode())
    return TrainingData(source, scan, train_indices, pictures, digest.hexdigest(), folder / SKIPPED)


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
        with atomic_path(folder / SKIPPED) as temporary:
            temporary.write_text("".join(lines), encoding="utf-8")
        parts.append(f"all listed in {folder / SKIPPED}")
    return ", ".join(parts)
